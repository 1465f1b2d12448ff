"""Run steps: commands are started and then watched, HTTP checks are repeated until they pass or time is up."""

from __future__ import annotations

import asyncio

from bot.domain.records import Claimed
from bot.domain.rollout.events import Reported
from bot.domain.rollout.model import Rollout
from bot.domain.rollout.steps import RunCheck, RunCommand, RunStep, StopRuns
from bot.engine.effects.outbox import NotYet
from bot.engine.lanes import Lanes
from bot.engine.stepper import EventOf
from bot.ports.data_plane.runs import RunFacts, RunKey, Runner
from bot.ports.data_plane.targets import Checker
from bot.ports.errors import Unreachable
from bot.ports.store import Store

# As with desired states: it is watched closely for a moment, then now and then, and its place is free meanwhile.
_SPELL_S, _LOOK_S = 1.0, 0.05
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 3.0
# A runner ends a command in time by itself. After this long without, something is wrong with it.
_OVERDUE_S = 120.0
_NOT_SET_UP = "Slipway is not set up to run commands"


class RunSteps:
    """Carries out steps of kind `run`."""

    def __init__(self, store: Store, lanes: Lanes, checker: Checker, runner: Runner | None) -> None:
        self._store = store
        self._lanes = lanes
        self._checker = checker
        self._runner = runner

    async def run(self, claim: Claimed, effect: RunStep, rollout: Rollout) -> EventOf | NotYet:
        """The outcome, or when to look again. Raises `Unreachable`."""
        command, http = effect.run.command, effect.run.http
        if command is not None:
            found = await self._command(claim, effect, command, rollout)
        else:
            assert http is not None
            found = await self._check(claim, effect, http, rollout)
        if isinstance(found, NotYet):
            return found
        event = Reported(effect.kind, effect.step, self._lanes.now(), not found, (found,) if found else ())
        return lambda _: event

    async def stop(self, rollout_id: int, effect: StopRuns) -> None:
        if self._runner is not None:
            await self._runner.stop(rollout_id)

    async def _command(
        self, claim: Claimed, effect: RunStep, command: RunCommand, rollout: Rollout
    ) -> str | NotYet:
        runner = self._runner
        if runner is None:
            return _NOT_SET_UP
        key = RunKey(rollout.id, claim.key)
        refused = await runner.start(key, command, await self._facts(effect, rollout), effect.timeout_s)
        if refused is not None:
            return refused
        ends = asyncio.get_running_loop().time() + _SPELL_S
        while (finding := await runner.finding(key, effect.timeout_s)) is None:
            if asyncio.get_running_loop().time() >= ends:
                break
            await asyncio.sleep(_LOOK_S)
        await self._pass_on(claim, key, runner, all_of_it=finding is not None)
        if finding is not None:
            return finding
        if claim.watched_s > effect.timeout_s + _OVERDUE_S:
            await runner.stop(rollout.id)
            return f"it did not end within {effect.timeout_s:g} s, and could not be ended"
        return _again(claim, _SPELL_S)

    async def _check(self, claim: Claimed, effect: RunStep, http: RunCheck, rollout: Rollout) -> str | NotYet:
        loop = asyncio.get_running_loop()
        began = loop.time()
        address = http.url or await self._address(rollout)
        if address is None:
            finding: str | None = f"the target gives no address for {effect.release.version}"
        else:
            finding = await self._checker.check(address, http.check)
        if finding is None:
            return ""
        spent_s = loop.time() - began
        again = _again(claim, spent_s)
        return again if claim.watched_s + again.spent_s < effect.timeout_s else finding

    async def _facts(self, effect: RunStep, rollout: Rollout) -> RunFacts:
        try:
            address = await self._address(rollout)
        except Unreachable:
            address = None  # a command may well do without
        return RunFacts(
            effect.lane, rollout.id, effect.run.name, effect.release, effect.stable, effect.weight, address
        )

    async def _address(self, rollout: Rollout) -> str | None:
        running = (await self._lanes.look(rollout.lane, rollout)).of(rollout.candidate.digest)
        return running.address if running else None

    async def _pass_on(self, claim: Claimed, key: RunKey, runner: Runner, *, all_of_it: bool) -> None:
        """Record what the command printed as lines of the rollout's log."""
        while (printed := await runner.printed(key)) is not None:
            await self._store.effects.say(claim, f"{claim.key}.{printed.key}", printed.text)
            await runner.passed_on(key)
            if not all_of_it:
                return


def _again(claim: Claimed, spent_s: float) -> NotYet:
    pause_s = min(max(_FIRST_PAUSE_S, claim.watched_s / 4), _LAST_PAUSE_S)
    return NotYet(pause_s, spent_s + pause_s)
