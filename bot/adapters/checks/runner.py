"""Runner of checks of any kind, each within its time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from bot.adapters.checks.kind import CheckFailed, CheckKind, CheckSubject
from bot.domain.config import CheckConfig
from bot.domain.formatting import duration, one_line
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult
from bot.kinds import CheckSettings
from bot.ports.errors import Unreachable

log = structlog.get_logger(__name__)

_LONGEST = 300
# How long a target may take to say where a lane answers, in seconds.
_TARGET_S = 3.0


class CheckRunner:
    """Implements `bot.ports.watch.checks.Checks`.

    make: a check of its settings. answers_at: where a lane is asked, None where it has no address; raises `Unreachable`
    and `TargetRefused`. redact: of what a check says.
    """

    def __init__(
        self,
        make: Callable[[CheckSettings], CheckKind],
        answers_at: Callable[[Lane], Awaitable[str | None]],
        redact: Callable[[str], str] = str,
    ) -> None:
        self._make = make
        self._answers_at = answers_at
        self._redact = redact

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        settings = settings_of(check)
        address = await self._address(lane) if settings.asks_lane else None
        return await self._ask(check, CheckSubject(lane, address), at)

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        return await self._ask(check, CheckSubject(lane, address, candidate=True), at)

    async def _address(self, lane: Lane) -> str | None:
        try:
            async with asyncio.timeout(_TARGET_S):
                return await self._answers_at(lane)
        except TimeoutError:
            raise Unreachable(f"the target of {lane} did not answer within {_TARGET_S:g} s") from None

    async def _ask(self, check: CheckConfig, subject: CheckSubject, at: float) -> CheckResult:
        began, said = time.monotonic(), ""
        parts: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(check.timeout_s):
                await self._make(settings_of(check)).ask(subject)
        except TimeoutError:
            said = f"No answer within {duration(check.timeout_s)}."
        except CheckFailed as failed:
            said, parts = str(failed), failed.parts
        except Unreachable:
            raise  # nothing is known of the service
        except Exception as error:
            log.exception("check_broken", lane=str(subject.lane), check=check.name)
            said = f"The check itself failed: {type(error).__name__}."
        return CheckResult(at, time.monotonic() - began, one_line(self._redact(said), _LONGEST), parts)


def settings_of(check: CheckConfig) -> CheckSettings:
    """The settings in the form of their kind."""
    assert isinstance(check.settings, CheckSettings)
    return check.settings
