"""Persist, then act: load a rollout, let the machine step, save everything that follows in one transaction."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.judge.evidence.ticks import EvidenceState, begin_evidence, traffic_rose
from bot.domain.records import Answer, Claimed, GivenUp, LaneRow, Loaded, RolloutChange
from bot.domain.rollout import steps
from bot.domain.rollout.events import DrawCard, Effect, Event, Transition
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Phase, Readiness, Release, Rollout
from bot.domain.rollout.step_builder import Stepped, changed
from bot.ports.coordination import Clock, Waker
from bot.ports.errors import AlreadyAnswered, Unreachable
from bot.ports.meter import Meter, NoMeter
from bot.ports.store import Store

# Topics: one for each loop, so that no loop takes another's wake-up.
ORDERS, MESSAGES, TICKS = "orders", "messages", "ticks"
MESSAGE_KINDS = frozenset({"notify", "draw_card", "log_line", "call_people"})

# Another change to the same rollout lasts one statement; this many in a row do not happen.
_ATTEMPTS = 40
# Rollouts that are saved at the same time; more would only slow each other down.
_SAVES_AT_ONCE = 8
# Events on one rollout that are saved as one change.
_GROUP = 64
_NOT_JUDGED = frozenset({Phase.ROLLING_BACK, Phase.HALTED})

EventOf = Callable[[Rollout], Event | None]


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of an event. `changed` is False when the rollout did not wait for it; `repeated`: it was done before."""

    rollout: Rollout
    sentence: str = ""
    changed: bool = True
    repeated: bool = False


class Contended(Exception):
    """The rollout changed during every attempt; the caller tries again later."""


class Kept:
    """Cache of rollouts as last saved or loaded in this process, so that a press needs no load before its save.

    An entry may be old, or from a history that the database lost: a decision on it only counts once it is saved on its
    version and stamp.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._known: OrderedDict[int, Loaded] = OrderedDict()

    def get(self, rollout_id: int) -> Loaded | None:
        return self._known.get(rollout_id)

    def put(self, loaded: Loaded) -> None:
        rollout = loaded.rollout
        if rollout.phase.final:
            self.drop(rollout.id)
            return
        self._known[rollout.id] = loaded
        self._known.move_to_end(rollout.id)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def drop(self, rollout_id: int) -> None:
        self._known.pop(rollout_id, None)

    def drop_another(self, claim: Claimed) -> None:
        """Drop what is kept under the number of the claim's rollout and is another one: the database lost that one."""
        known = self._known.get(claim.rollout_id) if claim.rollout_id is not None else None
        if known is not None and known.rollout.created_at != claim.requested_at:
            self.drop(known.rollout.id)


@dataclass(slots=True, eq=False)
class _Waiting:
    """An event in the queue of its rollout. `claim`: the effect that it is the outcome of."""

    event_of: EventOf
    interaction: str
    claim: Claimed | None
    given_up: GivenUp | None
    result: asyncio.Future[StepResult]

    def may_join(self, others: Sequence[_Waiting]) -> bool:
        """Whether it may be saved with others: not the outcome of an effect, nor an interaction delivered twice."""
        if self.claim is not None or any(other.claim is not None for other in others):
            return not others
        return not self.interaction or all(other.interaction != self.interaction for other in others)


class _Group:
    """Events on one rollout that are saved as one change, each stepped on the result of the one before it."""

    def __init__(self, loaded: Loaded, answers: Mapping[str, Answer]) -> None:
        self._loaded = loaded
        self._answers = answers
        self._rollout = loaded.rollout
        self._effects: list[Effect] = []
        self._transitions: list[Transition] = []
        self._told: dict[str, str] = {}
        self._at: datetime | None = None
        self._claim: _Waiting | None = None
        self.settled: list[tuple[_Waiting, StepResult | Exception]] = []
        self.undecided: list[_Waiting] = []  # refused, or nothing to do: the cached rollout may be old

    def add(self, waiting: _Waiting) -> None:
        answer = self._answers.get(waiting.interaction) if waiting.interaction else None
        if answer is not None:
            done = StepResult(self._rollout, answer.sentence, changed=False, repeated=True)
            self.settled.append((waiting, done))
            return
        try:
            event = waiting.event_of(self._rollout)
            stepped = machine.step(self._rollout, event) if event else Stepped(self._rollout)
        except Exception as error:
            self.undecided.append(waiting)
            self.settled.append((waiting, error))
            return
        if event is None or (stepped.rollout is self._rollout and not stepped.effects):
            self.undecided.append(waiting)
            self.settled.append((waiting, StepResult(self._rollout, changed=False)))
            return
        self._take(waiting, event, stepped)

    def _take(self, waiting: _Waiting, event: Event, stepped: Stepped) -> None:
        sentence = stepped.transitions[0].why if stepped.transitions else stepped.rollout.outcome
        self._rollout, self._at = stepped.rollout, event.at
        # One redraw shows all of it.
        self._effects = [effect for effect in self._effects if not isinstance(effect, DrawCard)]
        self._effects += stepped.effects
        self._transitions += stepped.transitions
        if waiting.interaction:
            self._told[waiting.interaction] = sentence
        if waiting.claim is not None:
            self._claim = waiting
        self.settled.append((waiting, StepResult(stepped.rollout, sentence)))

    @property
    def change(self) -> RolloutChange | None:
        """The events as one change; None when nothing changed."""
        if self._at is None:
            return None
        stepped = Stepped(self._rollout, tuple(self._effects), tuple(self._transitions))
        change = change_of(self._loaded, stepped, self._at)
        claim, given_up = (self._claim.claim, self._claim.given_up) if self._claim else (None, None)
        return replace(change, claim=claim, given_up=given_up, answers=self._told)


