"""Webhooks of channels, as kept in memory."""

from dataclasses import dataclass

from discord_sandbox.discord.state.model import Channel, User
from discord_sandbox.discord.state.picture import Picture


@dataclass(slots=True, eq=False)
class Webhook:
    """An address that posts into a channel without a bot. `application_id`: of the bot that made it, if one did."""

    id: str
    token: str
    channel: Channel
    name: str
    creator: User
    application_id: str | None = None
    avatar: Picture | None = None

    @property
    def avatar_hash(self) -> str | None:
        return self.avatar.digest if self.avatar is not None else None
