"""Live messages: posted once, and edited as what they show develops. Every operation may be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Literal

import discord

from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore
from bot.ui.message_budget import MessageBudget, Priority
from bot.ui.rest import TOO_OLD, GoneError, GuildChannels, RejectedError

Edit = Callable[[discord.PartialMessage], Awaitable[discord.Message]]
# Posts the message with a nonce.
Send = Callable[[str], Awaitable[discord.Message]]


class LiveMessages:
    """kind: of the notes that say that a post was tried, and of the nonces.

    What edits and sends is the caller's, as `calling` does it: raises `Unreachable`, or an error of `bot.ui.rest`.
    """

    def __init__(self, kind: Literal["alert", "incident"], notes: NoteStore, budget: MessageBudget) -> None:
        self._kind = kind
        self._note: NoteKind = "alert_card" if kind == "alert" else "incident_card"
        self._notes = notes
        self._budget = budget

    async def edited(
        self, channels: GuildChannels, channel_id: int, message_id: int, edit: Edit
    ) -> discord.Message | None:
        """The message as it is now; None when it is gone, or takes no more edits."""
        await self._budget.turn(channel_id, Priority.STATE)
        try:
            return await edit(channels.at(channel_id).get_partial_message(message_id))
        except GoneError:
            return None
        except RejectedError as error:
            if error.code != TOO_OLD:
                raise
            return None

    async def sent(
        self,
        channels: GuildChannels,
        channel: discord.PartialMessageable,
        about: tuple[int, str],
        send: Send,
        *,
        gone: int,
    ) -> discord.Message:
        """Post it. One that an earlier attempt posted is taken.

        about: id of what it shows, and its embed's footer. gone: the message that was there before; 0 for none.
        """
        number, footer = about
        key = f"{number}/{channels.guild.id}"
        if await self._notes.note(self._note, key) is not None:
            found = await channels.find(
                channel, lambda message: any(each.footer.text == footer for each in message.embeds)
            )
            if found is not None:
                return found
        await self._notes.put_note(self._note, key, {"tried": True})
        await self._budget.turn(channel.id, Priority.URGENT)
        # The same for every attempt, and another one for the message after `gone`.
        once = f"{self._kind}/{number}/{channels.guild.id}/{gone}"
        return await send(hashlib.sha256(once.encode()).hexdigest()[:25])
