"""Executor of orders, with the table of carriers by kind of effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from bot.domain import phrasebook
from bot.domain.records import Claimed, GivenUp
from bot.domain.rollout.events import (
    ApplyFailed,
    ChangesRead,
    Event,
    ReadChanges,
    Reported,
    ReportedEffect,
    SetDesired,
    StepEffect,
)
from bot.domain.rollout.model import Rollout
from bot.domain.rollout.steps import RestoreCommands, RunStep, RunSync
from bot.engine.effects.changes import ReadsChanges
from bot.engine.effects.checks import CandidateChecks
from bot.engine.effects.desired_state import DesiredStates, Tell
from bot.engine.effects.outbox import NotYet
from bot.engine.effects.runs import RunSteps
from bot.engine.lanes import Lanes
from bot.engine.stepper import EventOf, Kept, Stepper
from bot.ports.appcommands import AppCommandsSync
from bot.ports.changes import ChangeSource
from bot.ports.data_plane.runs import Runner
from bot.ports.data_plane.targets import Checker
from bot.ports.errors import Unreachable
from bot.ports.store import Store
from bot.ports.watch.checks import Checks

# Extra time, so that code with a time limit of its own reports why it failed.
_GRACE_S = 1.0
# A restore that takes longer is begun again: what it does may be repeated.
_RESTORE_S = 120.0

# Carries out one kind of effect and returns the machine's next event. Raises `Unreachable` to be retried.
Carrier = Callable[[Claimed, Any], Awaitable[EventOf | NotYet]]


def carriers(
    store: Store,
    lanes: Lanes,
    checker: Checker,
    commands: AppCommandsSync | None = None,
    kept: Kept | None = None,
    *,
    runner: Runner | None = None,
    changes: ChangeSource | None = None,
    checks: Checks | None = None,
    tell: Tell | None = None,
) -> Mapping[str, Carrier]:
    """Code that carries out each kind of effect. A step with effects of its own has its lines here.

    `reported` makes a carrier of `(rollout id, effect) -> findings`, for effects that a step waits for; `silent` one
    of `(rollout id, effect)`, for effects without an answer. `kept`: rollouts that need not be loaded. `tell`: as of
    `DesiredStates`.
    """
    find = partial(_found, store, kept or Kept())
    sync = CommandSteps(commands)
    runs = RunSteps(store, lanes, checker, runner)

    async def run_step(claim: Claimed, effect: RunStep) -> EventOf | NotYet:
        return await runs.run(claim, effect, await find(_rollout(claim)))

    return {
        "set_desired": DesiredStates(store, lanes, find, tell).apply,
        "run_checks": reported(CandidateChecks(lanes, checker, find, checks).run, lanes.now),
        "run_sync": reported(sync.run, lanes.now),
        "restore_commands": silent(sync.restore),
        "run_step": run_step,
        "stop_runs": silent(runs.stop),
        "read_changes": ReadsChanges(lanes, changes).run,
    }


async def _found(store: Store, kept: Kept, rollout_id: int) -> Rollout:
    """What was fixed when the rollout started is the same in an older version of it."""
    loaded = kept.get(rollout_id) or await store.rollouts.load(rollout_id)
    if loaded is None:
        raise phrasebook.no_rollout(rollout_id)
    return loaded.rollout


def reported(
    carry_out: Callable[[int, Any], Awaitable[Sequence[str]]], now: Callable[[], datetime]
) -> Carrier:
    async def carry(claim: Claimed, effect: ReportedEffect) -> EventOf:
        try:
            async with asyncio.timeout(effect.timeout_s + _GRACE_S):
                findings = await carry_out(_rollout(claim), effect)
        except TimeoutError:
            findings = [f"it did not finish within {effect.timeout_s:g} s"]
        event = Reported(effect.kind, effect.step, now(), not findings, tuple(findings))
        return lambda _: event

    return carry


def silent(carry_out: Callable[[int, Any], Awaitable[None]]) -> Carrier:
    async def carry(claim: Claimed, effect: StepEffect) -> EventOf:
        await carry_out(_rollout(claim), effect)
        return lambda _: None

    return carry


class Executor:
    """Executes orders; every outcome goes back into the machine with its claim."""

    def __init__(self, store: Store, stepper: Stepper, carriers: Mapping[str, Carrier]) -> None:
        self._store = store
        self._stepper = stepper
        self.carriers = carriers

    async def execute(self, claim: Claimed) -> EventOf | NotYet:
        """Carry the order out; returns the machine's next event, if known. Raises `Unreachable` to be retried."""
        self._stepper.kept.drop_another(claim)
        return await self.carriers[claim.effect.kind](claim, claim.effect)

    async def record(self, claim: Claimed, event_of: EventOf, given_up: GivenUp | None = None) -> None:
        """Step the rollout by the outcome and close the claim with it; alone when the rollout does not wait for it."""
        if claim.rollout_id is not None:
            done = await self._stepper.apply(claim.rollout_id, event_of, claim=claim, given_up=given_up)
            if done.changed:
                return
        if given_up is None:
            await self._store.effects.close([claim])
        else:
            await self._store.effects.poison(claim, given_up)


def given_up(claim: Claimed, why: str, at: datetime) -> EventOf:
    """The failure event for an order that was given up."""
    effect, sentence = claim.effect, f"Slipway could not carry this out: {why}"
    event: Event | None = None
    if isinstance(effect, SetDesired):
        event = ApplyFailed(effect.desired.generation, at, sentence)
    elif isinstance(effect, ReportedEffect):
        event = Reported(effect.kind, effect.step, at, False, (sentence,))
    elif isinstance(effect, ReadChanges):
        event = ChangesRead(at, replace(effect.changes, reading=False, problem=sentence))
    return lambda rollout: event


class CommandSteps:
    """Slash commands as steps of rollouts, with a time limit; refused where none are configured."""

    def __init__(self, commands: AppCommandsSync | None) -> None:
        self._commands = commands

    async def run(self, rollout_id: int, effect: RunSync) -> Sequence[str]:
        if self._commands is None:
            return ["Slipway is not set up to update slash commands"]
        try:
            async with asyncio.timeout(effect.timeout_s):
                return await self._commands.sync(rollout_id, effect)
        except TimeoutError:
            return [f"Discord did not confirm them within {effect.timeout_s:g} s"]

    async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
        if self._commands is None:
            return
        try:
            async with asyncio.timeout(_RESTORE_S):
                await self._commands.restore(rollout_id, effect)
        except TimeoutError:
            raise Unreachable(f"the commands were not restored within {_RESTORE_S:g} s") from None


def _rollout(claim: Claimed) -> int:
    if claim.rollout_id is None:
        raise TypeError(f"{claim.effect.kind} belongs to a rollout")
    return claim.rollout_id
