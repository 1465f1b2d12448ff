"""Whether a Discord bot is online, as Discord shows it in a server that Slipway is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.adapters.metrics.probe import GATEWAY
from bot.kinds import CheckSettings, SettingsProblem
from bot.values import shaped

_ONLINE = frozenset({"online", "idle", "dnd"})


class PresenceSettings(CheckSettings):
    """Whether Discord shows a bot as online. Needs SLIPWAY_DISCORD_PRESENCES and the Presence intent."""

    timed: ClassVar[bool] = False

    kind: Literal["presence"]
    bot: Annotated[str, *shaped(r"^[1-9][0-9]{0,18}$", "a Discord id")] = Field(
        description="Discord id of the bot, in quotes."
    )

    @property
    def address(self) -> str:
        return f"the presence of {self.bot}"

    @property
    def says(self) -> frozenset[str]:
        return frozenset({GATEWAY})

    @property
    def presence_of(self) -> int | None:
        return int(self.bot)

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        if self.locations:
            sentence = "are not for presence: Discord tells it to the process that holds the gateway, and to no other."
            hint = "Have another check asked from locations, such as the bot's health with url."
            yield SettingsProblem(("locations",), sentence, hint)


class PresenceCheck:
    """Implements `CheckKind`."""

    def __init__(self, settings: PresenceSettings, context: CheckContext) -> None:
        self._bot = int(settings.bot)
        self._presence = context.presence

    async def ask(self, subject: CheckSubject) -> None:
        """Raises `Unreachable` while no one was told: then nothing is known."""
        status = await self._presence(self._bot)
        if status is None:
            raise CheckFailed(f"The bot {self._bot} is in none of Slipway's servers.")
        if status not in _ONLINE:
            raise CheckFailed(f"Discord shows the bot {self._bot} as {status}.", (GATEWAY,))


KIND = check_kind(PresenceSettings, PresenceCheck)
