"""People and bots join, change and leave a server, and are banned."""

import re

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.views import Views
from discord_sandbox.discord.rules.members import LONGEST_TIMEOUT, NICK
from discord_sandbox.discord.state.ids import named_id
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import JSON, Application, Channel, Guild, Member, User
from discord_sandbox.discord.state.seed import new_person

CHANGES = frozenset({"roles", "nick", "timeout", "accepts_messages", "mute", "deaf", "voice"})
NAME = re.compile(r"[a-z0-9_.\-]{2,32}")


def _guild(call: ApiCall) -> Guild:
    return call.guild() or next(iter(call.core.state.guilds.values()))


async def join(call: ApiCall) -> JSON:
    """POST people: a new person, or one who left or is in another server, joins, by an invite if one is given."""
    invite = _invite(call)
    guild, name = _guild(call) if invite is None else invite[0], call.text("name")
    if NAME.fullmatch(name) is None:
        raise invalid('"name" takes 2 to 32 of the characters a-z, 0-9, "_", "." and "-".')
    roles = _roles(call, guild) or []
    display, accepts = str(call.get("display_name") or ""), _accepts(call)
    users = call.core.state.users
    user = users.get(named_id("user", name)) or new_person(name, display)
    if user.id in guild.members:
        raise ApiError(409, "conflict", f"{name} is in {guild.name} already.")
    if user.id in guild.bans:
        raise ApiError(
            403, "forbidden", f"{name} is banned from {guild.name}.", "DELETE bans/{name} lifts it."
        )
    users[user.id] = user
    if accepts is not None:
        user.accepts_messages = accepts
    if invite is not None:
        call.core.invites.use(*invite)
    return Views(call.core).person(call.core.members.join(guild, user, roles))


def _invite(call: ApiCall) -> tuple[Guild, Invite] | None:
    """Raises 404 for a code that is not there, has expired, or is of another server than the call's."""
    if call.get("invite") is None:
        return None
    code, guild = call.text("invite").rsplit("/", 1)[-1], call.guild()
    guilds = list(call.core.state.guilds.values()) if guild is None else [guild]
    for one in guilds:
        for found in call.core.invites.of(one):
            if found.code == code:
                return one, found
    raise unknown("invite", code, (found.code for one in guilds for found in call.core.invites.of(one)))


async def leave(call: ApiCall) -> JSON:
    """DELETE people/{name}: the person leaves, or is kicked by another: the audit log alone tells which."""
    member = call.member(call.params["name"])
    shown = Views(call.core).person(member)
    if call.get("by") is None:
        call.core.members.leave(member)
    else:
        call.core.members.kick(member)
    return shown


async def change(call: ApiCall) -> JSON:
    """PATCH people/{name}: roles, nick, timeout, accepts_messages."""
    member = call.member(call.params["name"])
    if not CHANGES & call.body.keys():
        raise invalid('Nothing to change: give "roles", "nick", "timeout", "voice" or another field.')
    roles, accepts = _roles(call, member.guild), _accepts(call)
    nick, until = _nick(call, member), _until(call, member)
    place = _voice(call, member)
    if accepts is not None:
        member.user.accepts_messages = accepts
        for guild in call.core.state.guilds.values():
            if (one := guild.members.get(member.user.id)) is not None:
                call.core.feed.publish("people_update", one)
    if {"roles", "nick", "timeout"} & call.body.keys():
        with call.core.audit.member_change(member):
            member.roles = member.roles if roles is None else roles
            member.nick, member.timed_out_until = nick, until
        call.core.members.changed(member)
    mute, deaf = call.body.get("mute"), call.body.get("deaf")
    if mute is not None or deaf is not None:
        call.core.voice.set_server(member, mute=mute, deaf=deaf)
        call.core.feed.publish("people_update", member)
    if "voice" in call.body:
        call.core.voice.move(member, place)
    return Views(call.core).person(member)


