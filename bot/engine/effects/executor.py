"""Doing what the target is asked for: bring a lane to a desired state, check a candidate."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

from bot.domain.records import Claimed, GivenUp
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    Event,
    RestoreCommands,
    RunChecks,
    RunSync,
    SetDesired,
    Synced,
    Verified,
)
from bot.domain.rollout.model import Desired, Observed, Rollout, RunState
from bot.domain.rollout.wording import Wording
from bot.engine.lanes import Lanes
from bot.engine.observation import Match, heard_by, match
from bot.engine.stepper import EventOf, Stepper
from bot.ports.appcommands import AppCommandsSync
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from bot.ports.store import Store
from bot.ports.targets import Checker, DeployTarget

# How often the target is asked whether it is there yet: often at first, since a weight change takes milliseconds.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.25
_CALL_S = 5.0


class Result(NamedTuple):
    """How the target was left. `observed` is None when it could not be asked at all."""

    observed: Observed | None
    match: Match


class Executor:
    """Executes orders to targets; every outcome goes back into the machine with the claim it answers."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        stepper: Stepper,
        checker: Checker,
        commands: AppCommandsSync | None = None,
    ) -> None:
        self._commands = commands
        self._store = store
        self._lanes = lanes
        self._stepper = stepper
        self._checker = checker

    async def execute(self, claim: Claimed) -> EventOf:
        """Do it; returns what the machine is to be told. Raises `Unreachable` to be tried again."""
        match claim.effect:
            case SetDesired() as desire:
                result = await self._set_desired(desire)
                at = self._lanes.now()
                return lambda rollout: outcome(desire, result, rollout, at)
            case RunChecks() as checks:
                findings = await self._findings(checks)
                event = Verified(checks.step, self._lanes.now(), not findings, tuple(findings))
                return lambda _: event
            case RunSync() as sync:
                found = await self._synced(claim, sync)
                done = Synced(sync.step, self._lanes.now(), not found, tuple(found))
                return lambda _: done
            case RestoreCommands() as restore:
                if self._commands is not None and claim.rollout_id is not None:
                    await self._commands.restore(claim.rollout_id, restore)
                return lambda _: None
            case other:
                raise TypeError(f"{other.kind} is not an order to a target")

    async def record(self, claim: Claimed, event_of: EventOf, given_up: GivenUp | None = None) -> None:
        """Step the rollout by the outcome, and close the claim with it or, when nobody waits for it, alone."""
        if claim.rollout_id is not None:
            done = await self._stepper.apply(claim.rollout_id, event_of, claim=claim, given_up=given_up)
            if done.changed:
                return
        if given_up is None:
            await self._store.effects.close([claim])
        else:
            await self._store.effects.poison(claim, given_up)

    async def _set_desired(self, effect: SetDesired) -> Result:
        """Apply, and look until it is so, something newer is there, or the time is over."""
        target = self._lanes.target(effect.lane)
        result = await _Bringing(target, effect, self._lanes.wording_for(effect.lane)).until(effect.timeout_s)
        observed = result.observed
        # An abort is left to be heard, by the rollout or by the lane itself: either goes on from its generation.
        if (
            observed is not None
            and observed.generation > effect.desired.generation
            and not _taken(effect.desired, observed)
        ):
            await self._store.lanes.newest(effect.lane, observed.generation)
        return result

    async def _synced(self, claim: Claimed, effect: RunSync) -> list[str]:
        if self._commands is None or claim.rollout_id is None:
            return ["this Slipway syncs no slash commands"]
        try:
            async with asyncio.timeout(effect.timeout_s):
                return await self._commands.sync(claim.rollout_id, effect)
        except TimeoutError:
            return [f"Discord did not have them within {effect.timeout_s:g} s"]

    async def _findings(self, effect: RunChecks) -> list[str]:
        try:
            async with asyncio.timeout(effect.timeout_s):
                address = await self._address(effect)
                found = [await self._checker.check(address, check) for check in effect.checks]
        except TimeoutError:
            return [f"the checks did not end within {effect.timeout_s:g} s"]
        except _NotThere as problem:
            return [str(problem)]
        return [sentence for sentence in found if sentence]

    async def _address(self, effect: RunChecks) -> str:
        """Where checks reach the candidate; waits for a target that cannot be asked."""
        while True:
            try:
                observed = await self._lanes.look(effect.lane)
            except Unreachable:
                await asyncio.sleep(_LAST_LOOK_S)
                continue
            running = observed.of(effect.release.digest)
            if running is None or running.state is not RunState.READY:
                state = running.state if running else "not running"
                raise _NotThere(f"{effect.release.version} is {state}")
            if running.address is None and effect.checks:
                raise _NotThere(f"the target does not say where {effect.release.version} can be checked")
            return running.address or ""


