"""Invites in Discord's JSON."""

from discord_sandbox.discord.render import guild as server
from discord_sandbox.discord.render.objects import user
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import JSON, Guild
from discord_sandbox.discord.state.store import State

TO_SERVER = 0
_OF_GUILD = (
    *("id", "name", "splash", "banner", "description", "icon", "features", "verification_level"),
    *("vanity_url_code", "nsfw_level", "nsfw", "premium_subscription_count"),
)


def invite(state: State, guild: Guild, it: Invite) -> JSON:
    """As everyone sees it who has the code."""
    channel, whole = guild.channels[it.channel_id], server.guild(guild)
    return {
        "type": TO_SERVER,
        "code": it.code,
        "expires_at": iso(it.expires) if it.expires is not None else None,
        "flags": 0,
        "guild": {key: whole[key] for key in _OF_GUILD},
        "guild_id": guild.id,
        "channel": {"id": channel.id, "type": channel.kind, "name": channel.name},
        "inviter": user(state.users[it.inviter_id]),
    }


def metadata(it: Invite) -> JSON:
    """What those see besides who manage invites."""
    return {
        "uses": it.uses,
        "max_uses": it.max_uses,
        "max_age": it.max_age,
        "temporary": it.temporary,
        "created_at": iso(it.created),
    }


def created(state: State, guild: Guild, it: Invite) -> JSON:
    """Data of INVITE_CREATE."""
    body = invite(state, guild, it) | metadata(it) | {"channel_id": it.channel_id}
    return {key: value for key, value in body.items() if key not in ("guild", "channel", "flags")}
