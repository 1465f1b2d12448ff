"""One lane's trouble beside other lanes: a sick metric source, and orders to dead targets.

The real worker on a real PostgreSQL, with the program's event loop, intervals and logs; targets and sources answer from
memory. Both figures compare the healthy lanes with themselves in the same run, without the trouble and with it.

Judging: 100 lanes soak with a tick of a second. The source of one of them answers, hangs or raises, in turns; counted
is how fast the other 99 are judged, from each one's first question to its last in a turn.

Orders: 64 lanes and some healthy ones soak. Healthy ones are rolled back one after the other, half of them before and
half of them while the target of the 64 is dead and each of these waits for a rollback of its own. Timed is from the
press to the order's arrival at the target.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from io import StringIO
from statistics import fmean, median
from typing import Literal

from benchmarks.engine.rollouts import PLAN, fresh, releases
from benchmarks.report import Row, show
from bot import logs
from bot.cli.operations.service import event_loop
from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge.evidence.ticks import Sample
from bot.domain.rollout.model import Action, Desired, Lane, Observed, Phase, Rollout
from bot.engine.loops.worker import LoopIntervals
from bot.ports.errors import Unreachable
from tests.fakes.outside import FakeMetrics
from tests.fakes.target import FakeTarget
from tests.support.actors import ONCALL
from tests.support.catalogs import GUILD, policy
from tests.support.harness import Slipway, World
from tests.support.waiting import until

LANES, TICK_S = 100, 1.0
DEAD = 64
# As long as a lost connection keeps its caller waiting.
_SILENT_S = 10.0
# Until the source or the targets are what they are told to be, for all that asked before.
_SETTLE_S = 2.5

Mode = Literal["well", "hangs", "raises"]


class OneSickSource(FakeMetrics):
    """A source that is sick for one lane. `asked`: when the judge asked for each of the others."""

    def __init__(self, sick: Lane) -> None:
        super().__init__()
        self.sick = sick
        self.mode: Mode = "well"
        self.asked: dict[Lane, list[float]] = defaultdict(list)

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        if lane == self.sick and self.mode == "hangs":
            await asyncio.Event().wait()
        if lane == self.sick and self.mode == "raises":
            raise KeyError("errors")
        if lane != self.sick and len(digests) > 1:
            self.asked[lane].append(time.monotonic())
        return await super().sample(lane, digests)

    def pace(self) -> float:
        """Ticks a second of all other lanes since `asked` was cleared."""
        return sum((len(times) - 1) / (times[-1] - times[0]) for times in self.asked.values())


class MortalTarget(FakeTarget):
    """A target that no longer answers once it is dead. `arrived`: when lanes were ordered to weight 0."""

    def __init__(self) -> None:
        super().__init__()
        self.dead = False
        self.asked_in_vain = 0
        self.arrived: dict[Lane, float] = {}

    async def observe(self, lane: Lane) -> Observed:
        await self._answers()
        return await super().observe(lane)

    async def apply(self, lane: Lane, desired: Desired) -> None:
        await self._answers()
        await super().apply(lane, desired)
        if desired.weight == 0:
            self.arrived.setdefault(lane, time.monotonic())

    async def _answers(self) -> None:
        if self.dead:
            self.asked_in_vain += 1
            await asyncio.sleep(_SILENT_S)
            raise Unreachable("the target does not answer")


def lane_of(number: int) -> Lane:
    return Lane(f"service-{number:03}", "production")


def world(dsn: str, targets: Sequence[str]) -> World:
    """A lane for each name of a target."""
    judged = policy(tick_s=TICK_S, rollback_timeout_s=600.0)
    # A sick source is asked for as long as it is sick: its rollout is not held for that.
    rules = replace(judged.judge, tick_s=TICK_S, planned_ticks=3600, error_limit_s=3600.0)
    judged = replace(judged, judge=rules)
    lanes = {}
    for number, target in enumerate(targets):
        lane = lane_of(number)
        lanes[lane] = LaneConfig(lane, (GUILD,), PLAN, judged, target, ("router",), ("deployer",), ())
    has = Catalog({GUILD: GuildConfig(GUILD, "bench", {}, {})}, lanes, "bench")
    made = World(dsn, has)
    made.releases.known = {lane.service: releases(lane.service) for lane in lanes}
    return made


@asynccontextmanager
async def soaking(
    here: World, targets: dict[str, FakeTarget]
) -> AsyncIterator[tuple[Slipway, dict[Lane, Rollout]]]:
    """A Slipway in which every lane of the world soaks."""
    async with here.open(working=False, targets=targets, intervals=LoopIntervals()) as slipway:
        for lane, config in here.catalog.lanes.items():
            await targets[config.target].apply(lane, Desired(1, releases(lane.service)[1]))
        async with slipway.running(True):
            begun = {
                lane: await slipway.deploy(releases(lane.service)[0], lane) for lane in here.catalog.lanes
            }

            async def all_soak() -> bool:
                phases = await slipway.store.housekeeping.phases()
                return phases.get(Phase.SOAKING) == len(begun)

            await until(all_soak, within_s=120.0, every_s=0.2)
            await slipway.quiet()
            yield slipway, begun


async def paces(dsn: str, turns: int, turn_s: float) -> dict[Mode, float]:
    """Ticks a second of the healthy lanes for each state of the sick one's source."""
    here = world(dsn, ["local"] * LANES)
    here.metrics = source = OneSickSource(lane_of(0))
    found: dict[Mode, list[float]] = {"well": [], "hangs": [], "raises": []}
    async with soaking(here, {"local": here.target}):
        for _ in range(turns):
            for mode, paces_of in found.items():
                source.mode = mode
                await asyncio.sleep(_SETTLE_S)
                source.asked.clear()
                await asyncio.sleep(turn_s)
                assert len(source.asked) == LANES - 1, "some lanes are not judged at all"
                paces_of.append(source.pace())
    return {mode: fmean(values) for mode, values in found.items()}


