"""Scheduled events in Discord's JSON."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.model import JSON, Guild
from discord_sandbox.discord.state.store import State

GUILD_ONLY, INTERESTED = 2, 1


def event(state: State, guild: Guild, it: ScheduledEvent, *, counted: bool = False) -> JSON:
    """counted: with the number of those who are interested."""
    creator = state.users.get(it.creator_id)
    body: JSON = {
        "id": it.id,
        "guild_id": guild.id,
        "name": it.name,
        "description": it.description,
        "channel_id": it.channel_id,
        "creator_id": it.creator_id,
        "image": it.image_hash,
        "scheduled_start_time": iso(it.start),
        "scheduled_end_time": iso(it.end) if it.end is not None else None,
        "status": it.status,
        "entity_type": it.kind,
        "entity_id": None,
        "entity_metadata": {"location": it.location} if it.location is not None else None,
        "recurrence_rule": it.recurrence,
        "privacy_level": GUILD_ONLY,
        "guild_scheduled_event_exceptions": [],
    }
    if creator is not None:
        body["creator"] = render.user(creator)
    return body | {"user_count": len(it.users)} if counted else body


def interested(guild: Guild, it: ScheduledEvent, user_id: str, state: State, *, member: bool) -> JSON:
    """member: with what they are in the server, if they are."""
    body: JSON = {
        "guild_scheduled_event_id": it.id,
        "user_id": user_id,
        "user": render.user(state.users[user_id]),
        "response": INTERESTED,
    }
    known = guild.members.get(user_id)
    return body | {"member": render.member(known)} if member and known is not None else body
