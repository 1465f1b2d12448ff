"""1,000 monitors, each asked once a minute: processor time of the process that asks, and whether each comes in time.

The loop, the HTTP check with text and a JSON path to look for, and PostgreSQL are the real ones; the service that is
asked is a program of its own. The comparison is the same number of requests by the HTTP client alone, each on a
connection of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.engine.catalog import catalog
from benchmarks.report import Row, show
from bot.adapters.checks.session import SystemResolver, check_session
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.catalog import load
from bot.composition.adapters import make_targets, open_checks
from bot.composition.registry import KINDS
from bot.domain.config import Catalog, CheckConfig
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.checks import CheckResult
from bot.engine.loops.loops import Loop, Rounds
from bot.engine.watch.monitors import Monitors
from bot.ports.watch.checks import Checks
from tests.support.clocks import ShiftedClock
from tests.support.postgres import postgres_server

MONITORS, LANES = 1_000, 100
GOAL = 0.30  # of a core
_SERVICE = """
import asyncio
from aiohttp import web

async def health(request):
    return web.json_response({"status": "ok", "parts": [{"name": "db", "up": True}]})

async def main():
    runner = web.ServerRunner(web.Server(health))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def service() -> AsyncIterator[str]:
    """The service that is asked; its address."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVICE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await program.stdout.readline())}"
    finally:
        program.kill()
        await program.wait()


def monitored(folder: Path, url: str) -> Catalog:
    """100 services with ten checks each, as a team would write them."""
    each = MONITORS // LANES
    asked = f'{{kind: http, url: "{url}/health", contains: ok, json_path: {{"$.parts[0].up": true}}}}'
    checks = "\n".join(f"      c{n}: {asked}" for n in range(each))
    releases = 'kind: listed, versions: ["1"], spec: {command: [run], ready: {path: /}}'
    services = "\n".join(
        f"  s{n}:\n    releases: {{{releases}}}\n    environments: {{production: {{}}}}\n    checks:\n{checks}"
        for n in range(LANES)
    )
    written = catalog(
        plan="[{shift: 100}, {observe: 10s}]", policy="{objectives: {errors: 1%}}", services=services
    )
    (folder / "catalog.yaml").write_text(written, encoding="utf-8")
    return load(folder, KINDS, {})


class Counted:
    """Implements `Checks`: asks, and counts what was answered and when."""

    def __init__(self, asked: Checks) -> None:
        self._asked = asked
        self.answers: list[tuple[float, CheckResult]] = []

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        result = await self._asked.ask(check, lane, at)
        self.answers.append((time.monotonic(), result))
        return result

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        return await self._asked.ask_candidate(check, lane, address, at)


class Unheard:
    """Implements `Findings`; there should be nothing to hear but that all is well."""

    def __init__(self) -> None:
        self.firing = 0

    async def hear(self, findings: Sequence[Finding]) -> None:
        self.firing += sum(finding.firing for finding in findings)


async def watched(dsn: str, found: Catalog, folder: Path, seconds: float) -> tuple[float, Counted, Unheard]:
    """Share of a core over `seconds`, and what was answered in them."""
    async with (
        Database(dsn, size=4) as database,
        open_checks(lambda: found, make_targets(found, folder, start=False)) as asked,
    ):
        counted, heard = Counted(asked), Unheard()
        monitors = Monitors(
            PostgresStore(database).monitors, lambda: found, counted, heard, ShiftedClock(), save_s=10.0
        )
        running = asyncio.create_task(Loop("monitors", monitors.once, 0.25).run(EventWaker(), Rounds()))
        await asyncio.sleep(3.0)  # the first round reads what is stored
        counted.answers.clear()
        began, spent = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        share = (time.process_time() - spent) / (time.monotonic() - began)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await monitors.stop()
    return share, counted, heard


async def asked_alone(url: str, count: int) -> float:
    """Processor time (seconds) of one request by the HTTP client alone."""
    resolver = SystemResolver()
    async with check_session(resolver) as session:
        spent = time.process_time()
        for _ in range(count):
            async with session.get(f"{url}/health") as answer:
                await answer.read()
        spent = time.process_time() - spent
    await resolver.close()
    return spent / count


async def _measured(dsn: str, seconds: float) -> list[Row]:
    async with service() as url:
        with tempfile.TemporaryDirectory() as folder:
            found = monitored(Path(folder), url)
            share, counted, heard = await watched(dsn, found, Path(folder), seconds)
        alone = await asked_alone(url, 300)
    answers = len(counted.answers)
    wrong = sum(not result.passed for _, result in counted.answers) + heard.firing
    by_second = Counter(int(at - counted.answers[0][0]) for at, _ in counted.answers)
    due = MONITORS / 60 * seconds
    return [
        Row("1,000 monitors a minute: processor", 100 * share, "%", "a core", goal="< 30%", ok=share < GOAL),
        Row(
            "processor time of one check, with its share of the loop",
            1000 * share * seconds / answers,
            "ms",
            "the HTTP client alone",
            1000 * alone,
            share * seconds / answers / alone,
        ),
        Row(
            "asked in time",
            answers / due,
            "x",
            "due",
            ratio=answers / due,
            goal="≥ 0.95x",
            ok=answers / due >= 0.95,
        ),
        Row("asked in the busiest second", max(by_second.values()), "", "on average", MONITORS / 60),
        Row("answers that were wrong", wrong, "", goal="none", ok=not wrong),
    ]


def run(quick: bool = False) -> list[Row]:
    with postgres_server(durable=True) as server:
        return asyncio.run(_measured(server.dsn(asyncio.run(server.fresh())), 10.0 if quick else 40.0))


if __name__ == "__main__":
    show(run())