async def rollbacks(dsn: str, times: int) -> tuple[list[float], list[float]]:
    """Seconds from the press to the order at the target, without dead targets and with them."""
    well, mortal = MortalTarget(), MortalTarget()
    here = world(dsn, ["well"] * 2 * times + ["mortal"] * DEAD)
    async with soaking(here, {"well": well, "mortal": mortal}) as (slipway, begun):

        async def one(number: int) -> float:
            lane = lane_of(number)
            well.arrived.clear()
            pressed = time.monotonic()
            await slipway.press(begun[lane], Action.ROLL_BACK, ONCALL, reason="benchmark")
            await slipway.reaches(begun[lane], Phase.ROLLED_BACK)
            return well.arrived[lane] - pressed

        without = [await one(number) for number in range(times)]
        mortal.arrived.clear()
        mortal.dead = True
        orders = (
            slipway.press(begun[lane_of(number)], Action.ROLL_BACK, ONCALL, reason="benchmark")
            for number in range(2 * times, 2 * times + DEAD)
        )
        await asyncio.gather(*orders)
        await asyncio.sleep(_SETTLE_S)
        beside = [await one(number) for number in range(times, 2 * times)]
        assert not mortal.arrived and mortal.asked_in_vain >= DEAD, "the dead targets were not ordered"
        return without, beside


def run(quick: bool = False) -> list[Row]:
    turns, turn_s, times = (1, 5.0, 5) if quick else (3, 10.0, 25)
    logs.configure(stream=StringIO())  # what a failing source costs includes its tracebacks
    with fresh() as (_, dsn), asyncio.Runner(loop_factory=event_loop()) as runner:
        pace = runner.run(paces(dsn, turns, turn_s))
    with fresh() as (_, dsn), asyncio.Runner(loop_factory=event_loop()) as runner:
        without, beside = runner.run(rollbacks(dsn, times))
    rows = []
    for mode in ("hangs", "raises"):
        ratio = pace[mode] / pace["well"]
        what = f"a source that {mode} for 1 of {LANES} lanes: ticks of the others"
        rows.append(Row(what, pace[mode], "/s", "without it", pace["well"], ratio, ">= 0.99x", ratio >= 0.99))
    took, usual = median(beside) * 1000, median(without) * 1000
    what = f"rollback beside {DEAD} orders to dead targets, p50 of {times}"
    return [
        *rows,
        Row(what, took, "ms", "without them", usual, took / usual, "<= 1.5x", took / usual <= 1.5),
        Row("  the slowest of them", max(beside) * 1000, "ms", "without them", max(without) * 1000),
    ]


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "One lane's trouble")
