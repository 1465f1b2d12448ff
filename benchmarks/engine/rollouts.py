"""A thousand soaking rollouts, each judged every five seconds, by the real worker on a real PostgreSQL.

Fifty teams, each with a Discord server in a sandbox: cards, charts and threads are the real ones, by the real
discord.py, and so is the reconciler. Target and metrics answer at once from memory; samples have the router's form,
with all its buckets. The bot's CPU time includes the process that draws charts; PostgreSQL's is listed beside it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psutil

from benchmarks.engine.discord_rest import servers
from benchmarks.report import Row, show
from bot.adapters.metrics.probe import BOUNDS
from bot.cli.operations.service import event_loop
from bot.composition.wiring import collect_seldom
from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge.evidence.ticks import Sample
from bot.domain.rollout.model import Desired, Lane, Plan, Release
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import DeployRequest
from bot.engine.loops.worker import LoopIntervals
from bot.ports.meter import NoMeter
from tests.fakes.outside import FakeMetrics
from tests.support.actors import DEV
from tests.support.catalogs import policy
from tests.support.harness import Slipway, World
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.waiting import until

TICK_S, WINDOW_S = 5.0, 20.0
TEAMS = 50
PLAN = Plan("soak", (Shift(5, 60.0), Soak(3600.0), Shift(100, 60.0)))


@dataclass
class Lateness(NoMeter):
    """Meter that records how late each tick was."""

    seconds: list[float] = field(default_factory=list)

    def tick(self, late_s: float) -> None:
        self.seconds.append(late_s)


class RouterLike(FakeMetrics):
    """Metric source of fast requests, with as many buckets as the router."""

    def _one(self, key: str, digest: str, at: float) -> Sample:
        plain = super()._one(key, digest, at)
        (reading,) = plain.readings
        quick = BOUNDS.index(0.5) + 1  # all are below half a second
        counts = (reading.total * min(i + 1, quick) // quick for i in range(len(BOUNDS)))
        buckets = (*zip(BOUNDS, counts, strict=True), (float("inf"), reading.total))
        return replace(plain, readings=(replace(reading, buckets=buckets),))


def releases(service: str) -> list[Release]:
    return [Release(service, v, f"sha256:{service}-{v}", spec={"command": ["serve"]}) for v in ("2", "1")]


def catalog(services: Sequence[str], guilds: Sequence[GuildConfig]) -> Catalog:
    """Each team has its Discord server and its share of the services."""
    judged = policy(tick_s=TICK_S)
    judged = replace(judged, judge=replace(judged.judge, tick_s=TICK_S, planned_ticks=720))
    lanes = {}
    for number, service in enumerate(services):
        lane, team = Lane(service, "production"), guilds[number % len(guilds)]
        lanes[lane] = LaneConfig(lane, (team.id,), PLAN, judged, "local", ("router",), ("deployer",), ())
    return Catalog({guild.id: guild for guild in guilds}, lanes, "bench")


async def measure(dsn: str, server: PostgresServer, rollouts: int) -> dict[str, float]:
    services = [f"service-{i:04}" for i in range(rollouts)]
    async with servers(TEAMS) as discord:
        world = World(dsn, catalog(services, discord.guilds))
        world.releases.known = {service: releases(service) for service in services}
        world.metrics = RouterLike()
        meter, running = Lateness(), list[Slipway]()
        async with discord.announcer(world, lambda: running[0].engine) as announcer:
            world.announcer = announcer  # type: ignore[assignment]
            async with world.open(working=False, meter=meter, intervals=LoopIntervals()) as slipway:
                running.append(slipway)
                for service in services:
                    await world.target.apply(Lane(service, "production"), Desired(1, releases(service)[1]))
                async with slipway.running(True):
                    return await _measured(slipway, server, services, meter)


async def _measured(
    slipway: Slipway, server: PostgresServer, services: Sequence[str], meter: Lateness
) -> dict[str, float]:
    collect_seldom()  # as the program does
    process = psutil.Process()
    before = process.memory_info().rss
    await start(slipway, services)
    await asyncio.sleep(2 * TICK_S)
    meter.seconds.clear()
    measured = {process.pid: process, **{one.pid: one for one in process.children(recursive=True)}}
    postgres = server_processes(server)
    bot = [one for one in measured.values() if one.pid == process.pid or "chart" in " ".join(one.cmdline())]
    edits, began = await edited(slipway), time.monotonic()
    own, theirs = cpu(bot), cpu(postgres)
    await asyncio.sleep(WINDOW_S)
    took = time.monotonic() - began
    own, theirs = cpu(bot) - own, cpu(postgres) - theirs
    late = sorted(meter.seconds)
    return {
        "ticks": len(late) / took,
        "own": own / took * 100,
        "postgres": theirs / took * 100,
        "late_p99": late[int(len(late) * 0.99)] if late else float("nan"),
        "grown": (process.memory_info().rss - before) / 2**20,
        "edits": (await edited(slipway) - edits) / took,
    }


async def edited(slipway: Slipway) -> int:
    """How often cards were written so far."""
    async with slipway.database.connection() as connection:
        return int(
            await connection.fetchval(
                "SELECT COALESCE(sum(n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname = 'cards'"
            )
        )


async def start(slipway: Slipway, services: Sequence[str]) -> None:
    """Deploy all of them, and wait until they soak and all that was to be said of it is said."""
    for service in services:
        guild = slipway.world.catalog.lanes[Lane(service, "production")].guilds[0]
        await slipway.engine.deploy(DeployRequest(guild, DEV, service, "2", "production"))

    async def soaking() -> bool:
        phases = await slipway.store.housekeeping.phases()
        return phases.get("soaking") == len(services) and (await slipway.store.housekeeping.queue())[0] == 0

    await until(soaking, within_s=200.0, every_s=0.5)


def server_processes(server: PostgresServer) -> list[psutil.Process]:
    postmaster = psutil.Process(server.pid)
    return [postmaster, *postmaster.children(recursive=True)]


def cpu(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@contextmanager
def fresh() -> Iterator[tuple[PostgresServer, str]]:
    with postgres_server(durable=True) as server:
        yield server, server.dsn(asyncio.run(server.fresh()))


def run(quick: bool = False) -> list[Row]:
    counts = (200,) if quick else (250, 1000)
    found = {}
    for count in counts:
        # On the program's event loop.
        with fresh() as (server, dsn), asyncio.Runner(loop_factory=event_loop()) as runner:
            found[count] = runner.run(measure(dsn, server, count))
    rows = rows_of(counts[-1], found[counts[-1]])
    if len(counts) > 1:
        few, many = counts[0], counts[-1]
        was, now = (found[count]["own"] / count * 1000 for count in (few, many))
        what, beside = f"cost of 1,000 at {many:,}", f"the same at {few:,}"
        ratio = now / was
        rows.append(Row(what, now, "% of a core", beside, was, ratio, "linear: <= 1.3x", ratio <= 1.3))
    return rows


def rows_of(many: int, figures: dict[str, float]) -> list[Row]:
    own, both = figures["own"], figures["own"] + figures["postgres"]
    share = figures["ticks"] / (many / TICK_S)
    late = figures["late_p99"]
    return [
        Row(f"{many:,} rollouts judged every 5 s: bot", own, "% of a core", goal="< 50%", ok=own < 50),
        Row("  the same, with PostgreSQL", both, "% of a core"),
        Row("  cards edited a second, in 50 channels", figures["edits"], ""),
        Row("  tick lateness, p99", late, "s", goal="< 1 s", ok=late < 1),
        Row("  ticks a second", figures["ticks"], "", "due", many / TICK_S, share, ">= 0.97x", share >= 0.97),
        Row("  memory that they use", figures["grown"], "MiB", goal="<= 32 MiB", ok=figures["grown"] <= 32),
    ]


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Rollouts")
