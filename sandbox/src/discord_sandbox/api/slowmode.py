"""A person's slow mode as the JSON API refuses it."""

import math

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError
from discord_sandbox.discord.state.model import Channel, Member

CODE = 20016  # "This action cannot be performed due to slowmode rate limit"


def may_write_now(call: ApiCall, member: Member, channel: Channel) -> None:
    """Raises 429 `slow_mode`."""
    _check(member, channel, call.core.slowmode.until_message(member, channel), "write", "message")


def may_begin_now(call: ApiCall, member: Member, channel: Channel) -> None:
    """The same for a thread, or a post of a forum."""
    what = "post" if channel.forum is not None else "thread"
    _check(member, channel, call.core.slowmode.until_thread(member, channel), f"start a {what}", what)


def _check(member: Member, channel: Channel, left: float, act: str, what: str) -> None:
    if left > 0:
        raise ApiError(
            429,
            "slow_mode",
            f"Slow mode: {member.user.name} can {act} in #{channel.name} again in {math.ceil(left)} s ({CODE}).",
            f"One {what} every {channel.slowmode} s; those who may bypass slow mode are exempt.",
            retry_after=round(left, 3),
        )