class Stepper:
    """Steps rollouts. Safe with any number of processes: a save only succeeds on the save that it was computed from.

    Events on one rollout are queued, and those that wait together are saved together. `kept` may be shared by all
    steppers of a process.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        waker: Waker,
        meter: Meter | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._store = store
        self._meter = meter or NoMeter()
        self._clock = clock
        self._waker = waker
        self.kept = kept or Kept()
        self._lines: dict[int, deque[_Waiting]] = {}
        self._slots = asyncio.Semaphore(_SAVES_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self,
        stepped: Stepped,
        at: datetime,
        interaction: str,
        unless_stopped: Sequence[int] = (),
        row: LaneRow | None = None,
    ) -> bool:
        """Save a new rollout; False when its lane has changed since `row` was read, its number was given to another
        rollout, or one of those servers has a panic stop.

        Raises `LaneTaken`, `AlreadyAnswered`.
        """
        answers = {interaction: stepped.rollout.outcome} if interaction else {}
        change = change_of(None, stepped, at)
        change = replace(
            change, answers=answers, unless_stopped=unless_stopped, lane=row.stamp if row else None
        )
        saved = await self._saved(change)
        if saved:
            self.kept.put(Loaded(change.rollout, begin_evidence()))
            await self.wake(change)
        return saved

    async def apply(
        self,
        rollout_id: int,
        event_of: EventOf,
        *,
        interaction: str = "",
        claim: Claimed | None = None,
        given_up: GivenUp | None = None,
    ) -> StepResult:
        """Step one rollout by the event that `event_of` makes of it, and save; None or a late event changes nothing.

        Raises what the machine raises, `UserError` when there is no such rollout, `Contended`,
        `Unreachable`. A caller that is cancelled may have been saved all the same.
        """
        result: asyncio.Future[StepResult] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(event_of, interaction, claim, given_up, result)
        line = self._lines.get(rollout_id)
        if line is None:
            line = self._lines[rollout_id] = deque()
            task = asyncio.create_task(self._work_off(rollout_id, line), name=f"step:{rollout_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        line.append(waiting)
        return await result

    async def _work_off(self, rollout_id: int, line: deque[_Waiting]) -> None:
        """Work off the queue, group by group, until it is empty."""
        try:
            while line:
                async with self._slots:
                    group = _joined(line)
                    if group:
                        await self._settle(rollout_id, group)
        finally:
            del self._lines[rollout_id]
            for waiting in line:
                waiting.result.cancel()

    async def _settle(self, rollout_id: int, group: Sequence[_Waiting]) -> None:
        """Save one group; each event in it gets a result or an error, and then what was ordered is begun."""
        saved: RolloutChange | None = None
        try:
            settled, saved = await self._stepped(rollout_id, group)
        except Exception as error:
            settled = [(waiting, error) for waiting in group]
        except asyncio.CancelledError:
            for waiting in group:
                waiting.result.cancel()
            raise
        for waiting, outcome in settled:
            if waiting.result.done():
                continue
            if isinstance(outcome, StepResult):
                waiting.result.set_result(outcome)
            else:
                waiting.result.set_exception(outcome)
        if saved is not None:
            await asyncio.sleep(0)  # people's answers first
            self._count(saved)
            await self.wake(saved)

    async def _stepped(
        self, rollout_id: int, waiting: Sequence[_Waiting]
    ) -> tuple[list[tuple[_Waiting, StepResult | Exception]], RolloutChange | None]:
        """What became of each, and what was saved."""
        for attempt in range(_ATTEMPTS):
            if attempt > 3:
                await asyncio.sleep(random.uniform(0, 0.002 * attempt))
            # The first attempt reads no earlier answers: a save finds out, and a refusal is decided again with them.
            first = attempt == 0
            kept = self.kept.get(rollout_id) if first else None
            loaded = kept or await self._load(rollout_id)
            answers = {} if first else await self._answers(waiting)
            group = _Group(loaded, answers)
            for each in waiting:
                group.add(each)
            if group.undecided and first and (kept is not None or _asked(waiting)):
                self.kept.drop(rollout_id)
                continue
            change = group.change
            if change is None or await self._save(loaded, change):
                return group.settled, change
            if change.claim is not None and not await self._store.effects.renew([change.claim], 5.0):
                # Another process has the effect now, and will report its outcome.
                return [(each, StepResult(loaded.rollout, changed=False)) for each in waiting], None
        raise Contended(f"rollout {rollout_id}")

    async def _load(self, rollout_id: int) -> Loaded:
        loaded = await self._store.rollouts.load(rollout_id)
        if loaded is None:
            raise phrasebook.no_rollout(rollout_id)
        self.kept.put(loaded)
        return loaded

    async def _answers(self, waiting: Sequence[_Waiting]) -> Mapping[str, Answer]:
        asked = _asked(waiting)
        return await self._store.rollouts.answers(asked) if asked else {}

    async def _save(self, loaded: Loaded, change: RolloutChange) -> bool:
        """Save one change; False when it must be tried again on the present rollout."""
        self.kept.drop(change.rollout.id)
        try:
            if not await self._saved(change):
                return False
        except AlreadyAnswered:
            return False
        evidence = loaded.evidence if change.evidence is None else change.evidence
        self.kept.put(Loaded(change.rollout, evidence))
        return True

    async def _saved(self, change: RolloutChange) -> bool:
        """Save. If the commit's reply is lost, check whether it committed."""
        try:
            return await self._store.rollouts.save(change)
        except Unreachable:
            if not change.answers:
                raise
            found = await self._store.rollouts.answers(list(change.answers))
            if any(found.get(key) != Answer(change.rollout.id, said) for key, said in change.answers.items()):
                raise
            return True

    async def amend(self, rollout_id: int, readiness: Readiness) -> None:
        """Save rollback readiness, which the machine does not decide on; skipped when the rollout changes meanwhile."""
        loaded = await self._store.rollouts.load(rollout_id)
        if loaded is None or loaded.rollout.phase.final:
            return
        was = loaded.rollout
        now = replace(was, readiness=readiness, version=was.version + 1)
        change = change_of(loaded, Stepped(now, (DrawCard(),)), self._clock.now())
        self.kept.drop(rollout_id)
        if await self._store.rollouts.save(change):
            self.kept.put(Loaded(change.rollout, loaded.evidence))
            await self.wake(change)

    def _count(self, change: RolloutChange) -> None:
        rollout = change.rollout
        if not rollout.phase.final:
            return
        self._meter.rollout_ended(str(rollout.phase))
        if rollout.phase is Phase.ROLLED_BACK and change.claim is not None:
            self._meter.rolled_back((change.at - change.claim.created_at).total_seconds())

    async def wake(self, change: RolloutChange) -> None:
        kinds = {effect.kind for effect in change.effects}
        orders = kinds - MESSAGE_KINDS
        if orders and orders & order_kinds():
            await self._waker.wake(ORDERS)
        if kinds & MESSAGE_KINDS:
            await self._waker.wake(MESSAGES)
        if change.tick_at is not None:
            await self._waker.wake(TICKS)


