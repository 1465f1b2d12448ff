"""Channels of a server, as its administrators make, change and delete them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import invalid, unknown
from discord_sandbox.api.permissions import bit_changes
from discord_sandbox.api.views import CHANNEL_TYPES, Views
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rules import channels as rules
from discord_sandbox.discord.rules import forums
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.voice import read_settings
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.model import CATEGORY, FORUM, JSON, VOICES, Channel, Guild
from discord_sandbox.discord.state.permissions import BITS, Overwrite
from discord_sandbox.discord.state.voice import VoiceSettings

KINDS = {CHANNEL_TYPES[kind]: kind for kind in rules.KINDS}
# The API's names of fields, and Discord's.
GIVEN = {
    "name": "name",
    "topic": "topic",
    "position": "position",
    "nsfw": "nsfw",
    "slowmode": "rate_limit_per_user",
}


def _read(call: ApiCall, guild: Guild, kind: int, own: Channel | None = None) -> rules.ChannelFields:
    """The fields that the body gives. Raises 400."""
    body = {theirs: call.body[ours] for ours, theirs in GIVEN.items() if ours in call.body}
    if "category" in call.body:
        wanted = call.body["category"]
        body["parent_id"] = None if wanted is None else _category(guild, wanted).id
    complaints = Complaints()
    own_id = own.id if own is not None else None
    found = rules.read(Fields(body, complaints), guild, kind, new=own is None, own=own_id)
    complaints.check()
    return found


def _category(guild: Guild, wanted: object) -> Channel:
    categories = [one for one in guild.channels.values() if one.kind == CATEGORY]
    for one in categories:
        if str(wanted) in (one.id, one.name):
            return one
    raise unknown("category", wanted, (one.name for one in categories))


async def create(call: ApiCall) -> JSON:
    """POST channels: name, type, topic, category, slowmode, nsfw."""
    guild = call.guild() or next(iter(call.core.state.guilds.values()))
    call.text("name")
    wanted = call.get("type") or "text"
    if wanted not in KINDS:
        raise invalid(f'"type" must be one of {", ".join(KINDS)}.')
    kind = KINDS[wanted]
    found, forum = _read(call, guild, kind), None
    if kind == FORUM:
        body = {"available_tags": [{"name": one} for one in call.body.get("tags") or ()]}
        complaints = Complaints()
        forum = forums.read(Fields(body, complaints), Forum(), call.core.state.new_id, guild.emojis)
        complaints.check()
    voice = None
    if kind in VOICES:
        voice = _voice(call, kind, VoiceSettings())
    made = call.core.channels.create(guild, kind, found, None, forum=forum, voice=voice)
    return Views(call.core).channel(made)


def _voice(call: ApiCall, kind: int, former: VoiceSettings) -> VoiceSettings:
    complaints = Complaints()
    body: JSON = {key: call.body[key] for key in ("user_limit", "bitrate") if key in call.body}
    found = read_settings(Fields(body, complaints), kind, former)
    complaints.check()
    return found


def _overwrite(call: ApiCall, channel: Channel) -> None:
    allow, deny, inherit = bit_changes(call.body["permissions"])
    if call.get("role") is not None:
        target, kind = call.role(call.get("role"), channel.guild).id, 0
    elif call.get("user") is not None:
        target, kind = call.member(call.get("user"), channel.guild).user.id, 1
    else:
        application = call.application() or next(iter(call.core.state.applications.values()))
        target, kind = application.id, 1
    place = channel.thread.parent if channel.thread is not None else channel
    old = place.overwrites.get(target, Overwrite(target, kind, 0, 0))
    touched = allow | deny | inherit
    former = dict(place.overwrites)
    place.overwrites[target] = Overwrite(
        target, kind, old.allow & ~touched | allow, old.deny & ~touched | deny
    )
    call.core.audit.overwrites_changed(place, former, place.overwrites)
    place.guild.permission_cache.clear()
    call.core.broadcast.channel_updated(place)


async def change(call: ApiCall) -> JSON:
    """PATCH channels/{name}: the same fields, permissions, and of threads name, archived and locked."""
    found = call.channel(call.params["name"])
    if "permissions" in call.body:
        _overwrite(call, found)
    if found.thread is not None:
        with call.core.audit.channel_change(found):
            if isinstance(call.body.get("name"), str):
                found.name = call.body["name"]
            if call.body.get("locked") is not None:
                found.thread.locked = bool(call.body["locked"])
            if call.body.get("archived") is not None:
                call.core.threads.archive(found, archived=bool(call.body["archived"]))
        call.core.threads.changed(found)
    elif {*GIVEN, "category", "user_limit", "bitrate"} & call.body.keys():
        given = _read(call, found.guild, found.kind, found)
        voice = _voice(call, found.kind, found.voice) if found.voice is not None else None
        call.core.channels.change(found, given, None, voice)
    shown = Views(call.core).channel(found)
    place = found.thread.parent if found.thread is not None else found
    return shown | {"overwrites": [_shown(one) for one in place.overwrites.values()]}


def _shown(it: Overwrite) -> JSON:
    return {
        "target": it.target,
        "type": ("role", "member")[it.kind],
        "permissions": {
            name: bool(it.allow & bit) for name, bit in BITS.items() if (it.allow | it.deny) & bit
        },
    }


async def delete(call: ApiCall) -> JSON:
    """DELETE channels/{name}: what was in a category stays."""
    found = call.channel(call.params["name"])
    shown = Views(call.core).channel(found)
    call.core.channels.remove(found)
    return shown
