"""Alerts with the whole bot: from the delivery to the message, and a storm, with what the database keeps of it.

The bot, its PostgreSQL and the sandbox are programs of their own; alerts arrive over HTTP as an Alertmanager sends
them. A message's own id says when Discord had it, so nothing is polled for while the time runs.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks.engine.catalog import catalog
from benchmarks.engine.scene import listening, truth
from benchmarks.programs.memory import resident
from benchmarks.report import Row, show
from demo.launcher import Demo
from demo.stories.stage import Stage, Transcript

# Alerts that are timed have lanes of their own, so that the storm finds none of them.
TIMED, FEW = 100, 5
LANES = 200
STORM, QUICK, CRITICAL = 10_000, 2_000, 20
# What alerts are kept in.
TABLES = ("alerts", "alert_entries", "alert_cards", "effects", "notes")
_BATCH, _AT_ONCE = 50, 4  # alerts of a delivery, and deliveries under way
_PATIENCE_S = 30.0
_EACH_S = 1.3  # a channel takes about five messages in five seconds
_TOKEN = "benchmark-of-alerts-0123456789"
_VARIABLE = "SLIPWAY_VAR_ALERTS_TOKEN"
_DISCORD_EPOCH_MS = 1_420_070_400_000
_SERVICE = """
  s{n}:
    releases: {{kind: listed, versions: ["1"], spec: {{command: [run]}}}}
    environments: {{production: {{}}}}"""

Json = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """Rows of each table, and bytes of all of them with their indexes, dead rows included."""

    rows: Counter[str]
    size: int


@dataclass
class Alerted:
    """The running programs, and how alerts get in."""

    demo: Demo
    stage: Stage
    session: aiohttp.ClientSession
    bot: psutil.Process

    async def deliver(self, alerts: Sequence[Json]) -> None:
        """As one webhook of an Alertmanager. Raises what is not recorded."""
        body = {"version": "4", "status": "firing", "receiver": "slipway", "alerts": list(alerts)}
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        url = f"{self.demo.bot_url}/alerts/prometheus"
        async with self.session.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")

    async def posted(self) -> list[tuple[str, float]]:
        """Severity of each alert with a message, and when Discord had it (unix seconds)."""
        async with truth(self.demo) as connection:
            rows = await connection.fetch(
                "SELECT a.severity, a.alert::text AS alert, c.message_id FROM alert_cards c "
                "JOIN alerts a ON a.id = c.alert_id ORDER BY c.message_id"
            )
        return [(row["severity"], ((row["message_id"] >> 22) + _DISCORD_EPOCH_MS) / 1000) for row in rows]

    async def kept(self) -> Kept:
        """What the database has of alerts now."""
        async with truth(self.demo) as connection:
            rows = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES}
            size = await connection.fetchval(
                "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest($1::text[]) AS name", TABLES
            )
        return Kept(Counter(rows), int(size))

    async def sent(self) -> int:
        """How often the bot has called Discord to post or edit a message."""
        found = (await self.stage.call("GET", "requests?limit=5000"))["requests"]
        return sum(each["method"] in ("POST", "PATCH") and "/messages" in each["path"] for each in found)


def alert(number: int, severity: str, lane: int | None = None) -> Json:
    """One alert of its own; of the lane of this number, or of none."""
    labels = {"alertname": f"Trouble{number}", "severity": severity, "instance": f"10.0.0.{number % 250}"}
    if lane is not None:
        labels |= {"service": f"s{lane}", "environment": "production"}
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"Trouble {number}", "description": "Much goes wrong here. " * 10},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": f"{number:016x}",
    }


@asynccontextmanager
async def alerted() -> AsyncIterator[Alerted]:
    """Run them in a temporary folder."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        folder.chmod(0o755)
        (folder / "config").mkdir()
        services = "".join(_SERVICE.format(n=n) for n in range(LANES + TIMED + 1))
        text = catalog(
            plan="[{shift: 100}, {observe: 10s}]", policy="{objectives: {errors: 1%}}", services=services
        )
        text += f'\nalert_sources:\n  prometheus: {{kind: alertmanager, token: "${{{_VARIABLE}}}"}}\n'
        (folder / "config" / "catalog.yaml").write_text(text)
        world = {
            "guilds": [{"name": "harbor", "people": [{"name": "dev", "roles": []}]}],
            "rate_limits": False,
        }
        demo = Demo(
            folder / "run",
            lanes=(),
            config=folder / "config",
            world=world,
            restart_bot=False,
            environment={_VARIABLE: _TOKEN},
        )
        await stack.enter_async_context(demo)
        stage = await stack.enter_async_context(Stage(demo.url, Transcript(lambda line: None)))
        await listening(stage)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Alerted(demo, stage, session, psutil.Process(demo.child("bot").process.pid))


async def one_by_one(here: Alerted, count: int) -> list[float]:
    """Seconds from the delivery to the message, for each alert."""
    began = []
    for number in range(count + 1):
        began.append(time.time())
        await here.deliver([alert(number, "critical", LANES + number)])
        await asyncio.sleep(_EACH_S)
    posted = await here.posted()
    if len(posted) != len(began):
        raise RuntimeError(f"{len(posted)} of {len(began)} alerts have a message")
    # The first opens connections.
    return [at - then for then, (_, at) in zip(began, posted, strict=True)][1:]


