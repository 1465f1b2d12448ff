"""People of a Discord server, beside those who have just pressed something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bot.domain.config import GuildConfig


class Members(Protocol):
    async def roles(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
        """The catalog roles that the person has now; none for a person who is not in the server.

        While Discord does not answer, those that were seen last. Raises `Unreachable` where none were.
        """
        ...

    async def gone(self, guild: GuildConfig, user_ids: Iterable[int]) -> frozenset[int]:
        """Those of these people who are not in the server. All count as there while Discord does not answer."""
        ...
