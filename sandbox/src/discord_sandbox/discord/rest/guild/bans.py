"""Bans: list, ban one or many, lift."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.hierarchy import outranks
from discord_sandbox.discord.state.model import JSON, Guild, User
from discord_sandbox.discord.traffic.rate_limits import READS

WEEK_SECONDS, WEEK_DAYS, MOST_AT_ONCE = 604_800, 7, 200


def _ban(call: Context, guild: Guild, user_id: str) -> JSON:
    return {"user": render.user(call.core.state.users[user_id]), "reason": guild.bans[user_id]}


async def listed(call: Context) -> Result:
    guild = call.managed_guild(perms.BAN_MEMBERS)
    return [_ban(call, guild, one) for one in call.query().page(guild.bans, str, 1000, 1000)]


async def get(call: Context) -> Result:
    guild = call.managed_guild(perms.BAN_MEMBERS)
    if call.params["user"] not in guild.bans:
        raise DiscordError(10026)
    return _ban(call, guild, call.params["user"])


def _bannable(call: Context, guild: Guild, user_id: str) -> User | None:
    """The user, None if the bot cannot ban them. Raises 10013 for an id that no user has."""
    user = call.core.state.users.get(user_id)
    if user is None:
        raise DiscordError(10013)
    member = guild.members.get(user_id)
    refused = user_id == guild.owner_id or (member is not None and not outranks(call.me(guild), member))
    return None if refused else user


async def ban(call: Context) -> Result:
    guild = call.managed_guild(perms.BAN_MEMBERS)
    body = call.fields()
    seconds = body.number("delete_message_seconds", 0, WEEK_SECONDS)
    days = body.number("delete_message_days", 0, WEEK_DAYS)
    body.complaints.check()
    user = _bannable(call, guild, call.params["user"])
    if user is None:
        raise DiscordError(50013)
    span = seconds if seconds is not None else (days or 0) * 86_400
    call.core.members.ban(guild, user, call.reason(), span)
    return None


async def ban_many(call: Context) -> Result:
    guild = call.managed_guild(perms.BAN_MEMBERS, perms.MANAGE_GUILD)
    body = call.fields()
    ids = body.items("user_ids", MOST_AT_ONCE, least=1, required=True)
    span = body.number("delete_message_seconds", 0, WEEK_SECONDS) or 0
    body.complaints.check()
    done: list[str] = []
    failed: list[str] = []
    for user_id in dict.fromkeys(str(one) for one in ids or ()):
        known = user_id in call.core.state.users and user_id not in guild.bans
        user = _bannable(call, guild, user_id) if known else None
        (failed if user is None else done).append(user_id)
        if user is not None:
            call.core.members.ban(guild, user, call.reason(), span)
    if not done:
        raise DiscordError(500000)
    return {"banned_users": done, "failed_users": [one for one in failed if one.isdigit()]}


async def unban(call: Context) -> Result:
    guild = call.managed_guild(perms.BAN_MEMBERS)
    if call.params["user"] not in guild.bans:
        raise DiscordError(10026)
    call.core.members.unban(guild, call.core.state.users[call.params["user"]])
    return None


B = "/guilds/{guild}/bans"
ENDPOINTS = (
    Endpoint("GET", B, listed, READS, "guild", body=False),
    Endpoint("GET", f"{B}/{{user}}", get, READS, "guild", body=False),
    Endpoint("PUT", f"{B}/{{user}}", ban, major="guild"),
    Endpoint("DELETE", f"{B}/{{user}}", unban, major="guild", body=False),
    Endpoint("POST", "/guilds/{guild}/bulk-ban", ban_many, major="guild"),
)
