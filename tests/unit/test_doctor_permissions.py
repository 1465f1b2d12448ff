"""Discord's permission arithmetic, as its documentation has it."""

from __future__ import annotations

from typing import Any

from bot.doctor.permissions import BITS, INVITE, NEEDED, base, in_channel, missing

GUILD, BOT_ROLE, OTHER_ROLE, BOT = "1", "2", "3", "9"
VIEW, SEND = BITS["View Channel"], BITS["Send Messages"]


def role(role_id: str, permissions: int) -> dict[str, Any]:
    return {"id": role_id, "permissions": str(permissions)}


def overwrite(target: str, allow: int = 0, deny: int = 0) -> dict[str, Any]:
    return {"id": target, "allow": str(allow), "deny": str(deny)}


def test_everyones_permissions_and_those_of_held_roles_add_up() -> None:
    roles = [role(GUILD, VIEW), role(BOT_ROLE, SEND), role(OTHER_ROLE, 1 << 20)]
    assert base(GUILD, roles, [BOT_ROLE]) == VIEW | SEND


def test_an_administrator_may_everything_whatever_a_channel_says() -> None:
    granted = base(GUILD, [role(GUILD, 0), role(BOT_ROLE, BITS["Administrator"])], [BOT_ROLE])
    granted = in_channel(granted, GUILD, [BOT_ROLE], BOT, [overwrite(GUILD, deny=VIEW)])
    assert missing(granted, list(BITS)) == []


def test_a_channel_denies_everyone_then_allows_a_role() -> None:
    overwrites = [overwrite(BOT_ROLE, allow=SEND), overwrite(GUILD, deny=SEND)]
    assert in_channel(VIEW | SEND, GUILD, [BOT_ROLE], BOT, overwrites) == VIEW | SEND


def test_among_roles_an_allow_beats_a_deny_and_the_member_beats_both() -> None:
    roles = [overwrite(BOT_ROLE, deny=SEND), overwrite(OTHER_ROLE, allow=SEND)]
    both = [BOT_ROLE, OTHER_ROLE]
    assert in_channel(VIEW, GUILD, both, BOT, roles) == VIEW | SEND
    assert in_channel(VIEW, GUILD, both, BOT, [*roles, overwrite(BOT, deny=SEND)]) == VIEW


def test_a_role_that_is_not_held_changes_nothing() -> None:
    assert in_channel(VIEW | SEND, GUILD, [BOT_ROLE], BOT, [overwrite(OTHER_ROLE, deny=SEND)]) == VIEW | SEND


def test_the_invite_asks_for_what_is_needed_and_nothing_more() -> None:
    names = {name for needed in NEEDED.values() for name in needed}
    assert sum(BITS[name] for name in names) == INVITE
    assert not {"Administrator", "Mention Everyone"} & names