def _voice(call: ApiCall, member: Member) -> Channel | None:
    """The voice channel that the person is put into. Raises 409 for one who is in none."""
    if not {"voice", "mute", "deaf"} & call.body.keys():
        return None
    if call.core.voice.of(member) is None:
        raise ApiError(409, "conflict", f"{member.user.name} is in no voice channel.")
    if call.body.get("voice") is None:
        return None
    channel = call.channel(call.body["voice"])
    if not channel.is_voice or channel.guild is not member.guild:
        raise ApiError(409, "conflict", f'"{channel.name}" is no voice channel of {member.guild.name}.')
    return channel


def _roles(call: ApiCall, guild: Guild) -> list[str] | None:
    given = call.body.get("roles")
    if given is None:
        return None
    if not isinstance(given, list):
        raise invalid('"roles" must be a list of names.')
    return [call.role(one, guild).id for one in given]


def _accepts(call: ApiCall) -> bool | None:
    given = call.body.get("accepts_messages")
    if given is not None and not isinstance(given, bool):
        raise invalid('"accepts_messages" must be true or false.')
    return given


def _nick(call: ApiCall, member: Member) -> str | None:
    given = call.body.get("nick", member.nick)
    if given is not None and not (isinstance(given, str) and len(given) <= NICK):
        raise invalid(f'"nick" must be null or a text of at most {NICK} characters.')
    return given or None


def _until(call: ApiCall, member: Member) -> float | None:
    if "timeout" not in call.body:
        return member.timed_out_until
    if call.body["timeout"] is None:
        return None
    seconds = call.number("timeout")
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise invalid(f'"timeout" must be null, or more than 0 and at most {LONGEST_TIMEOUT:.0f} seconds.')
    return call.core.clock.now() + seconds


def _user(call: ApiCall) -> User:
    """A person by name or id, member of a server or not."""
    wanted, people = call.params["name"], [one for one in call.core.state.users.values() if not one.bot]
    for one in people:
        if wanted in (one.id, one.name):
            return one
    raise unknown("person", wanted, (one.name for one in people))


def _ban(call: ApiCall, guild: Guild, user: User) -> JSON:
    return {"user": user.name, "user_id": user.id, "guild": guild.name, "reason": guild.bans.get(user.id)}


async def bans(call: ApiCall) -> JSON:
    guild, users = _guild(call), call.core.state.users
    return {"bans": [_ban(call, guild, users[one]) for one in guild.bans]}


async def ban(call: ApiCall) -> JSON:
    """PUT bans/{name}: with `reason` and `delete_message_seconds`."""
    guild, user = _guild(call), _user(call)
    reason = call.body.get("reason")
    seconds = call.number("delete_message_seconds", 0)
    call.core.members.ban(guild, user, None if reason is None else str(reason), int(seconds))
    return _ban(call, guild, user)


async def unban(call: ApiCall) -> JSON:
    guild, user = _guild(call), _user(call)
    if user.id not in guild.bans:
        raise ApiError(404, "unknown_ban", f"{user.name} is not banned from {guild.name}.")
    shown = _ban(call, guild, user)
    call.core.members.unban(guild, user)
    return shown


def _placed(call: ApiCall) -> tuple[Application, Guild]:
    application = call.application(call.params["name"])
    wanted, guilds = call.params["guild"], call.core.state.guilds
    guild = next((one for one in guilds.values() if wanted in (one.id, one.name)), None)
    if application is None or guild is None:
        raise unknown("guild", wanted, (one.name for one in guilds.values()))
    return application, guild


async def install(call: ApiCall) -> JSON:
    """PUT applications/{name}/guilds/{guild}: the bot joins."""
    application, guild = _placed(call)
    if guild.id in application.guilds:
        raise ApiError(409, "conflict", f"{application.name} is in {guild.name} already.")
    call.core.members.install(application, guild)
    return Views(call.core).application(application)


async def uninstall(call: ApiCall) -> JSON:
    """DELETE applications/{name}/guilds/{guild}: the bot is removed."""
    application, guild = _placed(call)
    member = guild.members.get(application.id)
    if member is None:
        raise ApiError(409, "conflict", f"{application.name} is not in {guild.name}.")
    call.core.members.kick(member)
    return Views(call.core).application(application)
