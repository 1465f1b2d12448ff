"""A program of the team that asks whatever it likes, on Slipway's machine."""

from __future__ import annotations

from typing import Literal

from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.adapters.commands.parameters import filled
from bot.adapters.sources.programs import ProgramError, ProgramSettings, output_of
from bot.domain.formatting import one_line
from bot.kinds import CheckSettings

_LARGEST = 64 * 1024
_LONGEST = 300


class CommandCheckSettings(ProgramSettings, CheckSettings):
    """A program that exits with 0 when all is well; {service}, {environment} and {address} are filled in."""

    timed = False
    of_candidate = True

    kind: Literal["command"]

    @property
    def address(self) -> str:
        return self.command[0]

    @property
    def asks_lane(self) -> bool:
        return any("{address}" in word for word in self.command)


class CommandCheck:
    """Implements `Check`."""

    def __init__(self, settings: CommandCheckSettings, context: CheckContext) -> None:
        self._settings = settings

    async def ask(self, subject: CheckSubject) -> None:
        facts = {
            "service": subject.lane.service,
            "environment": subject.lane.environment,
            "address": subject.address or "",
        }
        argv = tuple(filled(word, facts) for word in self._settings.command)
        program = self._settings.model_copy(update={"command": argv})
        try:
            await output_of(program, _LARGEST)
        except ProgramError as error:
            raise CheckFailed(one_line(program.redacted(str(error)), _LONGEST)) from None


KIND = check_kind(CommandCheckSettings, CommandCheck)
