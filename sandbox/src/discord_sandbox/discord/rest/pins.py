"""Pinned messages of channels."""

from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.traffic.rate_limits import READS


async def pins(call: Context) -> Result:
    channel = call.channel(perms.READ_MESSAGE_HISTORY)
    found = [channel.messages[one] for one in channel.pins if one in channel.messages]
    return [call.shown(one) for one in found]


async def pinned_items(call: Context) -> Result:
    channel = call.channel(perms.READ_MESSAGE_HISTORY)
    query = call.query()
    limit, before = query.limit(50, 50), query.moment("before")
    query.check()
    pinned = [channel.messages[one] for one in channel.pins if one in channel.messages]
    found = [one for one in pinned if before is None or one.pinned_at < before]
    items = [{"pinned_at": iso(one.pinned_at), "message": call.shown(one)} for one in found[:limit]]
    return {"items": items, "has_more": len(found) > limit}


async def pin(call: Context) -> Result:
    call.core.pins.pin(call.message(call.channel(perms.PIN_MESSAGES)), call.application.user)
    return None


async def unpin(call: Context) -> Result:
    call.core.pins.unpin(call.message(call.channel(perms.PIN_MESSAGES)))
    return None


M = "/channels/{channel}/messages"
P = "/channels/{channel}/pins"
ENDPOINTS = (
    Endpoint("GET", f"{M}/pins", pinned_items, READS, "channel", body=False),
    Endpoint("PUT", f"{M}/pins/{{message}}", pin, major="channel", body=False),
    Endpoint("DELETE", f"{M}/pins/{{message}}", unpin, major="channel", body=False),
    Endpoint("GET", P, pins, READS, "channel", body=False),
    Endpoint("PUT", f"{P}/{{message}}", pin, major="channel", body=False),
    Endpoint("DELETE", f"{P}/{{message}}", unpin, major="channel", body=False),
)
