"""Types as JSON: `typed(Alert).validate_json(text)`."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

# By identity, since an annotated type may have metadata without a hash. The type is kept, so its identity is its own.
_built: dict[int, tuple[Any, TypeAdapter[Any]]] = {}


def typed(of: type[T]) -> TypeAdapter[T]:
    """Reads and writes `of`. Built once, at its first use and not at import: a bot that waits needs few of them."""
    if id(of) not in _built:
        _built[id(of)] = (of, TypeAdapter(of))
    return _built[id(of)][1]
