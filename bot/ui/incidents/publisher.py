"""Posts and edits the cards of incidents, and opens their threads. Every operation may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import discord
import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig
from bot.domain.watch.incidents.incident import Incident
from bot.engine.watch.incidents.api import IncidentView
from bot.engine.watch.incidents.service import Incidents
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement
from bot.ports.store import NoteStore
from bot.ports.watch.incidents import IncidentCard, IncidentStore
from bot.ui.alerts.war_rooms import WarRooms
from bot.ui.incidents.buttons import incident_controls
from bot.ui.incidents.card import incident_embed, incident_headline
from bot.ui.live_message import LiveMessages
from bot.ui.message_budget import MessageBudget
from bot.ui.rest import ClosedError, GoneError, GuildChannels, RejectedError, calling

_log = structlog.get_logger(__name__)

_BATCH = 20
# Where the card is posted: the first channel that is there and open to us.
_CHANNELS = ("incidents", "alerts", "deploys")
# The thread of a war room comes with the message that calls people; without it, the card gets one of its own.
_ROOM_S, _LOOK_S = 60.0, 1.0


class IncidentCards:
    """Brings cards up to date, the worst first: `once` is a round of a loop in the process that speaks to Discord."""

    def __init__(
        self,
        rest: Callable[[], discord.Client],
        incidents: Incidents,
        *,
        store: IncidentStore,
        notes: NoteStore,
        catalog: Callable[[], Catalog],
        rooms: WarRooms,
        budget: MessageBudget,
    ) -> None:
        self._rest = rest
        self._incidents = incidents
        self._store = store
        self._catalog = catalog
        self._rooms = rooms
        self._messages = LiveMessages("incident", notes, budget)
        # Incidents that wait for the thread of their war room, each with the time until when; None: not looked yet.
        self._waiting: dict[int, float] | None = None
        self._look_at = 0.0

    async def once(self) -> bool:
        """A server that does not answer delays no other one. Raises `Unreachable` for it at the end."""
        outdated = await self._store.undrawn(_BATCH)
        away: dict[int, Unreachable] = {}
        for incident in outdated:
            if incident.guild_id in away:
                continue
            try:
                await self._brought_up_to_date(incident)
            except Unreachable as error:
                away[incident.guild_id] = error
        await self._await_rooms()
        for unreachable in away.values():
            raise unreachable
        return len(outdated) == _BATCH

    async def _brought_up_to_date(self, incident: Incident) -> None:
        view = await self._incidents.view(incident.id)
        guild = self._catalog().guilds.get(incident.guild_id)
        if guild is not None:
            await self._draw(view, guild)
        await self._store.drawn(incident.id, view.incident.version)

    async def _draw(self, view: IncidentView, guild: GuildConfig) -> None:
        incident = view.incident
        channels = GuildChannels(self._rest(), guild)
        card = await self._store.card(incident.id)
        thread = card.thread_id if card is not None else await self._room(incident)
        try:
            if card is not None and await self._edited(channels, view, card):
                return
            posted = await self._post(channels, view, card, thread)
            if posted is not None and posted.thread_id is None:
                await self._open_thread(channels, incident, posted)
        except (GoneError, ClosedError, RejectedError) as error:
            _log.error("incident_card_refused", incident=incident.id, guild_id=guild.id, error=str(error))

    async def _edited(self, channels: GuildChannels, view: IncidentView, card: IncidentCard) -> bool:
        """Whether the message is there and shows it now."""
        # A thread under the card needs no link.
        shown = _shown(view, card.thread_id if card.thread_id != card.message_id else None)
        edited = await self._messages.edited(
            channels, card.channel_id, card.message_id, lambda message: calling(lambda: message.edit(**shown))
        )
        return edited is not None

    async def _post(
        self, channels: GuildChannels, view: IncidentView, old: IncidentCard | None, thread: int | None
    ) -> IncidentCard | None:
        """Post the card in the first channel that takes it, and remember where it is."""
        incident = view.incident
        shown = _shown(view, thread)
        gone = old.message_id if old is not None else 0
        for name in _CHANNELS:
            try:
                channel = await channels.channel(name)
                sent = await self._sent(channels, channel, incident, shown, gone)
            except (GoneError, ClosedError) as error:
                _log.warning(
                    "incidents_channel_closed", guild=channels.guild.id, channel=name, error=str(error)
                )
                continue
            card = IncidentCard(incident.id, channel.id, sent.id, thread)
            await self._store.put_card(card)
            return card
        return None

    async def _sent(
        self,
        channels: GuildChannels,
        channel: discord.PartialMessageable,
        incident: Incident,
        shown: dict[str, Any],
        gone: int,
    ) -> discord.Message:
        return await self._messages.sent(
            channels,
            channel,
            (incident.id, f"Incident {incident.id}"),
            lambda nonce: calling(lambda: channel.send(**shown, nonce=nonce)),
            gone=gone,
        )

    async def _open_thread(
        self, channels: GuildChannels, incident: Incident, card: IncidentCard, *, waited: bool = False
    ) -> None:
        """The thread under the card, or wait for that of the war room."""
        if incident.room and not waited:
            waiting = self._waiting if self._waiting is not None else {}
            waiting.setdefault(incident.id, asyncio.get_running_loop().time() + _ROOM_S)
            self._waiting = waiting
            return
        key = f"incident-{incident.id}-{incident.opened_at.timestamp():.0f}"[:24]
        said = Announcement(
            key,
            incident.guild_id,
            incident.title,
            "",
            room=incident.thread_name,
            room_text=phrasebook.incident_room(incident.title, incident.since),
        )
        await self._rooms.open(channels, channels.at(card.channel_id), card.message_id, said)
        thread = await self._rooms.thread(key)
        if thread is not None:
            await self._store.put_card(replace(card, thread_id=thread))

    async def _room(self, incident: Incident) -> int | None:
        return await self._rooms.thread(incident.room) if incident.room else None

    async def _await_rooms(self) -> None:
        """Take threads of war rooms that have opened since the card was posted."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        if self._waiting is None:
            # Those that waited in a process before this one.
            self._waiting = {each.id: now + _ROOM_S for each in await self._store.open() if each.room}
        for incident_id, until in list(self._waiting.items()):
            if await self._has_room(incident_id, late=now >= until):
                del self._waiting[incident_id]

    async def _has_room(self, incident_id: int, *, late: bool) -> bool:
        """Whether nothing more is to be waited for."""
        incident, card = await self._store.load(incident_id), await self._store.card(incident_id)
        if incident is None or card is None:
            return late
        if card.thread_id is not None:
            return True
        thread = await self._room(incident)
        if thread is not None:
            await self._store.put_card(replace(card, thread_id=thread))
            await self._store.redraw(incident_id)
            return True
        guild = self._catalog().guilds.get(incident.guild_id)
        if late and guild is not None:
            channels = GuildChannels(self._rest(), guild)
            try:
                await self._open_thread(channels, incident, card, waited=True)
            except (GoneError, ClosedError, RejectedError) as error:
                _log.warning("incident_thread_refused", incident=incident_id, error=str(error))
        return late


def _shown(view: IncidentView, thread: int | None) -> dict[str, Any]:
    """What a post and an edit have in common."""
    incident = view.incident
    return {
        "content": incident_headline(incident),
        "embed": incident_embed(view, thread),
        "view": incident_controls(incident),
        "allowed_mentions": discord.AllowedMentions.none(),
    }
