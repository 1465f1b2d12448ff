"""Saving what people press: nothing is loaded that is known, and what waits together is saved together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.errors import Refused
from bot.domain.judge.evidence.ticks import EvidenceState
from bot.domain.records import Answer, Loaded, RolloutChange
from bot.domain.rollout.events import Acted, DrawCard
from bot.domain.rollout.model import Action, Actor, Plan, Rollout
from bot.domain.rollout.steps import Gate, Shift
from bot.engine.stepper import Kept, Stepper
from bot.ports.errors import AlreadyAnswered
from tests.support.actors import DEV
from tests.support.catalogs import PRODUCTION, begin_rollout

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PLAN = Plan("asked", (Gate("go", "lead", quorum=20), Shift(100)))


def people(many: int) -> list[Actor]:
    return [Actor(100 + n, f"lead{n}", frozenset({"lead"})) for n in range(many)]


class SavedRollouts:
    """One rollout, saved under its version. Counts what it is asked; as strict as the database."""

    def __init__(self) -> None:
        begun = begin_rollout(id=7, guild_id=1, lane=PRODUCTION, plan=PLAN, at=NOW, generation=1)
        self.stored = begun.rollout
        self.told: dict[str, Answer] = {}
        self.changes: list[RolloutChange] = []
        self.loads = 0

    async def load(self, rollout_id: int) -> Loaded | None:
        self.loads += 1
        await asyncio.sleep(0)
        return Loaded(self.stored, EvidenceState()) if rollout_id == self.stored.id else None

    async def answers(self, interactions: Sequence[str]) -> Mapping[str, Answer]:
        return {key: self.told[key] for key in interactions if key in self.told}

    async def save(self, change: RolloutChange) -> bool:
        await asyncio.sleep(0)
        if any(key in self.told for key in change.answers):
            raise AlreadyAnswered("")
        if change.before is None or mark(change.before) != mark(self.stored):
            return False
        self.stored = change.rollout
        self.changes.append(change)
        self.told |= {key: Answer(7, said) for key, said in change.answers.items()}
        return True


def mark(rollout: Rollout) -> tuple[int, str]:
    return rollout.version, rollout.stamp


class StepStore:
    def __init__(self) -> None:
        self.rollouts = SavedRollouts()


class Waker:
    async def wake(self, topic: str) -> None: ...


def stepper(store: Any, kept: Kept | None = None) -> Stepper:
    return Stepper(store, None, Waker(), kept=kept)  # type: ignore[arg-type]


def press(action: Action, who: Actor) -> Any:
    event = Acted(action, who, NOW)
    return lambda _: event


async def test_presses_that_wait_together_are_one_change_and_each_has_its_answer() -> None:
    store = StepStore()
    steps = stepper(store)
    who = people(10)
    done = await asyncio.gather(
        *(steps.apply(7, press(Action.APPROVE, p), interaction=f"i{p.id}") for p in who)
    )
    assert len(store.rollouts.changes) <= 2
    assert [d.sentence for d in done] == [f"{p.name} approved ({n} of 20)." for n, p in enumerate(who, 1)]
    assert {a.actor_id for a in store.rollouts.stored.approvals} == {p.id for p in who}
    assert set(store.rollouts.told) == {f"i{p.id}" for p in who}
    for change in store.rollouts.changes:
        assert sum(isinstance(e, DrawCard) for e in change.effects) == 1
        assert len(change.transitions) == len(change.answers)


async def test_what_was_saved_is_not_loaded_again() -> None:
    store = StepStore()
    steps = stepper(store)
    for one in people(5):
        await steps.apply(7, press(Action.APPROVE, one))
    assert store.rollouts.loads == 1


async def test_what_another_process_saved_meanwhile_is_seen() -> None:
    store = StepStore()
    here, there = stepper(store), stepper(store)
    first, second, third = people(3)
    await here.apply(7, press(Action.APPROVE, first))
    await there.apply(7, press(Action.APPROVE, second))
    await here.apply(7, press(Action.APPROVE, third))
    assert [a.actor_id for a in store.rollouts.stored.approvals] == [first.id, second.id, third.id]


async def test_no_one_is_refused_on_what_may_be_old() -> None:
    store = StepStore()
    here, there = stepper(store), stepper(store)
    one, _ = people(2)
    await here.apply(7, press(Action.APPROVE, one))
    await there.apply(7, press(Action.REVOKE, one))
    # Here the approval is still known: another one would change nothing.
    done = await here.apply(7, press(Action.APPROVE, one))
    assert done.changed
    assert len(store.rollouts.stored.approvals) == 1


async def test_a_press_after_a_failover_is_decided_on_what_the_database_has() -> None:
    """The replica did not have the last press; since then it has had another one, so its version is the same."""
    store = StepStore()
    here = stepper(store)
    first, second, third = people(3)
    await here.apply(7, press(Action.APPROVE, first))
    before = SavedRollouts().stored
    store.rollouts.stored = before
    await stepper(store).apply(7, press(Action.APPROVE, second))
    assert store.rollouts.stored.version == before.version + 1
    await here.apply(7, press(Action.APPROVE, third))
    assert [a.actor_id for a in store.rollouts.stored.approvals] == [second.id, third.id]


async def test_an_interaction_that_comes_twice_is_done_once_and_told_the_same() -> None:
    store = StepStore()
    steps = stepper(store)
    one = people(1)[0]
    first, again = await asyncio.gather(
        *(steps.apply(7, press(Action.EXTEND, replace_seconds(one)), interaction="same") for _ in range(2))
    )
    later = await stepper(store).apply(7, press(Action.EXTEND, replace_seconds(one)), interaction="same")
    assert not first.repeated
    assert again.repeated
    assert later.repeated
    assert first.sentence == again.sentence == later.sentence
    assert len(store.rollouts.changes) == 1


def replace_seconds(who: Actor) -> Actor:
    return Actor(who.id, who.name, frozenset({"release-manager"}))


async def test_one_that_is_refused_costs_the_others_of_its_group_nothing() -> None:
    store = StepStore()
    steps = stepper(store)
    lead, other = people(2)
    guest = Actor(5, "guest")
    results = await asyncio.gather(
        *(steps.apply(7, press(Action.APPROVE, who)) for who in (lead, guest, other)), return_exceptions=True
    )
    assert isinstance(results[1], Refused)
    assert {a.actor_id for a in store.rollouts.stored.approvals} == {lead.id, other.id}


async def test_who_stops_waiting_holds_up_no_one() -> None:
    store = StepStore()
    steps = stepper(store)
    lead, other = people(2)
    gone = asyncio.create_task(steps.apply(7, press(Action.APPROVE, lead)))
    waits = asyncio.create_task(steps.apply(7, press(Action.APPROVE, other)))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await waits).changed
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_rollout_that_is_over_is_not_kept() -> None:
    kept = Kept()
    store = StepStore()
    steps = stepper(store, kept)
    await steps.apply(7, press(Action.CANCEL, DEV))
    rollout: Rollout = store.rollouts.stored
    assert rollout.phase.final
    assert kept.get(7) is None
