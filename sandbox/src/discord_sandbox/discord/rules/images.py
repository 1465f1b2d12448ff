"""Pictures in a body: data URIs with the formats that Discord takes."""

import base64
import binascii
import re

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.picture import Picture

_URI = re.compile(r"data:image/(?:png|jpe?g|gif|webp|avif);base64,([A-Za-z0-9+/=\s]*)")
_LONGEST = 2**31
_FRAME = b"\x21\xf9\x04"  # begins each frame of an animated GIF


def read(body: Fields, key: str, largest: int, *, required: bool = False) -> Picture | None:
    """A picture of at most so many bytes. Collects complaints. Raises 50046 for what is no picture."""
    given = body.text(key, _LONGEST, required=required)
    if given is None:
        return None
    uri = _URI.fullmatch(given)
    if uri is None:
        body.complain(key, "BINARY_TYPE_INVALID_DATA_URI", "Only data uri strings can be used.")
        return None
    try:
        content = base64.b64decode(re.sub(r"\s", "", uri[1]), validate=True)
    except binascii.Error:
        raise DiscordError(50046) from None
    if len(content) > largest:
        message = f"File cannot be larger than {largest / 1024:.1f} kb."
        body.complain(key, "BINARY_TYPE_MAX_SIZE", message)
        return None
    kind = _kind(content)
    if kind is None:
        raise DiscordError(50046)
    return Picture.of(content, f"image/{kind}", animated=_moves(content, kind))


def _kind(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return "avif" if content[4:12] in (b"ftypavif", b"ftypavis") else None


def _moves(content: bytes, kind: str) -> bool:
    if kind == "gif":
        return content.count(_FRAME) > 1
    return content[4:12] == b"ftypavis" if kind == "avif" else kind == "webp" and b"ANIM" in content[:64]
