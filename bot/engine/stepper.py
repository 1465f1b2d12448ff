"""Persist, then act: load a rollout, let the machine step, save everything that follows in one transaction."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from weakref import WeakValueDictionary

from bot.domain.errors import UserError
from bot.domain.judge.evidence import EvidenceState, traffic_rose
from bot.domain.records import Answer, Claimed, GivenUp, Loaded, RolloutChange
from bot.domain.rollout import machine
from bot.domain.rollout.events import DrawCard, Event
from bot.domain.rollout.model import Phase, Readiness, Release, Rollout
from bot.domain.rollout.step_builder import Stepped
from bot.ports.coordination import Clock, Waker
from bot.ports.errors import AlreadyAnswered, Unreachable
from bot.ports.meter import Meter, NoMeter
from bot.ports.store import Store

# Topics: one for each loop, so that no loop takes a wake-up from another.
ORDERS, MESSAGES, TICKS = "orders", "messages", "ticks"
ORDER_KINDS = frozenset({"set_desired", "run_checks", "run_sync", "restore_commands"})
MESSAGE_KINDS = frozenset({"notify", "draw_card", "log_line", "call_people"})

# Others change the same rollout only for as long as a statement takes; this many in a row do not happen.
_ATTEMPTS = 40
_NOT_JUDGED = frozenset({Phase.ROLLING_BACK, Phase.HALTED})

EventOf = Callable[[Rollout], Event | None]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of an event. `changed` is False when nobody waited for it; `repeated` when it was done before."""

    rollout: Rollout
    sentence: str = ""
    changed: bool = True
    repeated: bool = False


class _Origin(NamedTuple):
    """Where an event comes from: a person's interaction, or the claim whose outcome it is."""

    interaction: str
    answers: Claimed | None
    given_up: GivenUp | None


class Contended(Exception):
    """A rollout changed under us every time; the caller tries again later."""


