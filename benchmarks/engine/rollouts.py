"""A thousand soaking rollouts, each judged every five seconds, by the real worker on a real PostgreSQL.

Everything outside of Slipway (target, metrics, Discord) answers at once from memory, so that the figures are
Slipway's alone; samples have the router's form, with all its buckets. PostgreSQL's CPU time is listed too.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psutil

from benchmarks.report import Row, show
from bot.adapters.routers.counts import BOUNDS
from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge.evidence import Sample
from bot.domain.rollout.model import Desired, Lane, Plan, Release
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import DeployRequest
from bot.engine.loops.worker import LoopIntervals
from bot.ports.meter import NoMeter
from tests.fakes.outside import FakeMetrics
from tests.support.actors import DEV
from tests.support.catalogs import GUILD, policy
from tests.support.harness import Slipway, World
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.waiting import until

TICK_S, WINDOW_S = 5.0, 20.0
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


def catalog(services: Sequence[str]) -> Catalog:
    judged = policy(tick_s=TICK_S)
    judged = replace(judged, judge=replace(judged.judge, tick_s=TICK_S, planned_ticks=720))
    lanes = {}
    for service in services:
        lane = Lane(service, "production")
        lanes[lane] = LaneConfig(lane, (GUILD,), PLAN, judged, "local", ("router",), ("deployer",), ())
    return Catalog({GUILD: GuildConfig(GUILD, "bench", {}, {})}, lanes, "bench")


async def measure(dsn: str, server: PostgresServer, rollouts: int) -> dict[str, float]:
    services = [f"service-{i:04}" for i in range(rollouts)]
    world = World(dsn, catalog(services))
    world.releases.known = {service: releases(service) for service in services}
    world.metrics = RouterLike()
    meter = Lateness()
    # The reconciler observes every lane's target, which here would measure the fake one.
    async with world.open(working=False, meter=meter, intervals=LoopIntervals(reconcile_s=3600.0)) as slipway:
        for service in services:
            await world.target.apply(Lane(service, "production"), Desired(1, releases(service)[1]))
        async with slipway.working():
            before = psutil.Process().memory_info().rss
            await start(slipway, services)
            await asyncio.sleep(2 * TICK_S)
            meter.seconds.clear()
            process, postgres, began = psutil.Process(), server_processes(server), time.monotonic()
            own, theirs = cpu([process]), cpu(postgres)
            await asyncio.sleep(WINDOW_S)
            took = time.monotonic() - began
            own, theirs = cpu([process]) - own, cpu(postgres) - theirs
    late = sorted(meter.seconds)
    return {
        "ticks": len(late) / took,
        "own": own / took * 100,
        "postgres": theirs / took * 100,
        "late_p99": late[int(len(late) * 0.99)] if late else float("nan"),
        "grown": (process.memory_info().rss - before) / 2**20,
    }


async def start(slipway: Slipway, services: Sequence[str]) -> None:
    for service in services:
        await slipway.engine.deploy(DeployRequest(GUILD, DEV, service, "2", "production"))

    async def soaking() -> bool:
        return (await slipway.store.housekeeping.phases()).get("soaking") == len(services)

    await until(soaking, within_s=120.0)


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
    with postgres_server() as server:
        yield server, server.dsn(asyncio.run(server.fresh()))


def run(quick: bool = False) -> list[Row]:
    counts = (200,) if quick else (250, 1000)
    found = {}
    for count in counts:
        with fresh() as (server, dsn):
            found[count] = asyncio.run(measure(dsn, server, count))
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
        Row("  tick lateness, p99", late, "s", goal="< 1 s", ok=late < 1),
        Row("  ticks a second", figures["ticks"], "", "due", many / TICK_S, share, ">= 0.97x", share >= 0.97),
        Row("  memory that they use", figures["grown"], "MiB", goal="<= 64 MiB", ok=figures["grown"] <= 64),
    ]


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Rollouts")
