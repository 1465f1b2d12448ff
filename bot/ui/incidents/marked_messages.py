"""Messages of an incident's thread that people mark with 📌: each becomes one line of the timeline."""

from __future__ import annotations

import discord
import structlog

from bot.engine.watch.incidents.service import Incidents
from bot.ports.errors import Unreachable
from bot.ui.rest import ClosedError, GoneError, RejectedError, calling, link

_log = structlog.get_logger(__name__)

PIN = "📌"


async def marked(
    incidents: Incidents, client: discord.Client, payload: discord.RawReactionActionEvent
) -> bool:
    """Record the message that was marked; whether it is one of an incident. Never raises: no one waits for an answer.

    The message is read by REST. Without the intent for message content, Discord leaves its text out: its link remains.
    """
    if payload.emoji.name != PIN or payload.guild_id is None or (payload.member and payload.member.bot):
        return False
    try:
        incident = await incidents.talked_about(payload.channel_id)
        if incident is None or incident.guild_id != payload.guild_id:
            return False
        channel = client.get_partial_messageable(payload.channel_id, guild_id=payload.guild_id)
        message = await calling(lambda: channel.fetch_message(payload.message_id))
        where = link(payload.guild_id, payload.channel_id, payload.message_id)
        text = " ".join(part for part in (_text(message), where) if part)
        await incidents.mark(
            payload.channel_id,
            payload.message_id,
            at=message.created_at,
            text=text,
            by=message.author.display_name,
        )
    except (Unreachable, GoneError, ClosedError, RejectedError) as error:
        by = {"guild_id": payload.guild_id, "user_id": payload.user_id}
        _log.warning("mark_not_recorded", message=payload.message_id, error=str(error), **by)
        return False
    return True


def _text(message: discord.Message) -> str:
    """What it says, or what is attached, on one line."""
    if message.content:
        return " ".join(message.content.split())[:400]
    return ", ".join(each.filename for each in message.attachments)[:200]
