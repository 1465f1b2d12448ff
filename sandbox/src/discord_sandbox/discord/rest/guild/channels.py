"""Channels of a server: create and move."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.rest import overwrites
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules import channels as rules
from discord_sandbox.discord.rules import forums
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.voice import read_settings
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.model import FORUM, TEXT, VOICES, Channel, Guild
from discord_sandbox.discord.state.voice import VoiceSettings


async def create(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_CHANNELS)
    body = call.fields()
    kind = body.choice("type", rules.KINDS)
    kind = TEXT if kind is None else kind
    found = rules.read(body, guild, kind, new=True)
    new = overwrites.read_all(body, guild)
    forum = forums.read(body, Forum(), call.core.state.new_id, guild.emojis) if kind == FORUM else None
    voice = read_settings(body, kind, VoiceSettings()) if kind in VOICES else None
    body.complaints.check()
    if new is not None:
        overwrites.check_new(call, guild, new)
    made = call.core.channels.create(guild, kind, found, new, forum=forum, voice=voice)
    return 201, render.channel(made)


async def move(call: Context) -> Result:
    guild = call.managed_guild(perms.MANAGE_CHANNELS)
    wanted = [
        _place(guild, Fields(one, call.upload.complaints, (index,))) for index, one in enumerate(call.items())
    ]
    call.upload.complaints.check()
    for place in wanted:
        if place is not None:
            channel, position, category_id, sync = place
            call.core.channels.move(channel, position, category_id, sync=sync)
    return None


def _place(guild: Guild, body: Fields) -> tuple[Channel, int | None, str | None, bool] | None:
    """The channel, its position and category, and whether it takes the category's overwrites."""
    channel = guild.channels.get(str(body.snowflake("id", required=True)))
    if channel is None or channel.is_thread:
        if body.body.get("id") is not None:
            body.complain("id", "GUILD_CHANNEL_INVALID", "This is no channel of the guild.")
        return None
    position = body.number("position", 0, 2**31 - 1)
    category_id = channel.category_id
    if "parent_id" in body.body:
        category_id = rules.read_category(body, guild, channel.kind, channel.id)
    return channel, position, category_id, body.flag("lock_permissions") is True


C = "/guilds/{guild}/channels"
ENDPOINTS = (
    Endpoint("POST", C, create, major="guild"),
    Endpoint("PATCH", C, move, major="guild"),
)
