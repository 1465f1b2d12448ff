"""Checks of a candidate before it gets traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.domain.rollout.model import Rollout, RunState
from bot.domain.rollout.steps import HttpCheck, NamedCheck, RunChecks
from bot.engine.lanes import Lanes
from bot.ports.data_plane.targets import Checker
from bot.ports.errors import Unreachable
from bot.ports.watch.checks import Checks

_PAUSE_S = 0.25


class CandidateChecks:
    """Runs the checks of a candidate that is ready. `find` gives a rollout by its id."""

    def __init__(
        self,
        lanes: Lanes,
        checker: Checker,
        find: Callable[[int], Awaitable[Rollout]],
        asked: Checks | None = None,
    ) -> None:
        self._lanes = lanes
        self._find = find
        self._checker = checker
        self._asked = asked

    async def run(self, rollout_id: int, effect: RunChecks) -> list[str]:
        """One sentence for each failed check; empty when all passed in time."""
        try:
            async with asyncio.timeout(effect.timeout_s):
                rollout = await self._find(rollout_id)
                address = await self._address(effect, rollout)
                found = [await self._check(rollout, address, check) for check in effect.checks]
        except TimeoutError:
            return [f"the checks did not finish within {effect.timeout_s:g} s"]
        except _CannotCheck as problem:
            return [str(problem)]
        return [sentence for sentence in found if sentence]

    async def _check(self, rollout: Rollout, address: str, check: HttpCheck | NamedCheck) -> str | None:
        """What is wrong; None when it passed."""
        if isinstance(check, HttpCheck):
            return await self._checker.check(address, check)
        if self._asked is None:
            raise _CannotCheck(f"Slipway is not set up to ask the check {check.name}")
        config, at = self._lanes.check_of(rollout, check.name), self._lanes.now().timestamp()
        said = (await self._asked.ask_candidate(config, rollout.lane, address, at)).said
        return f"{check.name}: {said}" if said else None

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
