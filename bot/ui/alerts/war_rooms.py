"""War rooms: a thread under the message that asks for someone to lead an incident."""

from __future__ import annotations

from typing import Literal

import discord

from bot.ports.notifications import Announcement
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore
from bot.ui import escaping
from bot.ui.cards.threads import Report
from bot.ui.rest import THREAD_EXISTS, ClosedError, GuildChannels, RejectedError, calling

_ARCHIVE_MINUTES: Literal[4320] = 4320
_NOTE: NoteKind = "war_room"


class WarRooms:
    """Opens each once, and posts what happened so far as its first message. May be repeated."""

    def __init__(self, notes: NoteStore, report: Report) -> None:
        self._notes = notes
        self._report = report

    async def thread(self, key: str) -> int | None:
        """The thread under the message of this key, once it is there."""
        note = await self._notes.note(_NOTE, key)
        return int(str(note["thread"])) if note is not None else None

    async def open(
        self,
        channels: GuildChannels,
        channel: discord.PartialMessageable,
        message_id: int,
        said: Announcement,
    ) -> None:
        """Raises `Unreachable` to be retried; a server that forbids threads is told so, and is not an error."""
        if await self._notes.note(_NOTE, said.key) is not None:
            return
        try:
            await self._begun(channels, channel, message_id, said.room)
        except ClosedError:
            sentence = f"{said.room} has no thread: the bot lacks the permission Create Public Threads."
            await self._report(channels.guild, f"{_NOTE}:{channels.guild.id}", sentence)
            return
        thread = channels.at(message_id)  # a message's thread has the message's id
        text = escaping.sentence(said.room_text, escaping.CONTENT - 100)
        if await channels.find(thread, lambda message: message.content == text) is None:
            await calling(lambda: thread.send(text, allowed_mentions=discord.AllowedMentions.none()))
        await self._notes.put_note(_NOTE, said.key, {"thread": str(message_id)})

    async def _begun(
        self, channels: GuildChannels, channel: discord.PartialMessageable, message_id: int, name: str
    ) -> None:
        http = channels.client.http
        try:
            await calling(
                lambda: http.start_thread_with_message(
                    channel.id,
                    message_id,
                    name=escaping.name(name, escaping.THREAD_NAME),
                    auto_archive_duration=_ARCHIVE_MINUTES,
                )
            )
        except RejectedError as error:
            if error.code != THREAD_EXISTS:
                raise
