"""Names and pictures of webhooks, and those that their messages bear."""

from discord_sandbox.discord.rules import images
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.picture import Picture, digest_of

LONGEST, MOST = 80, 15
LARGEST = 10 * 1024 * 1024  # bytes
REFUSED = ("clyde", "discord")


def read_name(body: Fields, key: str = "name", *, required: bool = False) -> str | None:
    """Collects complaints; the caller checks them."""
    found = body.text(key, LONGEST, shortest=1, required=required)
    for word in REFUSED:
        if found is not None and word in found.lower():
            body.complain(key, "USERNAME_INVALID_CONTAINS", f'Username cannot contain "{word}"')
    return found


def read_avatar(body: Fields, former: Picture | None = None) -> Picture | None:
    """The picture as the body leaves it. Collects complaints. Raises 50046 for what is no picture."""
    return images.read(body, "avatar", LARGEST) if "avatar" in body.body else former


def read_avatar_url(body: Fields) -> str | None:
    """The hash of the picture that one message has. Collects complaints. What is at the address is not asked for."""
    url = body.url("avatar_url")
    return digest_of(url.encode(errors="replace")) if url is not None else None
