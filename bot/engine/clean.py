"""Text from people and machines, before it is stored: raw, but bounded and storable."""

from __future__ import annotations

LONGEST_REASON = 1000


def clean(text: str, longest: int = LONGEST_REASON) -> str:
    """Without characters that cannot be stored, and cut; what may be shown is decided where it is shown."""
    kept = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"
