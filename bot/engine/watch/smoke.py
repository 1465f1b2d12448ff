"""Smoke tests: every check of a lane, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.config import CheckConfig
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult
from bot.ports.errors import TargetRefused, Unreachable
from bot.ports.watch.checks import Checks

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Smoked:
    """What came of one check."""

    check: CheckConfig
    result: CheckResult


async def smoke(asked: Checks, lane: Lane, checks: Iterable[CheckConfig], at: float) -> Sequence[Smoked]:
    """Ask every check once, several at a time; in their order. at: the present time (unix seconds).

    If the target does not say where the lane answers, its checks have not passed.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(check: CheckConfig) -> Smoked:
        async with places:
            try:
                return Smoked(check, await asked.ask(check, lane, at))
            except (Unreachable, TargetRefused) as away:
                return Smoked(check, CheckResult(at, 0.0, f"It could not be asked: {away}."))

    return await asyncio.gather(*map(one, checks))
