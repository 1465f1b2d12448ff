"""Custom emoji of a server, as its administrators make and delete them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import invalid, unknown
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rules import custom_emoji, images
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.model import JSON, Guild

SMILE = (  # the picture of an emoji that is made without one
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAgMAAAAOFJJnAAAACVBMVEUAAAD/zE1mRQDjaMvkAAAAA3RSTlMA//9EUNYhAAAA"
    "dElEQVR42oWQsQ3AIAwEoWAE9mGEFDwFGyT7MAJFPCU2RoYiUl4Up9eD/Ti35YE0AaxlqBUELoYokFdEQl4haURCBzzAyxBB"
    "rRBf+4KZyfowfqA0oDRxOlDZCQoy6wafY6hHJeqyPUA0+9jyVscKWuX9CaoBs/BD4F6tm3oAAAAASUVORK5CYII="
)


def shown(core: Core, guild: Guild, it: CustomEmoji) -> JSON:
    creator = core.state.users.get(it.creator_id)
    return {
        "id": it.id,
        "name": it.name,
        "animated": it.animated,
        "roles": [guild.roles[one].name for one in it.roles if one in guild.roles],
        "user": creator.name if creator is not None else None,
        "guild": guild.name,
        "url": f"/cdn/emojis/{it.id}",
    }


def _guilds(call: ApiCall) -> list[Guild]:
    """The server that the call names, or all."""
    guild = call.guild()
    return list(call.core.state.guilds.values()) if guild is None else [guild]


async def listed(call: ApiCall) -> JSON:
    """GET emojis: of a server, or of all."""
    found = [shown(call.core, guild, one) for guild in _guilds(call) for one in guild.emojis.values()]
    return {"emojis": found}


async def create(call: ApiCall) -> JSON:
    """POST emojis: name, image, roles."""
    guild, complaints = _guilds(call)[0], Complaints()
    body = Fields({"name": call.text("name"), "image": call.get("image") or SMILE}, complaints)
    name = custom_emoji.read_name(body, required=True)
    picture = images.read(body, "image", custom_emoji.LARGEST, required=True)
    complaints.check()
    roles = [call.role(one, guild).id for one in call.get("roles") or ()]
    if name is None or picture is None:
        raise invalid('"name" and "image" cannot be empty.')
    creator = guild.owner_id if call.get("by") is None else call.member(call.get("by")).user.id
    made = call.core.emojis.create(guild, name, picture, creator, custom_emoji.known_roles(guild, roles))
    return shown(call.core, guild, made)


async def delete(call: ApiCall) -> JSON:
    """DELETE emojis/{name}: messages and reactions with it stay."""
    wanted = call.params["name"].strip(":")
    guilds = _guilds(call)
    for guild in guilds:
        for one in guild.emojis.values():
            if wanted in (one.id, one.name):
                call.core.emojis.delete(guild, one)
                return shown(call.core, guild, one)
    raise unknown("emoji", wanted, (one.name for guild in guilds for one in guild.emojis.values()))
