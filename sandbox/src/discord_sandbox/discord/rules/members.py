"""What may be changed about a member: their name, roles, timeout, and place and sound in voice."""

from dataclasses import dataclass
from datetime import UTC, datetime

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import Role

NICK = 32
LONGEST_TIMEOUT = 28 * 86_400.0
BYPASSES_VERIFICATION = 1 << 2  # the only flag that can be set


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """The fields of a body. `given` names those that it has, also with null."""

    given: frozenset[str]
    nick: str | None
    roles: list[str] | None
    timed_out_until: float | None
    flags: int | None
    mute: bool | None = None
    deaf: bool | None = None
    channel_id: str | None = None


def read(body: Fields, roles: dict[str, Role], guild_id: str, now: float) -> MemberChanges:
    """Collects complaints; the caller checks them."""
    place = body.snowflake("channel_id")
    return MemberChanges(
        frozenset(body.body),
        body.text("nick", NICK) or None,
        _roles(body, roles, guild_id),
        _until(body, now),
        body.number("flags", 0, 2**31 - 1),
        body.flag("mute"),
        body.flag("deaf"),
        str(place) if place is not None else None,
    )


def _roles(body: Fields, known: dict[str, Role], guild_id: str) -> list[str] | None:
    given = body.items("roles", 350)
    if given is None:
        return None
    found = list(dict.fromkeys(str(one) for one in given))
    for index, one in enumerate(found):
        if one not in known or one == guild_id:
            path = (*body.path, "roles", index)
            body.complaints.add(path, "BASE_TYPE_CHOICES", f'Value "{one}" is not a role of this guild.')
    return found


def _until(body: Fields, now: float) -> float | None:
    key = "communication_disabled_until"
    given = body.time(key)
    if given is None:
        return None
    moment = datetime.fromisoformat(given)
    until = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    if until > now + LONGEST_TIMEOUT:
        body.complain(key, "GUILD_COMMUNICATION_DISABLED_UNTIL_TOO_LONG", "Cannot be more than 28 days away.")
    return until
