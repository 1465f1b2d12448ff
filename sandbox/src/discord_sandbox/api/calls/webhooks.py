"""Webhooks, as a channel's settings make and delete them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid
from discord_sandbox.discord.actions.audit import acting
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.webhooks import read_name
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.state.webhook import Webhook


def shown(core: Core, it: Webhook) -> JSON:
    return {
        "id": it.id,
        "name": it.name,
        "channel": it.channel.name,
        "channel_id": it.channel.id,
        "user": it.creator.name,
        "token": it.token,
        "url": f"{core.api_base}/webhooks/{it.id}/{it.token}",
    }


async def listed(call: ApiCall) -> JSON:
    return {"webhooks": [shown(call.core, one) for one in call.core.state.webhooks.values()]}


async def create(call: ApiCall) -> JSON:
    """POST webhooks: a person makes one for a program that is no bot."""
    channel = call.channel(call.need("channel"))
    member = call.member(call.need("user"), channel.guild)
    if channel.is_thread or channel.is_direct or not channel.holds_messages:
        raise invalid(f'"{channel.name}" cannot have webhooks.')
    complaints = Complaints()
    name = read_name(Fields(call.body, complaints), required=True)
    complaints.check()
    with acting(member.user.id):
        made = call.core.webhooks.create(channel, name or "", member.user)
    return shown(call.core, made)


async def delete(call: ApiCall) -> JSON:
    found = call.core.state.webhooks.get(call.params["id"])
    if found is None:
        raise ApiError(404, "unknown_webhook", f'There is no webhook "{call.params["id"]}".')
    call.core.webhooks.delete(found)
    return shown(call.core, found)
