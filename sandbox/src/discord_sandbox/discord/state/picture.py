"""Pictures of webhooks and scheduled events, as kept in memory."""

import hashlib
from dataclasses import dataclass

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and the hash that names it: with `a_` before it if it moves."""

    content: bytes
    content_type: str
    animated: bool
    digest: str

    @classmethod
    def of(cls, content: bytes, content_type: str, *, animated: bool) -> "Picture":
        prefix = "a_" if animated else ""
        return cls(content, content_type, animated, prefix + digest_of(content))


def digest_of(content: bytes) -> str:
    """As long as Discord's, of whatever it is made."""
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
