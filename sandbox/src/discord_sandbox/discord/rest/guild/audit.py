"""The audit log of a server, in pages."""

from discord_sandbox.discord.render import audit as render
from discord_sandbox.discord.render import objects
from discord_sandbox.discord.render.events import event
from discord_sandbox.discord.render.webhooks import webhook
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.audit import AuditEntry
from discord_sandbox.discord.state.model import JSON, Guild
from discord_sandbox.discord.traffic.rate_limits import READS


async def listed(call: Context) -> Result:
    """Newest first; with `after`, oldest first."""
    guild = call.managed_guild(perms.VIEW_AUDIT_LOG)
    query = call.query()
    limit = query.limit(50, 100)
    user, target, before, after = (
        query.snowflake(key) for key in ("user_id", "target_id", "before", "after")
    )
    action = query.number("action_type", 0, 2**31 - 1)
    query.check()
    found = [
        one
        for one in call.core.audit.of(guild)
        if (user is None or one.user_id == str(user))
        and (target is None or one.target_id == str(target))
        and action in (None, one.action)
        and (before is None or int(one.id) < before)
        and (after is None or int(one.id) > after)
    ]
    return _body(call, guild, found[:limit] if after is not None else found[::-1][:limit])


def _body(call: Context, guild: Guild, entries: list[AuditEntry]) -> JSON:
    """The entries, and what they name as far as it is still there."""
    state = call.core.state
    targets = [one.target_id for one in entries]
    named = dict.fromkeys([*(one.user_id for one in entries), *targets])
    channels = [guild.channels[one] for one in dict.fromkeys(targets) if one in guild.channels]
    commands = {one.id: one.body for app in state.applications.values() for one in app.commands.values()}
    events = [one for one in dict.fromkeys(targets) if one in guild.events]
    hooks = [state.webhooks[one] for one in dict.fromkeys(targets) if one in state.webhooks]
    return {
        "audit_log_entries": [render.entry(one) for one in entries],
        "users": [objects.user(state.users[one]) for one in named if one in state.users],
        "integrations": [],
        "webhooks": [webhook(one, call.core.api_base) for one in hooks],
        "guild_scheduled_events": [event(state, guild, guild.events[one]) for one in events],
        "threads": [objects.channel(one) for one in channels if one.is_thread],
        "application_commands": [commands[one] for one in dict.fromkeys(targets) if one in commands],
        "auto_moderation_rules": [],
    }


ENDPOINTS = (Endpoint("GET", "/guilds/{guild}/audit-logs", listed, READS, "guild", body=False),)
