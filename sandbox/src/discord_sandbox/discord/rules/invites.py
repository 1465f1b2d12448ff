"""An invite's fields in a body."""

from dataclasses import dataclass

from discord_sandbox.discord.rules.fields import Fields

MOST = 1000  # in a server
LONGEST, USUAL, MOST_USES, MOST_ROLES = 5_184_000, 86_400, 100, 250
TARGETS = (1, 2)  # streams and activities, which the sandbox does not have


@dataclass(frozen=True, slots=True)
class InviteFields:
    """unique: one of its own, though there is one like it."""

    max_age: int
    max_uses: int
    temporary: bool
    unique: bool


def read(body: Fields) -> InviteFields:
    """Collects complaints; the caller checks them."""
    max_age = body.number("max_age", 0, LONGEST)
    max_uses = body.number("max_uses", 0, MOST_USES)
    body.choice("target_type", TARGETS)
    body.snowflake("target_user_id")
    body.snowflake("target_application_id")
    if not isinstance(body.body.get("role_ids"), str):  # a form has the ids as one text
        body.snowflakes("role_ids", MOST_ROLES)
    return InviteFields(
        USUAL if max_age is None else max_age,
        max_uses or 0,
        body.flag("temporary") is True,
        body.flag("unique") is True,
    )
