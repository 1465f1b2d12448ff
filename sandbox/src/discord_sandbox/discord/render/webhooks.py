"""Webhooks in Discord's JSON."""

from discord_sandbox.discord.render.objects import user
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.state.webhook import Webhook

INCOMING = 1


def webhook(it: Webhook, api_base: str, *, creator: bool = True) -> JSON:
    """`creator`: with the user who made it, as calls with a bot's token see it."""
    body: JSON = {
        "id": it.id,
        "type": INCOMING,
        "guild_id": it.channel.guild.id,
        "channel_id": it.channel.id,
        "name": it.name,
        "avatar": it.avatar_hash,
        "application_id": it.application_id,
        "token": it.token,
        "url": f"{api_base}/webhooks/{it.id}/{it.token}",
    }
    return body | {"user": user(it.creator)} if creator else body
