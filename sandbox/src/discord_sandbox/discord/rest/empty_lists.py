"""Lists of what the sandbox does not have: empty, for those who may read them."""

from collections.abc import Callable, Mapping
from typing import Any

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint, Handler
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.traffic.rate_limits import READS

LISTS: Mapping[str, int] = {  # and the permission that reading one needs
    "stickers": 0,
    "integrations": perms.MANAGE_GUILD,
    "templates": perms.MANAGE_GUILD,
    "auto-moderation/rules": perms.MANAGE_GUILD,
}
UNKNOWN = {
    "stickers/{sticker}": 10060,
}


def _of_guild(permission: int) -> Handler:
    async def listed(call: Context) -> Result:
        call.managed_guild(*([permission] if permission else []))
        return []

    return listed


def _unknown(code: int) -> Handler:
    async def missing(call: Context) -> Result:
        call.guild()
        raise DiscordError(code)

    return missing


def _of_application(empty: Callable[[], Any]) -> Handler:
    async def listed(call: Context) -> Result:
        call.own_application()
        query = call.query()
        query.limit(100, 100)
        query.check()
        found: Result = empty()
        return found

    return listed


async def sounds(call: Context) -> Result:
    call.guild()
    return {"items": []}


async def sticker_packs(call: Context) -> Result:
    return {"sticker_packs": []}


async def default_sounds(call: Context) -> Result:
    return []


G, A = "/guilds/{guild}", "/applications/{application}"
ENDPOINTS = (
    *(
        Endpoint("GET", f"{G}/{path}", _of_guild(needs), READS, "guild", body=False)
        for path, needs in LISTS.items()
    ),
    *(
        Endpoint("GET", f"{G}/{path}", _unknown(code), READS, "guild", body=False)
        for path, code in UNKNOWN.items()
    ),
    Endpoint("GET", f"{G}/soundboard-sounds", sounds, READS, "guild", body=False),
    Endpoint("GET", f"{A}/entitlements", _of_application(list), READS, body=False),
    Endpoint("GET", f"{A}/role-connections/metadata", _of_application(list), READS, body=False),
    Endpoint("GET", "/sticker-packs", sticker_packs, READS, body=False),
    Endpoint("GET", "/soundboard-default-sounds", default_sounds, READS, body=False),
)
