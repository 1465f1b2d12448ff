"""Webhooks: of channels and servers, by id, and by their token, which is also how interactions are followed up."""

from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.actions.webhooks import author
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.webhooks import webhook as render
from discord_sandbox.discord.rest import forums, interactions
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import messages as rules
from discord_sandbox.discord.rules.webhooks import read_avatar, read_avatar_url, read_name
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import Channel, Message
from discord_sandbox.discord.state.webhook import Webhook
from discord_sandbox.discord.traffic.rate_limits import READS, RateLimit

THROUGH = RateLimit(5, 2.0)


def _can_have(channel: Channel) -> bool:
    """Whether the channel can have webhooks."""
    return not channel.is_thread and (channel.holds_messages or channel.forum is not None)


async def create(call: Context) -> Result:
    channel = call.guild_channel(perms.MANAGE_WEBHOOKS)
    if not _can_have(channel):
        raise DiscordError(50024)
    body = call.fields()
    name, avatar = read_name(body, required=True), read_avatar(body)
    body.complaints.check()
    made = call.core.webhooks.create(channel, name or "", call.application.user, avatar)
    return render(made, call.core.api_base)


async def of_channel(call: Context) -> Result:
    channel = call.guild_channel(perms.MANAGE_WEBHOOKS)
    return [render(one, call.core.api_base) for one in call.core.webhooks.of(channel)]


async def of_guild(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_WEBHOOKS)
    found = [one for one in call.core.state.webhooks.values() if one.channel.guild is guild]
    return [render(one, call.core.api_base) for one in found]


def _managed(call: Context) -> Webhook:
    """The webhook in the path. Raises 10015, or 50013 if the bot may not manage those of its channel."""
    found = call.core.state.webhooks.get(call.params["webhook"])
    if found is None:
        raise DiscordError(10015)
    if not call.may(found.channel, perms.MANAGE_WEBHOOKS):
        raise DiscordError(50013)
    return found


async def get(call: Context) -> Result:
    return render(_managed(call), call.core.api_base)


async def patch(call: Context) -> Result:
    found = _managed(call)
    body = call.fields()
    name, place = read_name(body), body.snowflake("channel_id")
    avatar = read_avatar(body, found.avatar)
    channel = found.channel.guild.channels.get(str(place)) if place is not None else None
    if place is not None and (channel is None or not _can_have(channel)):
        body.complain("channel_id", "CHANNEL_INVALID", "This channel cannot have webhooks.")
    body.complaints.check()
    if channel is not None and not call.may(channel, perms.MANAGE_WEBHOOKS):
        raise DiscordError(50013)
    call.core.webhooks.change(found, name, channel, avatar)
    return render(found, call.core.api_base)


async def delete(call: Context) -> Result:
    call.core.webhooks.delete(_managed(call))
    return None


def _by_token(call: Context) -> Webhook | None:
    """The webhook of the path; None for an application's, which is the address of its interactions.

    Raises 50027 for a wrong token.
    """
    found = call.core.state.webhooks.get(call.params["application"])
    if found is not None and found.token != call.params["token"]:
        raise DiscordError(50027)
    return found


def _known(call: Context) -> Webhook:
    """As `_by_token`. Raises 10015 for an application's."""
    found = _by_token(call)
    if found is None:
        raise DiscordError(10015)
    return found


async def get_by_token(call: Context) -> Result:
    return render(_known(call), call.core.api_base, creator=False)


async def patch_by_token(call: Context) -> Result:
    found = _known(call)
    body = call.fields()
    name, avatar = read_name(body), read_avatar(body, found.avatar)
    body.complaints.check()
    call.core.webhooks.change(found, name, None, avatar)
    return render(found, call.core.api_base, creator=False)


async def delete_by_token(call: Context) -> Result:
    call.core.webhooks.delete(_known(call))
    return None


def _place(call: Context, webhook: Webhook) -> Channel:
    """Its channel, or the thread that the query names. Raises 10003 for one of another channel."""
    query = call.query()
    thread_id = query.snowflake("thread_id")
    query.check()
    if thread_id is None:
        return webhook.channel
    found = webhook.channel.guild.channels.get(str(thread_id))
    if found is None or found.thread is None or found.thread.parent is not webhook.channel:
        raise DiscordError(10003)
    return found


def _upload(call: Context, webhook: Webhook) -> Upload:
    """The body; of what no bot made without its components, unless the query asks for them."""
    with_components = call.query().flag("with_components")
    if webhook.application_id is not None or with_components:
        return call.upload
    return call.upload.part({key: one for key, one in call.body.items() if key != "components"})


async def execute(call: Context) -> Result:
    webhook = _by_token(call)
    if webhook is None:
        return await interactions.follow(call)
    place, body, upload = _place(call, webhook), call.fields(), _upload(call, webhook)
    wait = call.query().flag("wait")
    origin = author(webhook, read_name(body, "username"), read_avatar_url(body))
    body.complaints.check()
    if place.forum is not None or (webhook.channel.forum is not None and "thread_name" in call.body):
        return forums.post_through(call, webhook, origin, upload)
    if call.body.get("thread_name") is not None:
        raise DiscordError(220003)
    message = call.core.webhooks.post(place, origin, upload)
    call.core.threads.spoken_in(place, message.author)
    return call.core.render(message) if wait else None


def _message(call: Context, webhook: Webhook) -> Message:
    """A message that the webhook posted, in the thread that the query names or its channel. Raises 10008."""
    found = _place(call, webhook).messages.get(call.params["message"])
    if found is None or found.webhook_id != webhook.id:
        raise DiscordError(10008)
    return found


async def get_message(call: Context) -> Result:
    webhook = _by_token(call)
    if webhook is None:
        return await interactions.get(call)
    return call.core.render(_message(call, webhook))


async def edit_message(call: Context) -> Result:
    webhook = _by_token(call)
    if webhook is None:
        return await interactions.edit(call)
    message, upload = _message(call, webhook), _upload(call, webhook)
    upload.complaints.check()
    return call.core.render(call.core.posts.edit(message, upload, keys=rules.WEBHOOK))


async def delete_message(call: Context) -> Result:
    webhook = _by_token(call)
    if webhook is None:
        return await interactions.delete(call)
    call.core.posts.delete(_message(call, webhook))
    return None


W = "/webhooks/{webhook}"
T = "/webhooks/{application}/{token}"
M = f"{T}/messages/{{message}}"
ENDPOINTS = (
    Endpoint("POST", "/channels/{channel}/webhooks", create, major="channel"),
    Endpoint("GET", "/channels/{channel}/webhooks", of_channel, READS, "channel", body=False),
    Endpoint("GET", "/guilds/{guild}/webhooks", of_guild, READS, "guild", body=False),
    Endpoint("GET", W, get, READS, "webhook", body=False),
    Endpoint("PATCH", W, patch, major="webhook"),
    Endpoint("DELETE", W, delete, major="webhook", body=False),
    Endpoint("GET", T, get_by_token, READS, "token", token=False, body=False),
    Endpoint("PATCH", T, patch_by_token, THROUGH, "token", token=False),
    Endpoint("DELETE", T, delete_by_token, THROUGH, "token", token=False, body=False),
    Endpoint("POST", T, execute, THROUGH, "token", token=False),
    Endpoint("GET", M, get_message, READS, "token", token=False, body=False),
    Endpoint("PATCH", M, edit_message, THROUGH, "token", token=False),
    Endpoint("DELETE", M, delete_message, THROUGH, "token", token=False, body=False),
)
