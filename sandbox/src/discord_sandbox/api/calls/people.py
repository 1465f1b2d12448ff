"""What people do besides using a bot: be in a channel, write a message."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.views import Views
from discord_sandbox.discord.actions.posts import Origin, Upload
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Channel, Member


def present(call: ApiCall) -> tuple[Member, Channel]:
    """The call's `user` and `channel`. Raises 403 if they cannot see it."""
    channel = call.channel(call.need("channel"))
    member = call.member(call.need("user"), channel.guild)
    if not call.core.state.permissions(member, channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{channel.name}.")
    return member, channel


async def messages(call: ApiCall) -> JSON:
    """POST messages: a person writes a message."""
    member, channel = present(call)
    needed = perms.SEND_MESSAGES_IN_THREADS if channel.is_thread else perms.SEND_MESSAGES
    if not call.core.state.permissions(member, channel) & needed:
        raise ApiError(403, "missing_permissions", f"{member.user.name} may not write in #{channel.name}.")
    upload = Upload({"content": call.text("content")})
    message = call.core.posts.create(channel, Origin(member.user, member), upload)
    return Views(call.core).message(message)
