"""Checks of a candidate over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.domain.rollout.model import Rollout, RunState
from bot.domain.rollout.steps import RunChecks
from bot.engine.lanes import Lanes
from bot.ports.errors import Unreachable
from bot.ports.targets import Checker

_PAUSE_S = 0.25


class CandidateChecks:
    """Runs the checks of a candidate that is ready. `find` gives a rollout by its id."""

    def __init__(self, lanes: Lanes, checker: Checker, find: Callable[[int], Awaitable[Rollout]]) -> None:
        self._lanes = lanes
        self._find = find
        self._checker = checker

    async def run(self, rollout_id: int, effect: RunChecks) -> list[str]:
        """One sentence for each failed check; empty when all passed in time."""
        try:
            async with asyncio.timeout(effect.timeout_s):
                address = await self._address(effect, await self._find(rollout_id))
                found = [await self._checker.check(address, check) for check in effect.checks]
        except TimeoutError:
            return [f"the checks did not finish within {effect.timeout_s:g} s"]
        except _CannotCheck as problem:
            return [str(problem)]
        return [sentence for sentence in found if sentence]

    async def _address(self, effect: RunChecks, rollout: Rollout) -> str:
        """Address of the candidate for checks; waits for a target that cannot be reached."""
        while True:
            try:
                observed = await self._lanes.look(effect.lane, rollout)
            except Unreachable:
                await asyncio.sleep(_PAUSE_S)
                continue
            running = observed.of(effect.release.digest)
            if running is None or running.state is not RunState.READY:
                state = running.state if running else "not running"
                raise _CannotCheck(f"{effect.release.version} is {state}")
            if running.address is None and effect.checks:
                raise _CannotCheck(f"the target gives no address for {effect.release.version}")
            return running.address or ""


class _CannotCheck(Exception):
    """The candidate does not run, or has no address that checks can reach."""
