"""A role's fields, of a new one or a change."""

from dataclasses import dataclass

from discord_sandbox.discord.rules.emoji import is_emoji
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.permissions import ALL

MOST = 250
NAME, WHITE = 100, 0xFFFFFF


@dataclass(frozen=True, slots=True)
class RoleFields:
    """The values of a body; None for those it omits. `emoji` "" removes it."""

    name: str | None = None
    permissions: int | None = None
    color: int | None = None
    hoist: bool | None = None
    mentionable: bool | None = None
    emoji: str | None = None


def read(body: Fields) -> RoleFields:
    """Collects complaints; the caller checks them."""
    color = body.number("color", 0, WHITE)
    colors = body.object("colors")
    if colors is not None:
        color = colors.number("primary_color", 0, WHITE, required=True)
        for key in ("secondary_color", "tertiary_color"):
            colors.number(key, 0, WHITE)
    emoji = body.text("unicode_emoji", 100)
    if emoji and not is_emoji(emoji):
        body.complain("unicode_emoji", "INVALID_UNICODE_EMOJI", "This is not an emoji.")
    bits = body.number("permissions", 0, 2**63 - 1)
    return RoleFields(
        body.text("name", NAME, shortest=1),
        None if bits is None else bits & ALL,
        color,
        body.flag("hoist"),
        body.flag("mentionable"),
        (emoji or "") if "unicode_emoji" in body.body else None,
    )
