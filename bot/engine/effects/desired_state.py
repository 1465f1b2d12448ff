"""Orders of desired states: send one to the lane's target, then poll until it is reached."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, cast

from bot.domain.errors import UserError
from bot.domain.formatting import clean
from bot.domain.records import Claimed
from bot.domain.rollout.events import Applied, ApplyFailed, Delayed, Event, SealBroken, SetDesired
from bot.domain.rollout.model import Delay, Desired, Observed, Rollout
from bot.domain.rollout.wording import Wording, wording_for
from bot.engine.effects.outbox import NotYet
from bot.engine.lanes import Lanes
from bot.engine.observation import Match, heard_by, match
from bot.engine.stepper import Contended, EventOf
from bot.ports.data_plane.targets import ORDERED_BY, DeployTarget, PrintingTarget
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from bot.ports.store import Store

# How often the target is polled: often at first, since a weight change takes milliseconds.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.25
_CALL_S = 2.0
# A target that is not there after this long is polled later, and its slot in the outbox is free meanwhile.
_SPELL_S = 1.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 5.0
# Of one that splits traffic and answers at once: a release that takes long to start is to serve soon after it is ready.
_LAST_PAUSE_OF_A_ROUTER_S = 0.5
# Characters of what an order waits for.
_WHY = 300

# Steps a rollout, as `Stepper.apply`.
Tell = Callable[[int, EventOf], Awaitable[object]]


class Result(NamedTuple):
    """State of the target at the end of an attempt. `observed` is None when it could not be reached at all.

    waiting: the desired state may still be reached. outdone: the target has another state under the same generation or
    a newer one, and refused this one.
    """

    observed: Observed | None
    match: Match
    waiting: bool = False
    outdone: bool = False


class DesiredStates:
    """Applies desired states, and polls until the target has reached one, has a newer one, or time is up.

    `find` gives a rollout by its id: its orders go to the target that it was started on. tell: steps a rollout, by what
    an order waits for.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        find: Callable[[int], Awaitable[Rollout]],
        tell: Tell | None = None,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._find = find
        self._tell = tell

    async def apply(self, claim: Claimed, effect: SetDesired) -> EventOf | NotYet:
        """Send the order if needed, and poll for a short time.

        The observation counts before the deadline: an order that was reached while Slipway was away is reached.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        left_s = effect.timeout_s - claim.watched_s
        owner = None if claim.rollout_id is None else await self._find(claim.rollout_id)
        if owner is not None and _forward(effect.desired, owner):
            why = self._lanes.unsealed(owner, effect.desired)
            if why:
                broken = SealBroken(effect.desired.generation, self._lanes.now(), why)
                return lambda rollout: broken
        target = self._lanes.target(effect.lane) if owner is None else self._lanes.target_of(owner)
        say = self._lanes.wording_for(effect.lane) if owner is None else wording_for(owner.policy.words)
        attempt = _Attempt(target, effect, say)
        ORDERED_BY.set(claim.rollout_id)
        result = await attempt.until(min(_SPELL_S, left_s))
        if owner is not None and target.capabilities.prints:
            await self._pass_on(claim, cast(PrintingTarget, target), all_of_it=not result.waiting)
        if result.waiting and loop.time() - began < left_s:
            if owner is not None:
                await self._delayed(owner, effect.desired, result.match)
            spent_s = loop.time() - began
            near = result.observed is not None and _splits_traffic(target)
            longest_s = _LAST_PAUSE_OF_A_ROUTER_S if near else _LAST_PAUSE_S
            pause_s = min(max(_FIRST_PAUSE_S, claim.watched_s / 4), longest_s, max(0.0, left_s - spent_s))
            return NotYet(pause_s, spent_s + pause_s)
        observed = result.observed
        # An abort is handled by the rollout or the lane, which continue from its generation.
        if (
            observed is not None
            and observed.generation > effect.desired.generation
            and not _aborted(effect.desired, observed)
        ):
            await self._store.lanes.newest(effect.lane, observed.generation)
        at = self._lanes.now()
        return lambda rollout: outcome(effect, result, rollout, at)

    async def _delayed(self, rollout: Rollout, desired: Desired, found: Match) -> None:
        """Tell what the order waits for, if that is news. That it cannot be told delays no order."""
        delay = Delay(desired.generation, clean(found.why, _WHY))
        if self._tell is None or rollout.delay == delay or (found.bare and not rollout.waits_for):
            return
        event = Delayed(delay.generation, self._lanes.now(), delay.why)
        with contextlib.suppress(Unreachable, Contended, UserError):
            await self._tell(rollout.id, lambda _: event)

    async def _pass_on(self, claim: Claimed, target: PrintingTarget, *, all_of_it: bool) -> None:
        """Record what the target printed for the order as lines of the rollout's log."""
        while (printed := await target.printed(claim.lane)) is not None:
            await self._store.effects.say(claim, f"{claim.rollout_id}.{printed.key}", printed.text)
            await target.passed_on(claim.lane, printed)
            if not all_of_it:
                return


