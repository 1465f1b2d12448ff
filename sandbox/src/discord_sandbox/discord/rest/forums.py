"""Posts in forums, started by bots and webhooks."""

from discord_sandbox.discord.actions.posts import Origin
from discord_sandbox.discord.actions.threads import ThreadDraft
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rules import messages as message_rules
from discord_sandbox.discord.rules.channels import ARCHIVE
from discord_sandbox.discord.rules.forums import read_applied
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.model import JSON, Channel
from discord_sandbox.discord.state.webhook import Webhook

KEYS = frozenset({"name", "auto_archive_duration", "rate_limit_per_user", "applied_tags", "message", "type"})


async def post(call: Context, channel: Channel, forum: Forum) -> Result:
    """A thread with its first message. Needs SEND_MESSAGES."""
    if not call.may(channel, perms.SEND_MESSAGES):
        raise DiscordError(50013)
    body = call.fields()
    body.known(KEYS)
    name = body.text("name", 100, shortest=1, required=True)
    minutes = body.choice("auto_archive_duration", ARCHIVE)
    slowmode = body.number("rate_limit_per_user", 0, 21600)
    message = body.object("message", required=True)
    body.complaints.check()
    tags = read_applied(body, forum, manages=call.may(channel, perms.MANAGE_THREADS))
    given: JSON = message.body if message is not None else {}
    for key, permission in (("embeds", perms.EMBED_LINKS), ("attachments", perms.ATTACH_FILES)):
        if given.get(key) and not call.may(channel, permission):
            raise DiscordError(50013)
    origin = Origin(call.application.user, call.me(channel.guild))
    draft = ThreadDraft(name or "", minutes, slowmode or 0)
    upload = call.upload.part(given)
    made, first = call.core.forum_posts.create(channel, origin, draft, tags, upload, path=("message",))
    return 201, render.channel(made, call.application.id) | {"message": call.shown(first)}


def post_through(call: Context, webhook: Webhook, origin: Origin, upload: Upload) -> Result:
    """A webhook's post, which `thread_name` names. Raises 220001 without one, 220002 with a `thread_id` too."""
    query, body = call.query(), call.fields()
    name = body.text("thread_name", 100, shortest=1)
    body.complaints.check()
    if query.body.get("thread_id") is not None and name is not None:
        raise DiscordError(220002)
    if name is None:
        raise DiscordError(220001)
    tags = read_applied(body, webhook.channel.forum or Forum(), manages=True)
    draft, keys = ThreadDraft(name), message_rules.WEBHOOK
    made = call.core.forum_posts.create(webhook.channel, origin, draft, tags, upload, keys=keys)
    return call.core.render(made[1]) if query.flag("wait") else None
