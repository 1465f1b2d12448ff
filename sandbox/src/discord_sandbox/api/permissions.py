"""Permissions by name: allowed, denied or left as they are."""

from typing import Any

from discord_sandbox.api.errors import invalid, unknown
from discord_sandbox.discord.state.permissions import BITS


def bit_changes(given: Any) -> tuple[int, int, int]:
    """The bits to allow, to deny and to inherit."""
    if not isinstance(given, dict):
        raise invalid('"permissions" must be an object of names and true, false or null.')
    sums = {True: 0, False: 0, None: 0}
    for name, value in given.items():
        if name not in BITS:
            raise unknown("permission", name, BITS)
        if value not in (True, False, None):
            raise invalid(f'"{name}" must be true, false or null.')
        sums[value] |= BITS[name]
    return sums[True], sums[False], sums[None]
