"""Names of webhooks, and those that their messages bear."""

from discord_sandbox.discord.rules.fields import Fields

LONGEST, MOST = 80, 15
REFUSED = ("clyde", "discord")


def read_name(body: Fields, key: str = "name", *, required: bool = False) -> str | None:
    """Collects complaints; the caller checks them."""
    found = body.text(key, LONGEST, shortest=1, required=required)
    for word in REFUSED:
        if found is not None and word in found.lower():
            body.complain(key, "USERNAME_INVALID_CONTAINS", f'Username cannot contain "{word}"')
    return found
