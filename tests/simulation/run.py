"""One history from one seed: a random life of Slipway with faults, and then peace, in which everything must settle."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.domain.errors import IllegalTransition, UserError
from bot.domain.rollout.model import Phase, Rollout
from tests.simulation.invariants import Violation
from tests.simulation.loop import SimulationLoop, Spinning, make_task
from tests.simulation.rules import RULES, People, active
from tests.simulation.wire import at_once
from tests.simulation.world import Heard, SimulatedWorld

# What is logged as an error and is part of the plan: sources and effects that fail are faults of the history.
_EXPECTED = frozenset({"source_failed", "effect_failed"})
_STEPS = 40
_PEACE_S = 900.0
_OFTEN = 4.0  # times its weight, so that not all that happens is faults
_ADOPTED_S = 4.0


@dataclass
class Played:
    """What became of one history."""

    seed: int
    violations: list[Violation] = field(default_factory=list)
    events: int = 0
    rounds: int = 0
    simulated_s: float = 0.0
    took_s: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    trace: str = ""


def _unheard(*_: Any) -> None:
    return None


def play(seed: int, *, without: Container[str] = (), heard: Heard = _unheard) -> Played:
    """Play the history of this seed. The same seed plays the same history, on every machine.

    without: names of rules that do not happen. heard: told of every statement of the database.
    """
    rng = random.Random(seed)
    random.seed(seed)  # pauses before retries
    played, began = Played(seed), time.perf_counter()
    loop = SimulationLoop(rng, shuffled=rng.random() < 0.5)
    loop.set_task_factory(make_task)  # type: ignore[arg-type]
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_history(rng, played, without, heard))
    finally:
        played.rounds, played.simulated_s = loop.rounds, loop.time()
        asyncio.set_event_loop(None)
        loop.close()
    played.took_s = time.perf_counter() - began
    return played


async def _history(rng: random.Random, played: Played, without: Container[str], heard: Heard) -> None:
    world = SimulatedWorld(rng, heard)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _unhandled(world, context))
    people = People(world)
    with listening(world):
        try:
            await _play(world, people, rng, played, without)
        except Spinning as error:
            world.invariants.fail("time passes", str(error))
        await _end(world)
    played.violations = world.invariants.violations
    played.events = world.invariants.events
    played.phases = Counter({str(phase): n for phase, n in world.invariants.phases.items()})
    played.requests = people.requests
    played.trace = world.trace.text()
    for row in world.tables.rollouts.values():
        played.ends[str(row.rollout.phase)] += 1


async def _play(
    world: SimulatedWorld, people: People, rng: random.Random, played: Played, without: Container[str]
) -> None:
    world.spoil()
    world.serve()
    for _ in range(rng.choice([1, 1, 2, 3])):
        world.start()
    await asyncio.sleep(_ADOPTED_S)
    moods = _moods(rng)
    for _ in range(_STEPS):
        (rule,) = rng.choices(RULES, moods)
        if rule.name in without:
            continue
        played.happened[rule.name] += 1
        if rule.fault:
            played.faults[rule.name] += 1
        world.trace.say("history", rule.name)
        rule.apply(world, people, rng)
        await _passes(world, rng.choice([0.0, 0.05, 0.4, 1.5, 3.0]) * rng.random() * 2)
        if world.invariants.violations:
            return
    await _peace(world, people, rng)


def _moods(rng: random.Random) -> list[float]:
    """Weights of the rules in one history: few kinds of faults, and each often, or all kinds.

    Swarm testing: bugs that need several faults of two kinds are rare where every kind takes its turn. Groce, Zhang,
    Eide, Chen and Regehr, ISSTA 2012.
    """
    faults = [rule for rule in RULES if rule.fault]
    happen = rng.sample(faults, rng.choice([1, 2, 4, 8, len(faults)]))
    often = sum(rule.weight for rule in faults) / sum(rule.weight for rule in happen)
    return [rule.weight * (min(often, _OFTEN) if rule in happen else not rule.fault) for rule in RULES]


async def _passes(world: SimulatedWorld, seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while (left := ends - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, 0.5))
        world.invariants.delays()
        for lane in world.target:
            world.invariants.weights(lane)


async def _peace(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """Faults end, people are there: everything that was begun comes to an end."""
    world.trace.say("history", "peace")
    world.heal()
    for process in world.alive:
        process.caller.dies_in = 0
    if not world.alive:
        world.start()
    people.panic_off()
    loop = asyncio.get_running_loop()
    ends = loop.time() + _PEACE_S
    while loop.time() < ends and not world.invariants.violations:
        await _passes(world, 2.0)
        for rollout in active(world):
            people.settle(rollout)
        if _settled(world):
            world.invariants.commands()
            world.invariants.verdicts_can_be_opened()
            return
    if not world.invariants.violations:
        for rollout in active(world):
            world.invariants.fail("everything ends", _stuck(rollout))
        for effect in world.tables.open.values():
            world.invariants.fail(
                "everything ends", f"{effect.key} ({effect.kind}) is {effect.state}: {effect.last_error}"
            )


def _settled(world: SimulatedWorld) -> bool:
    if active(world) or world.tables.open:
        return False
    for lane, row in world.tables.lanes.items():
        at_once(world.target[lane].observe(lane))
        serving = world.target[lane].weights()
        stable = row.desired.stable
        if row.drift or row.desired.weight:
            continue
        if stable is not None and serving != {stable.digest: 100}:
            return False
    return True


def _stuck(rollout: Rollout) -> str:
    return f"rollout {rollout.id} is {rollout.phase} at step {rollout.step}: {rollout.outcome}"


async def _end(world: SimulatedWorld) -> None:
    """Nothing is left running."""
    for process in world.processes:
        process.caller.alive = False
    for _ in range(20):
        for process in world.processes:
            process.end()
        await asyncio.sleep(0.01)
        if not any(process.tasks for process in world.processes):
            return
    world.invariants.fail("processes end", "tasks of a killed process do not end")


def _unhandled(world: SimulatedWorld, context: dict[str, Any]) -> None:
    error = context.get("exception")
    world.invariants.fail("no code fails unseen", f"{context.get('message')}: {error!r}")


@contextmanager
def listening(world: SimulatedWorld) -> Iterator[None]:
    """Errors in the log that no fault explains are violations."""

    def listen(_: Any, method: str, event: Any) -> Any:
        name = event.get("event")
        if method in ("error", "exception") and name not in _EXPECTED:
            error = event.get("exc_info")
            if error is True:
                error = sys.exc_info()[1]
            # The outcome of a rollout that an older database does not have.
            if not (world.restored and isinstance(error, (UserError, IllegalTransition))):
                world.invariants.fail("no code fails unseen", f"{name} {error!r}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[listen],
        wrapper_class=structlog.make_filtering_bound_logger(40),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


__all__ = ["Phase", "Played", "play"]