def outcome(effect: SetDesired, result: Result, rollout: Rollout, at: datetime) -> Event | None:
    """The event for the machine; None when a newer order of Slipway is under way."""
    desired, observed = effect.desired, result.observed
    if rollout.generation > desired.generation:
        return None
    abort = heard_by(rollout, observed, at)
    if abort is not None:
        return abort
    if observed is not None and (observed.generation > desired.generation or result.outdone):
        why = f"the target got a newer state from elsewhere (generation {observed.generation})"
        return ApplyFailed(desired.generation, at, why, result.match.unsafe, newest=observed.generation)
    if result.match.reached and observed is not None:
        return Applied(desired.generation, at, observed.weight_of(rollout.candidate.digest))
    return ApplyFailed(desired.generation, at, result.match.why, result.match.unsafe)


def _splits_traffic(target: DeployTarget) -> bool:
    """Whether a router of Slipway's does; to ask a command or an API costs more."""
    return target.capabilities.weights and not target.capabilities.prints


def _forward(desired: Desired, rollout: Rollout) -> bool:
    """Whether it starts the candidate or gives it traffic. The way back is never held up."""
    stable = desired.stable
    taken_over = stable is not None and stable.digest == rollout.candidate.digest
    return desired.candidate is not None or taken_over


def _aborted(desired: Desired, observed: Observed) -> bool:
    """Whether an abort on the machine replaced what was desired."""
    return observed.abort is not None and observed.abort.generation >= desired.generation


class _Attempt:
    """One attempt to bring a lane to a desired state. Lives for one effect."""

    def __init__(self, target: DeployTarget, order: SetDesired, say: Wording) -> None:
        self._target = target
        self._lane = order.lane
        self._desired = order.desired
        self._say = say
        self._applied = False
        self._refused = False
        self._last = Result(None, Match(False, "the target was never reached"))

    async def until(self, timeout_s: float) -> Result:
        loop = asyncio.get_running_loop()
        ends, pause = loop.time() + timeout_s, _FIRST_LOOK_S
        while True:
            try:
                async with asyncio.timeout(_CALL_S):
                    if await self._over():
                        return self._last
            except (Unreachable, TimeoutError) as error:
                why = str(error) or f"no answer within {_CALL_S:g} s"
                self._last = Result(self._last.observed, Match(False, f"the target cannot be reached: {why}"))
            if loop.time() >= ends:
                return self._last._replace(waiting=True)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK_S)

    async def _over(self) -> bool:
        try:
            if not self._applied:
                await self._target.apply(self._lane, self._desired)
                self._applied = True
        except StaleGeneration:
            # It has a newer state; the observation below says from where.
            self._applied = self._refused = True
        except TargetRefused as error:
            observed = await self._target.observe(self._lane)
            unsafe = self._match(observed).unsafe
            self._last = Result(observed, Match(False, str(error), doomed=True, unsafe=unsafe))
            return True
        observed = await self._target.observe(self._lane)
        found = self._match(observed)
        # After a failover, the target may have an order under this generation that the database does not know.
        other = self._refused and observed.generation == self._desired.generation and not found.reached
        newer = observed.generation > self._desired.generation or _aborted(self._desired, observed)
        self._last = Result(observed, found, outdone=other and not newer)
        if observed.generation < self._desired.generation:
            # It restarted from an older state: apply again.
            self._applied = False
            return False
        return newer or other or found.reached or found.doomed

    def _match(self, observed: Observed) -> Match:
        beside = self._target.capabilities.weights
        return match(self._desired, observed, beside=beside, say=self._say)