class Stepper:
    """Drives rollouts. Safe with any number of processes: a save only succeeds on the version it was computed from."""

    def __init__(self, store: Store, clock: Clock, waker: Waker, meter: Meter | None = None) -> None:
        self._store = store
        self._meter = meter or NoMeter()
        self._clock = clock
        self._waker = waker
        # Within a process, presses on one rollout take turns instead of trying over and over.
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, stepped: Stepped, at: datetime, interaction: str) -> bool:
        """Save a new rollout; False when its lane moved on meanwhile. Raises `LaneTaken`, `AlreadyAnswered`."""
        change = change_of(None, stepped, at)
        change = replace(change, interaction=interaction, sentence=stepped.rollout.outcome)
        saved = await self._saved(change)
        if saved:
            await self.wake(change)
        return saved

    async def apply(
        self,
        rollout_id: int,
        event_of: EventOf,
        *,
        interaction: str = "",
        answers: Claimed | None = None,
        given_up: GivenUp | None = None,
    ) -> StepResult:
        """Step one rollout by the event that `event_of` makes of it, and save; None or a late event changes nothing.

        Raises what `event_of` and the machine raise, `UserError` when there is no such rollout, `Unreachable`.
        """
        origin = _Origin(interaction, answers, given_up)
        turn = self._turns.get(rollout_id)
        if turn is None:
            turn = self._turns[rollout_id] = asyncio.Lock()
        async with turn:
            for attempt in range(_ATTEMPTS):
                if attempt > 3:
                    await asyncio.sleep(random.uniform(0, 0.002 * attempt))
                done = await self._once(rollout_id, event_of, origin)
                if done is not None:
                    return done
        raise Contended(f"rollout {rollout_id}")

    async def _once(
        self,
        rollout_id: int,
        event_of: EventOf,
        origin: _Origin,
    ) -> StepResult | None:
        loaded = await self._store.rollouts.load(rollout_id, origin.interaction)
        if loaded is None:
            raise no_such(rollout_id)
        if loaded.answer is not None:
            return StepResult(loaded.rollout, loaded.answer.sentence, changed=False, repeated=True)
        event = event_of(loaded.rollout)
        stepped = machine.step(loaded.rollout, event) if event else Stepped(loaded.rollout)
        if event is None or (stepped.rollout is loaded.rollout and not stepped.effects):
            return StepResult(loaded.rollout, changed=False)
        change = change_of(loaded, stepped, event.at)
        sentence = stepped.transitions[0].why if stepped.transitions else stepped.rollout.outcome
        change = replace(
            change,
            answers=origin.answers,
            given_up=origin.given_up,
            interaction=origin.interaction,
            sentence=sentence,
        )
        try:
            saved = await self._saved(change)
        except AlreadyAnswered:
            return None
        if saved:
            self._count(change)
            await self.wake(change)
            return StepResult(stepped.rollout, sentence)
        if origin.answers is not None and not await self._store.effects.renew([origin.answers], 5.0):
            # Somebody else has the effect now, and will report its outcome.
            return StepResult(loaded.rollout, changed=False)
        return None

    async def _saved(self, change: RolloutChange) -> bool:
        """Save. An answer that got lost is looked up, so that nobody is told that a recorded press was not."""
        try:
            return await self._store.rollouts.save(change)
        except Unreachable:
            if not change.interaction:
                raise
            answer = await self._store.rollouts.answer(change.interaction)
            if answer is None or answer != Answer(change.rollout.id, change.sentence):
                raise
            return True

    async def amend(self, rollout_id: int, readiness: Readiness) -> None:
        """Note a fact that the machine does not decide about. Not saved when the rollout moves on at that moment."""
        loaded = await self._store.rollouts.load(rollout_id)
        if loaded is None or loaded.rollout.phase.final:
            return
        was = loaded.rollout
        now = replace(was, readiness=readiness, version=was.version + 1)
        change = change_of(loaded, Stepped(now, (DrawCard(),)), self._clock.now())
        if await self._store.rollouts.save(change):
            await self.wake(change)

    def _count(self, change: RolloutChange) -> None:
        rollout = change.rollout
        if not rollout.phase.final:
            return
        self._meter.rollout_ended(str(rollout.phase))
        if rollout.phase is Phase.ROLLED_BACK and change.answers is not None:
            self._meter.rolled_back((change.at - change.answers.created_at).total_seconds())

    async def wake(self, change: RolloutChange) -> None:
        kinds = {effect.kind for effect in change.effects}
        if kinds & ORDER_KINDS:
            await self._waker.wake(ORDERS)
        if kinds & MESSAGE_KINDS:
            await self._waker.wake(MESSAGES)
        if change.tick_at is not None:
            await self._waker.wake(TICKS)


def change_of(
    loaded: Loaded | None, stepped: Stepped, at: datetime, evidence: EvidenceState | None = None
) -> RolloutChange:
    """Everything that one step changes, timers and judging included."""
    after, before = stepped.rollout, loaded.rollout if loaded else None
    rose = before is not None and after.observed_weight > before.observed_weight
    if rose and loaded is not None:
        evidence = traffic_rose(evidence or loaded.evidence, at.timestamp())
    # The first look is at once: it says where the counters stand before there is traffic.
    starts = judged(after) and (before is None or not judged(before))
    return RolloutChange(
        rollout=after,
        before=before.version if before else None,
        at=at,
        effects=stepped.effects,
        transitions=stepped.transitions,
        timers=machine.timers(after),
        evidence=evidence,
        judged=judged(after),
        tick_at=at if starts else None,
        rolled_back=_rolled_back(before, after),
    )


def judged(rollout: Rollout) -> bool:
    """Whether measurements of this rollout mean anything now."""
    return (
        rollout.judge_state is not None
        and rollout.had_traffic
        and not rollout.phase.final
        and rollout.phase not in _NOT_JUDGED
    )


def no_such(rollout_id: int) -> UserError:
    return UserError(
        f"There is no such rollout here (#{rollout_id}).", rule="unknown_rollout", remedy="See `/history`."
    )


def _rolled_back(before: Rollout | None, after: Rollout) -> Release | None:
    """The release that this step proves not to be known good any more."""
    if before is not None and before.phase is after.phase:
        return None
    if after.phase is Phase.ROLLED_BACK:
        return after.candidate
    return after.stable if after.phase is Phase.SUCCEEDED and after.known_good else None
