"""Direct messages about alerts, to people whom mentions in a channel did not reach. They develop with their alert."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import discord
import structlog

from bot.domain import phrasebook
from bot.domain.watch.alerts.alert import Alert
from bot.ports.notifications import Announcement, UndeliveredError
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore
from bot.ports.watch.alerts import AlertStore
from bot.ui import escaping
from bot.ui.alerts.buttons import acknowledge_button
from bot.ui.notices import NoticeText, alert_words
from bot.ui.rest import ClosedError, GoneError, GuildChannels, RejectedError, calling, link

_log = structlog.get_logger(__name__)

Post = Callable[[GuildChannels, discord.PartialMessageable, NoticeText], Awaitable[int]]

_NOTE: NoteKind = "alert_direct"
_NO_ONE = discord.AllowedMentions.none()
# Of one alert, the newest so many are edited.
_MOST = 20


@dataclass(frozen=True, slots=True)
class _Written:
    """A direct message: where it is, what it said at first, and what it says of its alert now. Ids are text: JSON."""

    channel: str
    message: str
    guild: str
    said: str
    shown: str


class DirectMessages:
    """Writes to people, once, and edits what it wrote. post: posts a message once, however often it is called with it.

    Which messages an alert has is a note, so a restart edits them too. One process does this: the one that speaks.
    """

    def __init__(self, alerts: AlertStore | None, notes: NoteStore, post: Post) -> None:
        self._alerts = alerts
        self._notes = notes
        self.post = post
        self._turn = asyncio.Lock()

    async def send(self, channels: GuildChannels, said: Announcement) -> None:
        """Send it, unless its alert is over by now.

        Raises `UndeliveredError`, or `Unreachable` to be retried later.
        """
        alert = await self._alert(said.alert_id)
        if alert is not None and alert.over:
            return
        person = f"User {said.direct_to}"
        text = alert_words(said, (), await self._card(said))
        if alert is not None and standing(alert) == "":
            text = replace(text, button=partial(acknowledge_button, alert.id, said.guild_id))
        try:
            opened = await calling(lambda: channels.client.http.start_private_message(said.direct_to))
            person = _name(opened) or person
            message = await self.post(channels, _place(channels.client, int(opened["id"])), text)
        except GoneError as gone:
            raise UndeliveredError(person, f"Discord does not know them ({gone})") from None
        except (ClosedError, RejectedError) as refused:
            raise UndeliveredError(person, str(refused)) from None
        if alert is not None:
            written = _Written(
                str(opened["id"]), str(message), str(said.guild_id), text.content, standing(alert)
            )
            await self._remember(alert, written)
            # It may have changed while this was posted.
            now = await self._alert(alert.id)
            if now is not None:
                await self.update(channels.client, now)

    async def update(self, client: discord.Client, alert: Alert) -> None:
        """Let the messages about the alert say who has it, or that it is over. Raises `Unreachable`."""
        shown = standing(alert)
        async with self._turn:
            written = await self._written(alert)
            if any(each.shown != shown for each in written):
                edited = [
                    each if each.shown == shown else await self._edited(client, alert, each)
                    for each in written
                ]
                await self._note(alert, [each for each in edited if each is not None])

    async def _edited(self, client: discord.Client, alert: Alert, written: _Written) -> _Written | None:
        """The message as it is now; None for one that takes no more edits."""
        shown = standing(alert)
        view = discord.ui.View(timeout=None)
        if not shown:
            view.add_item(acknowledge_button(alert.id, int(written.guild)))
        body, _, mark = written.said.rpartition("\n")
        content = "\n".join(part for part in (body, shown, mark) if part)
        message = _place(client, int(written.channel)).get_partial_message(int(written.message))
        try:
            await calling(lambda: message.edit(content=content, view=view, allowed_mentions=_NO_ONE))
        except (GoneError, ClosedError, RejectedError) as refused:
            _log.warning("direct_message_not_edited", alert=alert.id, error=str(refused))
            return None
        return replace(written, shown=shown)

    async def _remember(self, alert: Alert, written: _Written) -> None:
        async with self._turn:
            known = [each for each in await self._written(alert) if each.message != written.message]
            await self._note(alert, [*known, written][-_MOST:])

    async def _written(self, alert: Alert) -> list[_Written]:
        note = await self._notes.note(_NOTE, str(alert.id))
        if note is None or note["of"] != _of(alert):
            return []
        rows: Any = note["messages"]
        return [_Written(**row) for row in rows]

    async def _note(self, alert: Alert, written: Sequence[_Written]) -> None:
        rows = [asdict(each) for each in written]
        await self._notes.put_note(_NOTE, str(alert.id), {"of": _of(alert), "messages": rows})

    async def _alert(self, alert_id: int) -> Alert | None:
        return await self._alerts.load(alert_id) if self._alerts is not None and alert_id else None

    async def _card(self, said: Announcement) -> str:
        """The address of the alert's card in the server; empty without one."""
        cards = await self._alerts.cards(said.alert_id) if self._alerts and said.alert_id else ()
        for card in sorted(cards, key=lambda one: one.guild_id != said.guild_id):
            return link(card.guild_id, card.channel_id, card.message_id)
        return ""


def standing(alert: Alert) -> str:
    """What a direct message says of its alert; empty while it waits for someone, and the message has the button."""
    if alert.over:
        return f"✅ {escaping.sentence(phrasebook.direct_over(), 100)}"
    if alert.owner is None or alert.asked_at is not None:
        return ""
    return f"✅ {escaping.sentence(phrasebook.direct_taken(alert.owner.name), 200)}"


def _of(alert: Alert) -> str:
    """Tells alerts of one number apart: a database that lost commits gives numbers again."""
    return alert.opened_at.isoformat()


def _place(client: discord.Client, channel_id: int) -> discord.PartialMessageable:
    return client.get_partial_messageable(channel_id, type=discord.ChannelType.private)


def _name(opened: object) -> str:
    """Whom the channel is with, as Discord says it."""
    recipients = opened.get("recipients") if isinstance(opened, dict) else None
    first = recipients[0] if recipients else {}
    return str(first.get("global_name") or first.get("username") or "")
