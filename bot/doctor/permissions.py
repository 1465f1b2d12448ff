"""Discord permissions: what a member may do in a channel, and what Slipway needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BITS: Mapping[str, int] = {
    "Administrator": 1 << 3,
    "View Channel": 1 << 10,
    "Send Messages": 1 << 11,
    "Embed Links": 1 << 14,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
    "Mention Everyone": 1 << 17,
    "Create Public Threads": 1 << 35,
    "Send Messages in Threads": 1 << 38,
}
_EVERYTHING = (1 << 53) - 1
_SPEAK = ("View Channel", "Send Messages", "Embed Links", "Attach Files", "Read Message History")
_THREADS = ("Create Public Threads", "Send Messages in Threads")
NEEDED: Mapping[str, Sequence[str]] = {
    "deploys": (*_SPEAK, *_THREADS),
    "alerts": _SPEAK,
    "incidents": (*_SPEAK, *_THREADS),
}
INVITE = sum(BITS[name] for name in dict.fromkeys((*_SPEAK, *_THREADS)))


def base(guild_id: str, roles: Sequence[Mapping[str, Any]], held: Sequence[str]) -> int:
    """Permissions in the guild of a member with the roles `held`; `roles` are all roles of the guild."""
    granted = 0
    for role in roles:
        if role["id"] == guild_id or role["id"] in held:
            granted |= int(role["permissions"])
    return _EVERYTHING if granted & BITS["Administrator"] else granted


def in_channel(
    granted: int, guild_id: str, held: Sequence[str], member_id: str, overwrites: Sequence[Mapping[str, Any]]
) -> int:
    """`granted` after the channel's overwrites: for everyone, then all roles together, then the member."""
    if granted & BITS["Administrator"]:
        return granted
    by_id = {o["id"]: (int(o["allow"]), int(o["deny"])) for o in overwrites}
    of_roles = [by_id[role] for role in held if role in by_id and role != guild_id]
    together = (_union(allow for allow, _ in of_roles), _union(deny for _, deny in of_roles))
    for allow, deny in (by_id.get(guild_id, (0, 0)), together, by_id.get(member_id, (0, 0))):
        granted = (granted & ~deny) | allow
    return granted


def missing(granted: int, needed: Sequence[str]) -> list[str]:
    """Names of needed permissions that are not granted."""
    return [name for name in needed if not granted & BITS[name]]


def _union(bits: Any) -> int:
    found = 0
    for each in bits:
        found |= each
    return found
