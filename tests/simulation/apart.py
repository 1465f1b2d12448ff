"""One lane that is well, beside others in trouble: it must be judged and rolled back in time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bot.domain.rollout.model import Action, Lane, Phase, Rollout
from bot.domain.rollout.steps import Soak
from bot.ports.errors import Unreachable
from tests.simulation.loop import SimulationLoop, make_task
from tests.simulation.rules import People
from tests.simulation.run import listening
from tests.simulation.world import LANES, TICK_S, SimulatedWorld
from tests.support.actors import DEV, ONCALL

WELL = Lane("shop", "staging")
OTHERS = sorted(set(LANES) - {WELL})
TROUBLES = (
    "source hangs",
    "source raises",
    "source away",
    "target hangs",
    "target away",
    "target late",
    "none",
)


def trouble(world: SimulatedWorld, lane: Lane, what: str) -> None:
    target, source = world.target[lane].link, world.source.links[lane]
    match what:
        case "source hangs":
            source.hanging = True
        case "source raises":
            world.source.broken[lane] = KeyError("data")
        case "source away":
            world.source.broken[lane] = Unreachable("no route")
        case "target hangs":
            target.hanging = True
        case "target away":
            target.away = True
        case "target late":
            target.late_s = 10.0


async def waits_for(world: SimulatedWorld, lane: Lane, phase: Phase, within_s: float) -> Rollout:
    ends = asyncio.get_running_loop().time() + within_s
    while True:
        found = [row.rollout for row in world.tables.rollouts.values() if row.rollout.lane == lane]
        if found and found[-1].phase is phase:
            return found[-1]
        assert asyncio.get_running_loop().time() < ends, f"{lane} is not {phase} after {within_s:g} s"
        await asyncio.sleep(0.05)


def play_apart(seed: int, troubles: list[str], flood: int = 0) -> None:
    """Play a rollout and its rollback beside lanes with these troubles. Raises AssertionError when either is late."""
    loop: Any = SimulationLoop(random.Random(seed), shuffled=False)
    loop.set_task_factory(make_task)
    try:
        loop.run_until_complete(_lanes_apart(seed, troubles, flood))
    finally:
        loop.close()


async def _lanes_apart(seed: int, troubles: list[str], flood: int) -> None:
    world = SimulatedWorld(random.Random(seed), lambda *_: None)
    with listening(world):
        try:
            await in_time(world, troubles, flood)
        finally:
            for process in world.processes:
                process.kill()
            await asyncio.sleep(0.1)
    assert not world.invariants.violations


async def in_time(world: SimulatedWorld, troubles: list[str], flood: int) -> None:
    loop = asyncio.get_running_loop()
    people = People(world)
    world.serve(everywhere=True)
    world.start()
    await asyncio.sleep(4.0)
    for lane in (WELL, *OTHERS):
        people.deploy(DEV, lane, "2")
    for lane, what in zip(OTHERS, troubles, strict=True):
        trouble(world, lane, what)
    rollout = await waits_for(world, WELL, Phase.SOAKING, 3.0)
    for _ in range(flood):  # one lane's people press as fast as they can
        people.press(ONCALL, _other(world, rollout), Action.PAUSE)
    before, began = len(world.tables.samples), loop.time()
    await asyncio.sleep(_soak_s(rollout) * 0.7)
    ticks = [rollout_id for rollout_id, _ in world.tables.samples[before:] if rollout_id == rollout.id]
    assert len(ticks) >= (loop.time() - began) / TICK_S - 1.5
    people.press(ONCALL, rollout, Action.ROLL_BACK)
    await waits_for(world, WELL, Phase.ROLLED_BACK, 1.0)


def _other(world: SimulatedWorld, rollout: Rollout) -> Rollout:
    others = [row.rollout for row in world.tables.rollouts.values() if row.rollout.id != rollout.id]
    return others[0] if others else rollout


def _soak_s(rollout: Rollout) -> float:
    assert isinstance(rollout.current, Soak)
    return rollout.current.duration_s