def outcome(effect: SetDesired, result: Result, rollout: Rollout, at: datetime) -> Event | None:
    """What the machine is told; None when a newer order of ours is under way."""
    desired, observed = effect.desired, result.observed
    if rollout.generation > desired.generation:
        return None
    abort = heard_by(rollout, observed, at)
    if abort is not None:
        return abort
    if observed is not None and observed.generation > desired.generation:
        why = f"somebody else gave the target a newer state (generation {observed.generation})"
        return ApplyFailed(desired.generation, at, why, result.match.unsafe)
    if result.match.reached and observed is not None:
        return Applied(desired.generation, at, observed.weight_of(rollout.candidate.digest))
    return ApplyFailed(desired.generation, at, result.match.why, result.match.unsafe)


def given_up(claim: Claimed, why: str, at: datetime) -> EventOf:
    """What the machine is told about an order that could not even be tried: that it failed."""
    effect, sentence = claim.effect, f"Slipway could not carry this out: {why}"
    event: Event | None = None
    if isinstance(effect, SetDesired):
        event = ApplyFailed(effect.desired.generation, at, sentence)
    elif isinstance(effect, RunChecks):
        event = Verified(effect.step, at, False, (sentence,))
    elif isinstance(effect, RunSync):
        event = Synced(effect.step, at, False, (sentence,))
    return lambda rollout: event


def _taken(desired: Desired, observed: Observed) -> bool:
    """Somebody aborted on the machine instead: what was desired will not be."""
    return observed.abort is not None and observed.abort.generation >= desired.generation


class _NotThere(Exception):
    """The candidate cannot be checked."""


class _Bringing:
    """One attempt to bring a lane to a desired state. Lives for one effect."""

    def __init__(self, target: DeployTarget, order: SetDesired, say: Wording) -> None:
        self._target = target
        self._lane = order.lane
        self._desired = order.desired
        self._say = say
        self._applied = False
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
                self._last = Result(
                    self._last.observed, Match(False, f"the target cannot be reached: {error}")
                )
            if loop.time() >= ends:
                return self._last
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK_S)

    async def _over(self) -> bool:
        try:
            if not self._applied:
                await self._target.apply(self._lane, self._desired)
                self._applied = True
        except StaleGeneration:
            # It has something newer; who gave it that is read off below.
            self._applied = True
        except TargetRefused as error:
            observed = await self._target.observe(self._lane)
            unsafe = self._match(observed).unsafe
            self._last = Result(observed, Match(False, str(error), doomed=True, unsafe=unsafe))
            return True
        observed = await self._target.observe(self._lane)
        found = self._match(observed)
        self._last = Result(observed, found)
        if observed.generation < self._desired.generation:
            # It forgot, or restarted from an older state: tell it again.
            self._applied = False
            return False
        newer = observed.generation > self._desired.generation or _taken(self._desired, observed)
        return newer or found.reached or found.doomed

    def _match(self, observed: Observed) -> Match:
        beside = self._target.capabilities.weights
        return match(self._desired, observed, beside=beside, say=self._say)
