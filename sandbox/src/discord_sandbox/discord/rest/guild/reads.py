"""A server, its channels, roles and members, as read."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.guild import counts
from discord_sandbox.discord.render.guild import guild as guild_body
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.traffic.rate_limits import READS


async def guild(call: Context) -> Result:
    found = call.guild()
    body = guild_body(found)
    if call.query().flag("with_counts"):
        body |= counts(found)
    return body


async def channels(call: Context) -> Result:
    """Those that the bot sees."""
    found = call.guild()
    seen = call.core.state.visible(call.me(found))
    return [render.channel(one) for one in found.channels.values() if one.id in seen]


async def active_threads(call: Context) -> Result:
    found = call.guild()
    me = call.application.id
    threads = [
        one
        for one in found.channels.values()
        if one.thread is not None and not one.thread.archived and call.may(one, perms.VIEW_CHANNEL)
    ]
    return {
        "threads": [render.channel(one, me) for one in threads],
        "members": [
            render.thread_member(one, one.thread, me)
            for one in threads
            if one.thread is not None and me in one.thread.members
        ],
        "has_more": False,
    }


async def roles(call: Context) -> Result:
    return [render.role(one) for one in call.guild().roles.values()]


async def role(call: Context) -> Result:
    found = call.guild().roles.get(call.params["role"])
    if found is None:
        raise DiscordError(10011)
    return render.role(found)


async def member(call: Context) -> Result:
    return render.member(call.member(call.guild()))


async def members(call: Context) -> Result:
    found = call.guild()
    if not call.application.privileged_intents & 1 << 1:
        raise DiscordError(50001)
    listed = call.query().page(found.members.values(), lambda one: one.user.id, 1, 1000)
    return [render.member(one) for one in listed]


async def search(call: Context) -> Result:
    query = call.query()
    prefix = (query.text("query", 100, shortest=1, required=True) or "").lower()
    limit = query.limit(1, 1000)
    query.check()
    found = [
        one
        for one in call.guild().members.values()
        if one.user.name.lower().startswith(prefix) or (one.nick or "").lower().startswith(prefix)
    ]
    return [render.member(one) for one in found[:limit]]


ENDPOINTS = (
    Endpoint("GET", "/guilds/{guild}", guild, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/channels", channels, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/threads/active", active_threads, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/roles", roles, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/roles/{role}", role, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/members", members, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/members/search", search, READS, "guild", body=False),
    Endpoint("GET", "/guilds/{guild}/members/{user}", member, READS, "guild", body=False),
)
