"""The bot itself: gateway address, user, servers."""

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.guild import counts as member_counts
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.traffic.rate_limits import READS

DAY = 86_400.0


async def gateway(call: Context) -> Result:
    return {"url": call.core.gateway.url}


async def gateway_bot(call: Context) -> Result:
    now = call.core.clock.now()
    total = call.core.state.world.identifies_per_day
    used = [one for one in call.application.identifies if now - one < DAY]
    return {
        "url": call.core.gateway.url,
        "shards": 1,
        "session_start_limit": {
            "total": total,
            "remaining": max(0, total - len(used)),
            "reset_after": int((used[0] + DAY - now) * 1000) if used else 0,
            "max_concurrency": 1,
        },
    }


async def me(call: Context) -> Result:
    return render.private_user(call.application.user)


async def user(call: Context) -> Result:
    found = call.core.state.users.get(call.params["user"])
    if found is None:
        raise DiscordError(10013)
    return render.user(found)


async def my_guilds(call: Context) -> Result:
    state, query = call.core.state, call.query()
    counts = query.flag("with_counts")
    return [
        {
            "id": guild.id,
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": guild.owner_id == call.application.id,
            "permissions": str(state.permissions(call.me(guild))),
            "features": [],
        }
        | (member_counts(guild) if counts else {})
        for guild in query.page(call.application.guilds.values(), lambda one: one.id, 200, 200)
    ]


async def direct_messages(call: Context) -> Result:
    """Open direct messages with a person; always the same channel. Raises 50033 for no one."""
    person = call.core.state.users.get(str(call.body.get("recipient_id")))
    if person is None or person.bot:
        raise DiscordError(50033)
    return render.channel(call.core.direct_channel(call.application, person))


ENDPOINTS = (
    Endpoint("GET", "/gateway", gateway, READS, token=False, body=False),
    Endpoint("GET", "/gateway/bot", gateway_bot, READS, body=False),
    Endpoint("GET", "/users/@me", me, READS, body=False),
    Endpoint("GET", "/users/@me/guilds", my_guilds, READS, body=False),
    Endpoint("POST", "/users/@me/channels", direct_messages),
    Endpoint("GET", "/users/{user}", user, READS, body=False),
)