def _asked(waiting: Sequence[_Waiting]) -> list[str]:
    """The interactions among these events."""
    return [each.interaction for each in waiting if each.interaction]


def _joined(line: deque[_Waiting]) -> list[_Waiting]:
    """Events at the head of the queue that can be saved together, without those with a cancelled caller."""
    group: list[_Waiting] = []
    while line and len(group) < _GROUP and (line[0].result.done() or line[0].may_join(group)):
        waiting = line.popleft()
        if not waiting.result.done():
            group.append(waiting)
    return group


def change_of(
    loaded: Loaded | None, stepped: Stepped, at: datetime, evidence: EvidenceState | None = None
) -> RolloutChange:
    """Everything that one step changes, timers and ticks included."""
    after, before = stepped.rollout, loaded.rollout if loaded else None
    rose = before is not None and after.observed_weight > before.observed_weight
    if rose and loaded is not None:
        evidence = traffic_rose(evidence or loaded.evidence, at.timestamp())
    # The first tick is at once: it reads the counters before there is traffic.
    starts = judged(after) and (before is None or not judged(before))
    return RolloutChange(
        rollout=stamped(after),
        before=before,
        at=at,
        effects=stepped.effects,
        transitions=stepped.transitions,
        timers=machine.timers(after),
        evidence=evidence,
        judged=judged(after),
        tick_at=at if starts else None,
        rolled_back=_rolled_back(before, after),
    )


def stamped(rollout: Rollout) -> Rollout:
    """The rollout as the next save of it."""
    return changed(rollout, stamp=secrets.token_hex(4))


def order_kinds() -> frozenset[str]:
    """Kinds of effects that the executor carries out."""
    return frozenset({"set_desired", "read_changes", *steps.step_effects()})


def judged(rollout: Rollout) -> bool:
    """Whether the rollout is measured in its present state."""
    return (
        rollout.judge_state is not None
        and rollout.had_traffic
        and not rollout.phase.final
        and rollout.phase not in _NOT_JUDGED
    )


def _rolled_back(before: Rollout | None, after: Rollout) -> Release | None:
    """The release that this step makes no longer known good."""
    if before is not None and before.phase is after.phase:
        return None
    if after.phase is Phase.ROLLED_BACK:
        return after.candidate
    return after.stable if after.phase is Phase.SUCCEEDED and after.known_good else None
