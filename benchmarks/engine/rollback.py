"""Time for which a candidate still serves after a press of Roll back, or after the judge's FAIL.

All parts are real: the bot, its host and router, releases as processes, users who send requests, stable warm. Time
runs from the press (or from the verdict's time in the audit log) to the last answer that a user got from the
candidate.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.engine.catalog import catalog
from benchmarks.engine.scene import Json, listening, truth
from benchmarks.report import Row, show
from demo.lanes import DemoLane
from demo.launcher import Demo
from demo.stories.stage import Stage, Transcript

LANE = DemoLane("checkout", "production", 250)
_HERE = Path(__file__).resolve().parents[2]
CATALOG = catalog(
    plan="[{verify: /healthz}, {shift: 50}, {soak: 1h}, {shift: 100}, {observe: 1h}]",
    # The lane is new: without `burst`, the judge would begin with blocks of a minute.
    policy="{objectives: {errors: 1%}, settle: 1s, burst: 1s}",
    defaults="  tick: 1s\n  lock_after_rollback: false",
    services=f"""
  checkout:
    releases:
      kind: listed
      spec:
        command: ["{{python}}", -m, demo.services.service, --service, "{{service}}", --version, "{{version}}",
                  --environment, "{{environment}}", --port, "{{port}}"]
        cwd: {_HERE}
        env: {{SANDBOX_DEMO_DIR: "${{SANDBOX_DEMO_DIR:-.}}"}}
        ready: {{path: /healthz, timeout: 15s}}
        drain: 5s
      versions: [{{version: 1.5.1}}, {{version: 1.5.0}}, {{version: 1.4.0}}]
    environments:
      production:
        router: ${{{LANE.port_variable}:-18402}}
""",
)


class Lane:
    """The lane, as its users and the database see it."""

    def __init__(self, stage: Stage, connection: Any) -> None:
        self._stage = stage
        self._connection = connection
        self._message = ""

    async def pressed(self) -> float:
        """Seconds from the press to the candidate's last answer."""
        found = await self._begin("1.5.0")
        await self._reaches(found, "soaking")
        await asyncio.sleep(0.5)
        cursor = await self._cursor()
        body: Json = {"user": "oncall", "message": await self._card()}
        body["custom_id"] = f"slipway:{found}:{await self._step(found)}:rollback:"
        sent = time.time()
        await self._stage.call("POST", "presses", body)
        return await self._last(found, "1.5.0", cursor) - sent

    async def judged(self) -> float:
        """Seconds from the verdict to the candidate's last answer."""
        cursor = await self._cursor()
        found = await self._begin("1.5.1")
        await self._reaches(found, "rolled_back")
        said = await self._connection.fetchval(
            "SELECT at FROM audit WHERE rollout_id = $1 AND what = 'judged_fail'", found
        )
        return await self._last(found, "1.5.1", cursor) - said.timestamp()

    async def _begin(self, version: str) -> int:
        options = {"service": LANE.service, "version": version, "environment": LANE.environment}
        begun = await self._stage.slash("dev", "deploy", **options)
        found = await self._connection.fetchval("SELECT id FROM rollouts WHERE NOT final")
        if found is None:
            raise RuntimeError(f"the deploy was refused: {begun['message']}")
        return int(found)

    async def _reaches(self, rollout: int, *phases: str) -> None:
        async def look() -> bool | None:
            phase = await self._connection.fetchval("SELECT phase FROM rollouts WHERE id = $1", rollout)
            return True if phase in phases else None

        await self._stage.until(f"rollout {rollout} being {phases}", look, 60.0, 0.05)

    async def _step(self, rollout: int) -> int:
        query = "SELECT (state->>'step')::int FROM rollouts WHERE id = $1"
        return int(await self._connection.fetchval(query, rollout))

    async def _card(self) -> str:
        """Message of any card: a button's id says which rollout it is about."""
        if not self._message:
            self._message = str((await self._stage.message("deploys", LANE.service, "1.5.0"))["id"])
        return self._message

    async def _cursor(self) -> int:
        return int((await self._stage.users(LANE.service, LANE.environment))["cursor"])

    async def _last(self, rollout: int, version: str, cursor: int) -> float:
        """Time of the last answer that a user got from the candidate."""
        await self._reaches(rollout, "rolled_back")
        await asyncio.sleep(1.0)
        last = 0.0
        while log := (await self._stage.users(LANE.service, LANE.environment, since=cursor))["log"]:
            cursor = log[-1]["n"]
            last = max([last, *(seen["at"] for seen in log if seen["version"] == version)])
            if len(log) < 1000:
                break
        return last


def rows(what: str, took: list[float]) -> list[Row]:
    """Rows for times in seconds."""
    took = sorted(max(0.0, each) for each in took)
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.99))]
    promise = "usual promise"
    return [
        Row(f"{what}, p50 of {len(took)}", p50, "s", promise, 120.0, p50 / 120),
        Row(f"{what}, p99", p99, "s", promise, 120.0, p99 / 120, "< 0.5 s", p99 < 0.5),
    ]


async def measure(presses: int, verdicts: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        (base / "config").mkdir()
        (base / "config" / "catalog.yaml").write_text(CATALOG)
        demo = Demo(base / "run", lanes=(LANE,), config=base / "config", restart_bot=False)
        async with demo, Stage(demo.url, Transcript(lambda line: None)) as stage, truth(demo) as connection:
            await listening(stage)
            lane = Lane(stage, connection)
            by_press = [await lane.pressed() for _ in range(presses)]
            by_verdict = [await lane.judged() for _ in range(verdicts)]
    return [
        *rows("press -> candidate has no traffic", by_press),
        *rows("verdict -> candidate has no traffic", by_verdict),
    ]


def run(quick: bool = False) -> list[Row]:
    return asyncio.run(measure(6, 3) if quick else measure(30, 10))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Rollback")
