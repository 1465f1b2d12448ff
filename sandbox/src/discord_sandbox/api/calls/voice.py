"""People in voice and stage channels: join, move, mute themselves, ask to speak, leave."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.people import not_timed_out, present
from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.views import Views
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, STAGE, Channel, Member


def _shown(core: Core, member: Member) -> JSON:
    it = core.voice.of(member)
    if it is None:
        raise ApiError(409, "conflict", f"{member.user.name} is in no voice channel.")
    return Views(core).voice(member, it)


async def listed(call: ApiCall) -> JSON:
    """GET voice: everyone who is connected, or those in one channel."""
    core, wanted = call.core, call.get("channel")
    channel = call.channel(wanted) if wanted is not None else None
    states = [
        (guild.members[it.user_id], it)
        for guild in core.state.guilds.values()
        for it in guild.voice.values()
        if channel is None or it.channel_id == channel.id
    ]
    return {"voice": [Views(core).voice(member, it) for member, it in states]}


def _elsewhere(core: Core, member: Member) -> list[Member]:
    """The same person in other servers, where they are in voice: a person is in one channel at a time."""
    guilds = [one for one in core.state.guilds.values() if one is not member.guild]
    return [one.members[member.user.id] for one in guilds if member.user.id in one.voice]


def _connected(call: ApiCall) -> Member:
    """The call's `user` in the server where they are in voice; in the one that it names, or any, if they are not."""
    member = call.member(call.need("user"))
    here = call.core.voice.of(member) is not None
    return member if here else next(iter(_elsewhere(call.core, member)), member)


async def connect(call: ApiCall) -> JSON:
    """POST voice: join or move with `channel`; without it, mute, deafen or ask to speak where one is."""
    voice = call.core.voice
    if call.get("channel") is not None:
        member, channel = present(call)
        _check(call, member, channel)
    else:
        member = _connected(call)
        here = voice.channel_of(member)
        if here is None:
            raise ApiError(409, "conflict", f"{member.user.name} is in no voice channel.")
        channel = here
    mute, deaf = call.body.get("mute"), call.body.get("deaf")
    asks = call.body.get("request_to_speak")
    if asks is not None:
        _check_request(call, member, channel)
    for former in _elsewhere(call.core, member):
        voice.leave(former)
    voice.connect(member, channel, self_mute=mute, self_deaf=deaf)
    if asks is not None:
        voice.set_stage(member, suppress=None, requested=call.core.clock.now() if asks else None)
    return _shown(call.core, member)


def _check(call: ApiCall, member: Member, channel: Channel) -> None:
    """Raises 403 or 409 for a channel that the person cannot join."""
    not_timed_out(call, member)
    if not channel.is_voice:
        raise ApiError(409, "conflict", f'"{channel.name}" is no voice channel.')
    if not call.core.state.permissions(member, channel) & perms.CONNECT:
        raise ApiError(403, "missing_permissions", f'{member.user.name} may not connect to "{channel.name}".')
    if not call.core.voice.may_join(member, channel):
        limit = channel.voice.user_limit if channel.voice is not None else 0
        raise ApiError(409, "full", f'"{channel.name}" is full: its limit is {limit}.')


def _check_request(call: ApiCall, member: Member, channel: Channel) -> None:
    if channel.kind != STAGE:
        raise ApiError(409, "conflict", f'"{channel.name}" is no stage.')
    if not call.core.state.permissions(member, channel) & perms.REQUEST_TO_SPEAK:
        raise ApiError(
            403, "missing_permissions", f'{member.user.name} may not ask to speak in "{channel.name}".'
        )


async def leave(call: ApiCall) -> JSON:
    """DELETE voice: `user` leaves."""
    member = _connected(call)
    shown = _shown(call.core, member)
    call.core.voice.leave(member)
    return shown
