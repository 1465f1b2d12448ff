"""JSON parameters: serialized documents are put into others as they are, without parsing them again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

# PostgreSQL's jsonb cannot hold NUL; text from outside may.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def spliced(plain: Mapping[str, object], **documents: str | None) -> str:
    """`plain` as JSON, with further keys that have JSON text as value. `plain` must not be empty."""
    text = _encode(plain)
    more = "".join(f', "{key}": {value}' for key, value in documents.items() if value is not None)
    return without_nul(f"{text[:-1]}{more}}}")


def dumped(value: object) -> str:
    return without_nul(_encode(value))


def without_nul(text: str) -> str:
    return _NUL.sub(r"\1", text) if "\\u0000" in text else text


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot store: NUL, and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _default(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value)
    return str(value)


_encode = json.JSONEncoder(default=_default).encode
