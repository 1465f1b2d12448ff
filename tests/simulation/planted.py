"""Bugs to plant, one by one: a simulation that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from bot.adapters.postgres.connection.clock import DatabaseClock
from bot.domain.judge.judge import Outcome, Verdict
from bot.domain.rollout.events import ApplyFailed, SetDesired
from bot.domain.rollout.machine import approvals, machine, rollback, verdicts
from bot.domain.rollout.model import Actor, Phase
from bot.domain.rollout.step_builder import StepBuilder
from bot.engine.effects import desired_state
from bot.engine.effects.executor import Executor
from bot.engine.effects.outbox import OutboxLimits
from bot.engine.loops.sampler import Sampler
from bot.engine.stepper import Stepper
from tests.fakes.store import rollouts as stored
from tests.fakes.target import FakeTarget
from tests.simulation import process
from tests.simulation.run import Played, play
from tests.simulation.wire import at_once

Plant = Callable[[], Any]  # a context manager


def _no_version_check() -> Any:
    """Who saves last wins."""

    def may_move(t: Any, change: Any) -> bool:
        return change.rollout.id in t.rollouts and (
            change.claim is None or t.claimed(change.claim.id, change.claim.fence) is not None
        )

    return mock.patch.object(stored, "_may_move", may_move)


def _act_before_persist() -> Any:
    """The target is told, and then the step is saved."""
    save = Stepper._saved

    async def saved(self: Any, change: Any) -> bool:
        world = self._store.rollouts.database._world
        for effect in change.effects:
            target = world.target[change.rollout.lane]
            if isinstance(effect, SetDesired) and effect.desired.generation > target.generation:
                at_once(target.apply(effect.lane, effect.desired))
        return await save(self, change)

    return mock.patch.object(Stepper, "_saved", saved)


def _no_generation_fence() -> Any:
    """An order that arrives late lands on a rollback."""

    def check(self: Any, lane: Any, here: Any, desired: Any) -> None:
        return None

    return mock.patch.object(FakeTarget, "_check", check)


@contextmanager
def _nothing_superseded() -> Iterator[None]:
    """Older orders stay open beside newer ones, and targets take them."""
    with mock.patch.object(stored, "_supersede", lambda *_: None), _no_generation_fence():
        yield


def _local_clock() -> Any:
    """Every process goes by its own clock."""

    async def ask(self: Any) -> None:
        self._compared.set()

    return mock.patch.object(DatabaseClock, "ask", ask)


def _failed_rollback_is_over() -> Any:
    """A rollback that failed counts as done."""

    def not_returned(builder: StepBuilder, event: ApplyFailed) -> None:
        rollback.close(builder, Phase.ROLLED_BACK, "rolled_back", "Rolled back.")

    rule = machine.TABLE[Phase.ROLLING_BACK, "apply_failed"]
    broken = replace(rule, handler=not_returned, to=frozenset({Phase.ROLLED_BACK}))
    return mock.patch.dict(machine.TABLE, {(Phase.ROLLING_BACK, "apply_failed"): broken})  # type: ignore[arg-type]


def _halt_calls_no_one() -> Any:
    """HALTED is written down, and that is all."""

    def halt(builder: StepBuilder, why: str) -> None:
        builder.change(phase=Phase.HALTED, **rollback._NOTHING_PENDING)
        builder.tell("halted", why)

    return mock.patch.object(rollback, "halt", halt)


def _one_vote_for_free() -> Any:
    votes = approvals.votes
    return mock.patch.object(approvals, "votes", lambda rollout, given: votes(rollout, given) + 1)


def _accounts_have_no_person() -> Any:
    """People approve in Discord what they requested on a machine."""
    return mock.patch.object(Actor, "ids", property(lambda self: frozenset({self.id})))


def _insufficient_passes() -> Any:
    """Too little evidence moves traffic forward."""
    said = verdicts.judge.verdict

    def verdict(*args: Any, **how: Any) -> Verdict:
        found = said(*args, **how)
        return replace(found, outcome=Outcome.PASS) if found.outcome is Outcome.INSUFFICIENT else found

    return mock.patch.object(verdicts.judge, "verdict", verdict)


def _fail_is_not_heard() -> Any:
    """The judge says FAIL, and the rollout goes on."""
    said = verdicts.judge.verdict

    def verdict(*args: Any, **how: Any) -> Verdict:
        found = said(*args, **how)
        return replace(found, outcome=Outcome.INSUFFICIENT) if found.outcome is Outcome.FAIL else found

    return mock.patch.object(verdicts.judge, "verdict", verdict)


def _two_rollouts_in_a_lane() -> Any:
    return mock.patch.object(stored, "_may_begin", lambda t, change: True)


def _sources_are_not_bounded() -> Any:
    """A source that hangs is waited for, and its lane is not judged; one that raises stops the round."""

    async def sample(self: Any, source: Any, lane: Any, digests: Any, at: Any) -> Any:
        return await source.sample(lane, digests)

    return mock.patch.object(Sampler, "_sample", sample)


@contextmanager
def _dead_targets_hold_the_slots() -> Iterator[None]:
    """An order is waited for where it was begun, and only one is done at a time."""
    slots = replace(process.PACE, orders=OutboxLimits(attempts=4, at_once=1))
    with mock.patch.object(process, "PACE", slots), mock.patch.object(desired_state, "_SPELL_S", 60.0):
        yield


def _steps_without_a_line() -> Any:
    """Some transitions have no line in the audit log."""
    tell = StepBuilder.tell

    def quiet(self: StepBuilder, what: str, sentence: str, **details: object) -> None:
        if what != "shifting":
            tell(self, what, sentence, **details)

    return mock.patch.object(StepBuilder, "tell", quiet)


def _outcomes_are_forgotten() -> Any:
    """An order is closed, and the rollout does not hear of it."""

    async def record(self: Any, claim: Any, event_of: Any, given_up: Any = None) -> None:
        await self._store.effects.close([claim])

    return mock.patch.object(Executor, "record", record)


BUGS: Mapping[str, Plant] = {
    "no version check": _no_version_check,
    "act before persist": _act_before_persist,
    "no generation fence": _no_generation_fence,
    "nothing superseded": _nothing_superseded,
    "local clock": _local_clock,
    "failed rollback is over": _failed_rollback_is_over,
    "halt calls no one": _halt_calls_no_one,
    "one vote for free": _one_vote_for_free,
    "accounts have no person": _accounts_have_no_person,
    "INSUFFICIENT passes": _insufficient_passes,
    "FAIL is not heard": _fail_is_not_heard,
    "two rollouts in a lane": _two_rollouts_in_a_lane,
    "sources are not bounded": _sources_are_not_bounded,
    "dead targets hold the slots": _dead_targets_hold_the_slots,
    "steps without a line": _steps_without_a_line,
    "outcomes are forgotten": _outcomes_are_forgotten,
}


def found(name: str, most: int) -> Played | None:
    """The first history that finds this bug, of so many."""
    with BUGS[name]():
        played = (play(seed) for seed in range(1, most + 1))
        return next((each for each in played if each.violations), None)
