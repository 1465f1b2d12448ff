"""Orders to a target: tried until they are done, fail for good, or are overtaken."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.judge.evidence.ticks import begin_evidence
from bot.domain.phrasebook import no_rollout
from bot.domain.records import Claimed, Loaded
from bot.domain.rollout.binding import AdapterBinding, LaneBinding
from bot.domain.rollout.events import Applied, ApplyFailed, HostAborted, Reported, SealBroken, SetDesired
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Desired, Lane, Observed, Plan, Rollout, RunState
from bot.domain.rollout.steps import HttpCheck, RestoreCommands, RunChecks, RunSync, Shift
from bot.engine.effects import desired_state
from bot.engine.effects.executor import CommandSteps, Executor, carriers, given_up
from bot.engine.effects.outbox import NotYet
from bot.engine.lanes import Lanes
from bot.engine.stepper import Contended, Kept, Stepper, order_kinds
from bot.ports.errors import TargetRefused, Unreachable
from tests.fakes.outside import FakeChecker, FakeReleases
from tests.fakes.target import FakeTarget
from tests.support.catalogs import STAGING, STRAIGHT, V140, V150, V151, begin_rollout, catalog, policy
from tests.support.clocks import ShiftedClock
from tests.support.waiting import PATIENCE_S

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class LaneRows:
    """Only what an order may ask of the store."""

    def __init__(self) -> None:
        self.newest_seen: dict[Lane, int] = {}

    async def newest(self, lane: Lane, generation: int) -> None:
        self.newest_seen[lane] = generation


class OneRollout:
    """The one rollout that the orders are of. `stored` is what is read of it."""

    def __init__(self) -> None:
        self.stored = rollout(2)

    async def load(self, rollout_id: int) -> Loaded:
        return Loaded(self.stored, begin_evidence())


class OrderStore:
    def __init__(self) -> None:
        self.lanes = LaneRows()
        self.rollouts = OneRollout()


def executor(
    target: FakeTarget, checker: FakeChecker | None = None, kept: Kept | None = None, tell: Any = None
) -> tuple[Executor, OrderStore]:
    store: Any = OrderStore()
    waker: Any = None
    clock = ShiftedClock()
    lanes = Lanes(store, catalog, {"local": target}, FakeReleases({}), clock)
    stepper = Stepper(store, clock, waker, kept=kept)
    by = carriers(store, lanes, checker or FakeChecker(), kept=stepper.kept, tell=tell)
    return Executor(store, stepper, by), store


def claimed(effect: SetDesired | RunChecks) -> Claimed:
    return Claimed(1, "1.0.0", 1, 1, 1, STAGING, effect, NOW, requested_at=NOW)


def rollout(generation: int) -> Rollout:
    begun = begin_rollout(id=1, lane=STAGING, plan=STRAIGHT, at=NOW, generation=0).rollout
    return replace(begun, generation=generation)


def order(generation: int, weight: int = 0, timeout_s: float = 0.3) -> SetDesired:
    return SetDesired(STAGING, Desired(generation, V140, V150, weight), timeout_s)


async def serving() -> FakeTarget:
    target = FakeTarget()
    await target.apply(STAGING, Desired(1, V140))
    await target.observe(STAGING)
    return target


async def test_an_order_that_is_reached_says_what_weight_was_seen() -> None:
    target = await serving()
    handler, _ = executor(target)
    event = (await handler.execute(claimed(order(2, 40))))(rollout(2))
    assert isinstance(event, Applied)
    assert (event.generation, event.weight) == (2, 40)


async def test_a_lost_answer_is_asked_for_again_and_applied_once() -> None:
    target = await serving()
    target.away_after_apply = True
    handler, _ = executor(target)
    assert isinstance((await handler.execute(claimed(order(2))))(rollout(2)), Applied)
    assert len(target.applied) == 2


async def test_a_target_that_stays_away_fails_at_the_end_of_the_time() -> None:
    target = await serving()
    target.away = True
    handler, _ = executor(target)
    event = (await handler.execute(claimed(order(2))))(rollout(2))
    assert isinstance(event, ApplyFailed)
    assert "cannot be reached" in event.why


async def test_a_refusal_fails_at_once_with_the_targets_sentence() -> None:
    class Refusing(FakeTarget):
        async def apply(self, lane: Lane, desired: Desired) -> None:
            if desired.generation > 1:
                raise TargetRefused("the artifact is missing")
            await super().apply(lane, desired)

    target = Refusing()
    await target.apply(STAGING, Desired(1, V140))
    await target.observe(STAGING)
    handler, _ = executor(target)
    async with asyncio.timeout(PATIENCE_S):
        event = (await handler.execute(claimed(order(2, timeout_s=600.0))))(rollout(2))
    assert isinstance(event, ApplyFailed)
    assert (event.why, event.unsafe) == ("the artifact is missing", False)


async def test_an_order_that_we_overtook_ourselves_says_nothing() -> None:
    target = await serving()
    await target.apply(STAGING, Desired(3, V140))
    handler, store = executor(target)
    assert (await handler.execute(claimed(order(2))))(rollout(3)) is None
    assert store.lanes.newest_seen == {STAGING: 3}


async def test_an_order_overtaken_by_an_abort_says_who_and_why() -> None:
    target = await serving()
    await target.apply(STAGING, Desired(2, V140, V150, 0))
    await target.abort(STAGING, "root", "fire")
    handler, _ = executor(target)
    event = (await handler.execute(claimed(order(2))))(rollout(2))
    assert isinstance(event, HostAborted)
    assert (event.generation, event.by, event.why) == (3, "root", "fire")


async def test_an_order_overtaken_by_a_stranger_fails() -> None:
    target = await serving()
    await target.apply(STAGING, Desired(9, V140))
    handler, store = executor(target)
    event = (await handler.execute(claimed(order(2))))(rollout(2))
    assert isinstance(event, ApplyFailed)
    assert "generation 9" in event.why
    assert store.lanes.newest_seen == {STAGING: 9}


async def test_a_target_that_forgot_is_told_again() -> None:
    class Forgetful(FakeTarget):
        forgot = False

        async def observe(self, lane: Lane) -> Observed:
            seen = await super().observe(lane)
            if seen.generation == 2 and not self.forgot:
                self.forgot = True
                return Observed(0)
            return seen

    target = Forgetful()
    await target.apply(STAGING, Desired(1, V140))
    handler, _ = executor(target)
    assert isinstance((await handler.execute(claimed(order(2))))(rollout(2)), Applied)
    assert target.calls["apply"] == 3


async def test_a_lane_without_a_target_waits_for_the_catalog() -> None:
    handler, _ = executor(await serving())
    gone = SetDesired(Lane("gone", "staging"), Desired(2, None), 1.0)
    with pytest.raises(Unreachable, match="has no target"):
        await handler.execute(replace(claimed(order(2)), effect=gone, rollout_id=None))


# ---- what an order waits for ---------------------------------------------------------------------------------


class Pulling(FakeTarget):
    """What starts says so, and stays at it."""

    says = ""

    def _look(self, lane: Lane, run: Any) -> None:
        if run.release == V150 and run.state is RunState.STARTING:
            run.detail = self.says
        else:
            super()._look(lane, run)


@pytest.fixture
async def pulling(monkeypatch: pytest.MonkeyPatch) -> Pulling:
    monkeypatch.setattr(desired_state, "_SPELL_S", 0.02)
    target = Pulling()
    await target.apply(STAGING, Desired(1, V140))
    await target.observe(STAGING)
    return target


async def test_what_an_order_waits_for_is_told_when_there_is_news(pulling: Pulling) -> None:
    told: list[str] = []

    async def tell(rollout_id: int, event_of: Any) -> None:
        event = event_of(store.rollouts.stored)
        told.append(event.why)
        store.rollouts.stored = machine.step(store.rollouts.stored, event).rollout

    handler, store = executor(pulling, tell=tell)
    said = ["", "pulling 1 of 9 MB", "pulling 1 of 9 MB", "pulling 5 of 9 MB", "", ""]
    for pulling.says in said:
        assert isinstance(await handler.execute(claimed(order(2, timeout_s=600.0))), NotYet)
    pulling.away = True
    assert isinstance(await handler.execute(claimed(order(2, timeout_s=600.0))), NotYet)
    assert told == [
        "1.5.0 is starting: pulling 1 of 9 MB",
        "1.5.0 is starting: pulling 5 of 9 MB",
        "1.5.0 is starting",
        "the target cannot be reached: The target is away.",
    ]


@pytest.mark.parametrize("problem", [Unreachable("away"), Contended("rollout 1"), no_rollout(1)])
async def test_an_order_goes_on_when_what_it_waits_for_cannot_be_told(
    pulling: Pulling, problem: Exception
) -> None:
    async def tell(rollout_id: int, event_of: Any) -> None:
        raise problem

    handler, _ = executor(pulling, tell=tell)
    pulling.says = "pulling 1 of 9 MB"
    assert isinstance(await handler.execute(claimed(order(2, timeout_s=600.0))), NotYet)


# ---- seal --------------------------------------------------------------------------------------------------


def sealed(**more: Any) -> Rollout:
    """A rollout as it is started now, with its binding."""
    begun = begin_rollout(
        id=1,
        lane=STAGING,
        plan=STRAIGHT,
        at=NOW,
        generation=0,
        binding=LaneBinding(AdapterBinding("local"), (AdapterBinding("router"),)),
        **more,
    ).rollout
    return replace(begun, generation=2)


@pytest.mark.parametrize(
    "change",
    [
        {"binding": LaneBinding(AdapterBinding("elsewhere"))},
        {"binding": LaneBinding(AdapterBinding("local", {"kind": "process"}), (AdapterBinding("router"),))},
        {"plan": Plan("straight", (Shift(100),))},
        {"policy": policy(promote_quorum=0)},
        {"candidate": replace(V150, spec={"command": ["serve", "something else"]})},
        {"stable": V151},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_is_not_what_was_approved_is_not_executed(change: dict[str, Any]) -> None:
    target = await serving()
    handler, store = executor(target)
    store.rollouts.stored = replace(sealed(), **change)
    desired = Desired(2, V140, store.rollouts.stored.candidate, 40)
    event = (await handler.execute(claimed(SetDesired(STAGING, desired, 0.3))))(store.rollouts.stored)
    assert isinstance(event, SealBroken)
    assert "its seal does not match" in event.why
    assert len(target.applied) == 1


async def test_an_order_for_something_else_than_the_candidate_is_not_executed() -> None:
    target = await serving()
    handler, store = executor(target)
    store.rollouts.stored = sealed()
    other = replace(V150, spec={"command": ["serve", "something else"]})
    order_of_other = SetDesired(STAGING, Desired(2, V140, other, 40), 0.3)
    event = (await handler.execute(claimed(order_of_other)))(store.rollouts.stored)
    assert isinstance(event, SealBroken)
    assert event.why == "The order is not for the 1.5.0 that was approved."


async def test_the_way_back_is_never_held_up_by_a_seal() -> None:
    target = await serving()
    await target.apply(STAGING, Desired(2, V140, V150, 40))
    handler, store = executor(target)
    store.rollouts.stored = replace(sealed(), seal="of something else", generation=3)
    back = SetDesired(STAGING, Desired(3, V140), 0.3, urgent=True)
    event = (await handler.execute(claimed(back)))(store.rollouts.stored)
    assert isinstance(event, Applied)
    assert event.weight == 0


async def test_an_order_goes_by_the_rollout_that_has_its_number_now() -> None:
    """The database lost the one that this process still keeps under the number, with its binding and its seal."""
    kept = Kept()
    lost = replace(sealed(), seal="of something else", created_at=NOW - timedelta(hours=1))
    kept.put(Loaded(lost, begin_evidence()))
    handler, store = executor(await serving(), kept=kept)
    store.rollouts.stored = sealed()
    event = (await handler.execute(claimed(order(2, 40))))(store.rollouts.stored)
    assert isinstance(event, Applied)


async def test_a_rollout_of_an_earlier_version_goes_on_without_a_binding() -> None:
    handler, store = executor(await serving())
    store.rollouts.stored = replace(rollout(2), seal="of an earlier version")
    event = (await handler.execute(claimed(order(2, 40))))(store.rollouts.stored)
    assert isinstance(event, Applied)


def checks(*paths: str, timeout_s: float = 0.5) -> RunChecks:
    return RunChecks(STAGING, 0, V150, tuple(HttpCheck(path) for path in paths), timeout_s)


async def test_every_failed_check_is_a_finding() -> None:
    target = await serving()
    await target.apply(STAGING, Desired(2, V140, V150, 0))
    await target.observe(STAGING)
    handler, _ = executor(target, FakeChecker({"/a": "/a answered 500", "/c": "/c was empty"}))
    event = (await handler.execute(claimed(checks("/a", "/b", "/c"))))(rollout(2))
    assert event == Reported("run_checks", 0, event.at, False, ("/a answered 500", "/c was empty"))


async def test_a_candidate_that_is_not_there_cannot_be_checked() -> None:
    target = await serving()
    handler, _ = executor(target)
    event = (await handler.execute(claimed(checks("/a"))))(rollout(2))
    assert event.findings == ("1.5.0 is not running",)


async def test_a_target_that_does_not_say_where_leaves_nothing_to_check() -> None:
    class Silent(FakeTarget):
        async def observe(self, lane: Lane) -> Observed:
            seen = await super().observe(lane)
            return replace(seen, running=tuple(replace(r, address=None) for r in seen.running))

    target = Silent()
    await target.apply(STAGING, Desired(2, V140, V150, 0))
    await target.observe(STAGING)
    handler, _ = executor(target)
    event = (await handler.execute(claimed(checks("/a"))))(rollout(2))
    assert "gives no address" in event.findings[0]
    assert (await handler.execute(claimed(checks())))(rollout(2)).passed


async def test_checks_end_with_their_time() -> None:
    target = await serving()
    target.away = True
    handler, _ = executor(target)
    event = (await handler.execute(claimed(checks("/a"))))(rollout(2))
    assert event.findings == ("the checks did not finish within 0.5 s",)


def test_an_order_that_could_not_be_tried_is_told_to_the_machine_as_failed() -> None:
    told = given_up(claimed(order(2)), "no route", NOW)(rollout(2))
    assert isinstance(told, ApplyFailed)
    assert "no route" in told.why
    told = given_up(claimed(checks("/a")), "no route", NOW)(rollout(2))
    assert isinstance(told, Reported)
    assert not told.passed


async def test_every_kind_of_order_has_its_carrier() -> None:
    handler, _ = executor(await serving())
    assert set(handler.carriers) == order_kinds()


async def test_a_restore_of_commands_that_hangs_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the simulation: it kept its lease for ever, and the candidate's commands stayed."""

    class HangingRestore:
        async def sync(self, rollout_id: int, effect: RunSync) -> list[str]:
            raise NotImplementedError

        async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("bot.engine.effects.executor._RESTORE_S", 0.01)
    steps = CommandSteps(HangingRestore())
    with pytest.raises(Unreachable, match="not restored"):
        await steps.restore(1, RestoreCommands(STAGING, "greeter"))
