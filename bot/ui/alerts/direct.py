"""Direct messages about alerts, to people whom mentions in a channel did not reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import discord

from bot.ports.notifications import Announcement, UndeliveredError
from bot.ports.watch.alerts import AlertStore
from bot.ui.notices import NoticeText, alert_words
from bot.ui.rest import ClosedError, GoneError, GuildChannels, RejectedError, calling, link

Post = Callable[[GuildChannels, discord.PartialMessageable, NoticeText], Awaitable[int]]


class DirectMessages:
    """Writes to people. post: posts a message once, however often it is called with it."""

    def __init__(self, alerts: AlertStore | None, post: Post) -> None:
        self._alerts = alerts
        self._post = post

    async def send(self, channels: GuildChannels, said: Announcement) -> None:
        """Send it, unless its alert is over by now.

        Raises `UndeliveredError`, or `Unreachable` to be retried later.
        """
        alert = await self._alerts.load(said.alert_id) if self._alerts and said.alert_id else None
        if alert is not None and alert.over:
            return
        person = f"User {said.direct_to}"
        try:
            opened = await calling(lambda: channels.client.http.start_private_message(said.direct_to))
            person = _name(opened) or person
            place = channels.client.get_partial_messageable(
                int(opened["id"]), type=discord.ChannelType.private
            )
            await self._post(channels, place, alert_words(said, (), await self._card(said)))
        except GoneError as gone:
            raise UndeliveredError(person, f"Discord does not know them ({gone})") from None
        except (ClosedError, RejectedError) as refused:
            raise UndeliveredError(person, str(refused)) from None

    async def _card(self, said: Announcement) -> str:
        """The address of the alert's card in the server; empty without one."""
        cards = await self._alerts.cards(said.alert_id) if self._alerts and said.alert_id else ()
        for card in sorted(cards, key=lambda one: one.guild_id != said.guild_id):
            return link(card.guild_id, card.channel_id, card.message_id)
        return ""


def _name(opened: object) -> str:
    """Whom the channel is with, as Discord says it."""
    recipients = opened.get("recipients") if isinstance(opened, dict) else None
    first = recipients[0] if recipients else {}
    return str(first.get("global_name") or first.get("username") or "")
