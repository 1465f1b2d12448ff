"""Data of the dispatches that answer a client: READY, GUILD_CREATE, GUILD_MEMBERS_CHUNK."""

from collections.abc import Collection

from discord_sandbox.discord.gateway.sessions import MEMBERS, VOICE_STATES, Session
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.application import application_flags
from discord_sandbox.discord.render.events import event
from discord_sandbox.discord.render.guild import guild_create as guild_body
from discord_sandbox.discord.render.voice import in_guild, stage_instance
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Guild
from discord_sandbox.discord.state.store import State


def ready(session: Session, resume_url: str, version: int) -> JSON:
    application = session.application
    body: JSON = {
        "v": version,
        "user_settings": {},
        "user": render.private_user(application.user),
        "guilds": [
            {"id": guild.id, "unavailable": True}
            for guild in application.guilds.values()
            if session.owns(guild)
        ],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": resume_url,
        "application": {"id": application.id} | application_flags(application),
        "private_channels": [],
        "presences": [],
        "relationships": [],
        "game_relationships": [],
        "guild_join_requests": [],
        "geo_ordered_rtc_regions": [],
        "auth": {},
        "_trace": ["sandbox"],
    }
    if session.sharded:
        body["shard"] = list(session.shard)
    return body


def guild_create(state: State, session: Session, guild: Guild) -> JSON:
    own = guild.members[session.application.id]
    members = list(guild.members.values()) if session.intents & MEMBERS else [own]
    seen = session.sees[guild.id] = state.visible(own)
    threads = [
        one
        for one in guild.channels.values()
        if one.thread is not None
        and not one.thread.archived
        and state.permissions(own, one) & perms.VIEW_CHANNEL
    ]
    heard: Collection[str] = seen if session.intents & VOICE_STATES else ()
    voice = [in_guild(guild.members[it.user_id], it) for it in guild.voice.values() if it.channel_id in heard]
    stages = [stage_instance(guild.channels[key], it) for key, it in guild.stages.items() if key in seen]
    events = [
        event(state, guild, one)
        for one in guild.events.values()
        if not one.is_over and (one.channel_id is None or one.channel_id in seen)
    ]
    body = guild_body(guild, members, seen, threads, own)
    return body | {"voice_states": voice, "stage_instances": stages, "guild_scheduled_events": events}


def channel_info(state: State, session: Session, guild: Guild, request: JSON) -> JSON:
    """The statuses of the voice channels that the bot sees, if it asked for them."""
    fields = request.get("fields")
    seen = state.visible(guild.members[session.application.id])
    channels = [
        {"id": one.id, "status": one.voice_status}
        for one in guild.channels.values()
        if one.id in seen and one.voice_status is not None
    ]
    return {
        "guild_id": guild.id,
        "channels": channels if isinstance(fields, list) and "status" in fields else [],
    }


def members_chunk(guild: Guild, request: JSON, online: Collection[str] | None = None) -> JSON:
    """The members that op 8 asked for, by `user_ids` or by a prefix of the name, in one chunk.

    online: ids of those who are connected; None where the session may not know.
    """
    wanted = request.get("user_ids")
    prefix = str(request.get("query") or "").lower()
    ids = [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]
    found = [
        member
        for member in guild.members.values()
        if (member.user.id in ids if wanted is not None else member.user.name.startswith(prefix))
    ]
    limit = request.get("limit") or len(found)
    body: JSON = {
        "guild_id": guild.id,
        "members": [render.member(member) for member in found[:limit]],
        "chunk_index": 0,
        "chunk_count": 1,
        "not_found": [one for one in ids if one not in guild.members] if wanted is not None else [],
    }
    if request.get("presences"):
        shown = [member.user for member in found[:limit] if online and member.user.id in online]
        body["presences"] = [
            {
                "user": {"id": user.id},
                "guild_id": guild.id,
                "status": "online",
                "activities": [],
                "client_status": {"web": "online"},
            }
            for user in shown
        ]
    if request.get("nonce") is not None:
        body["nonce"] = request["nonce"]
    return body