@dataclass
class Stormed:
    """What a storm did. taken: alerts. grown: MiB at most. late_s: from the last critical alert to its message.

    kept: what the database has more of since then. again: the same of a part of the storm that is told again.
    """

    taken: int
    took_s: float
    grown: float
    messages: int
    critical: int
    critical_taken: int
    late_s: float
    processor: float
    kept: Kept
    again: Counter[str]


def stormy(batch: int) -> list[Json]:
    """Warnings of a delivery: half of them of lanes, and half of none, each under a title of its own."""
    numbers = range(1000 + batch * _BATCH, 1000 + (batch + 1) * _BATCH)
    return [alert(n, "warning", n // 2 % LANES if n % 2 == 0 else None) for n in numbers]


async def storm(here: Alerted, count: int, within_s: float) -> Stormed:
    """Deliver so many alerts, as far as they are taken within so many seconds, some of them critical."""
    taken = critical_taken = 0
    seconds = within_s / 3  # leaves time for those that wait
    known = len(await here.posted())
    before, sent, peak = resident(here.bot), await here.sent(), 0.0
    empty = await here.kept()
    spent, began, came = sum(here.bot.cpu_times()[:2]), time.monotonic(), 0.0
    batches, turns, told = count // _BATCH, asyncio.Semaphore(_AT_ONCE), list[int]()

    async def deliver(batch: int) -> None:
        nonlocal came, peak, taken, critical_taken
        alerts = stormy(batch)
        critical = batch % (batches // CRITICAL) == 0
        if critical:
            alerts[0] = alert(10**6 + batch, "critical")
        await asyncio.sleep(batch * seconds / batches)
        async with turns:
            if time.monotonic() > began + within_s:
                return
            await here.deliver(alerts)
        taken += len(alerts)
        told.append(batch)
        if critical:
            came, critical_taken = max(came, time.time()), critical_taken + 1
        peak = max(peak, resident(here.bot))

    await asyncio.gather(*map(deliver, range(batches)))
    took_s = time.monotonic() - began
    processor = (sum(here.bot.cpu_times()[:2]) - spent) / took_s
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        critical = [at for severity, at in (await here.posted())[known:] if severity == "critical"]
        peak = max(peak, resident(here.bot))
        if len(critical) >= critical_taken or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    late = max(critical, default=0.0) - came
    messages = await here.sent() - sent
    full = await here.kept()
    for batch in told[::5]:
        await here.deliver(stormy(batch)[1:])
    again = (await here.kept()).rows - full.rows
    kept = Kept(full.rows - empty.rows, full.size - empty.size)
    return Stormed(
        taken, took_s, peak - before, messages, len(critical), critical_taken, late, processor, kept, again
    )


async def measured(quick: bool) -> list[Row]:
    async with alerted() as here:
        late = sorted(await one_by_one(here, FEW if quick else TIMED))
        count = QUICK if quick else STORM
        found = await storm(here, count, 60.0 * count / STORM)
    p99 = late[math.ceil(0.99 * len(late)) - 1]
    return [
        Row("alert received over HTTP → message, p50", 1000 * late[len(late) // 2], "ms"),
        Row(
            f"  the same, p99 of {len(late)}",
            1000 * p99,
            "ms",
            goal="< 1 s",
            ok=p99 < 1.0,
        ),
        Row("  the same, slowest", 1000 * late[-1], "ms"),
        Row(
            f"storm of {count:,} alerts: memory of the bot",
            found.grown,
            "MiB",
            goal="< 64 MiB",
            ok=found.grown < 64,
        ),
        Row("  taken", found.taken, "", "delivered", count, goal="all", ok=found.taken >= count),
        Row("  within", found.took_s, "s"),
        Row("  processor of the bot", 100 * found.processor, "%", "a core"),
        Row("  messages posted or edited", found.messages, "", "alerts", count),
        Row(
            "  critical alerts with a message",
            found.critical,
            "",
            "critical alerts taken",
            found.critical_taken,
            goal="all",
            ok=found.critical >= found.critical_taken,
        ),
        Row("  the last of them, after it came in", found.late_s, "s"),
        *_kept(found),
    ]


def _kept(found: Stormed) -> list[Row]:
    """Rows that the storm left, beside the alerts that were taken: one alert for each lane or title, few calls."""
    names = {
        "alerts": f"alerts (of {LANES} lanes, and of titles without one)",
        "alert_entries": "lines of their timelines",
        "alert_cards": "cards",
        "effects": "calls",
        "notes": "notes",
    }
    again = sum(found.again[name] for name in ("alerts", "alert_entries", "effects"))
    return [
        Row("  database, tables and indexes", found.kept.size / 2**20, "MiB"),
        *(
            Row(f"  rows more: {said}", found.kept.rows[name], "", "alerts", found.taken)
            for name, said in names.items()
        ),
        Row("  rows more when a fifth of it is told again", again, "", goal="0", ok=again == 0),
    ]


def run(quick: bool = False) -> list[Row]:
    return asyncio.run(measured(quick))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Alerts")
