"""Who did what in a server: its audit log."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.state.model import JSON


async def listed(call: ApiCall) -> JSON:
    """GET audit-log: newest first, of one action if `action` names it."""
    guild = call.guild() or next(iter(call.core.state.guilds.values()))
    wanted = call.get("action")
    if wanted is not None and wanted not in Action.__members__:
        raise unknown("action", wanted, Action.__members__)
    users = call.core.state.users
    entries = [
        {
            "id": one.id,
            "time": time(one.created),
            "action": Action(one.action).name,
            "user": users[one.user_id].name if one.user_id in users else None,
            "user_id": one.user_id,
            "target": users[one.target_id].name if one.target_id in users else None,
            "target_id": one.target_id,
            "changes": one.changes,
            "options": one.options,
            "reason": one.reason,
        }
        for one in reversed(call.core.audit.of(guild))
        if wanted in (None, Action(one.action).name)
    ]
    return {"entries": entries[: int(call.number("limit", 100))]}
