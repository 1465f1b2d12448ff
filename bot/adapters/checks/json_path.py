"""JSON paths (RFC 9535) over answers: only those that cost no more than the answer is long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bot.adapters.checks.kind import CheckFailed
from bot.domain.formatting import one_line

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathQuery
    from jsonpath_rfc9535.filter_expressions import Expression

# A parsed answer of this size takes some ten milliseconds; with any path, a part of a second.
LARGEST = 256 * 1024
_LONGEST = 200
_SHOWN = 60


@lru_cache(maxsize=1024)
def compiled(path: str) -> JSONPathQuery:
    """The path. Raises ValueError that says what was expected.

    Descendants (`..`), several selectors at once and functions are left out: their work grows faster than the answer.
    """
    from jsonpath_rfc9535 import JSONPathError, compile  # noqa: A004 (40 ms and 5 MiB, for those who use it)

    if len(path) > _LONGEST:
        raise ValueError(f"a path of at most {_LONGEST} characters")
    try:
        query = compile(path)
    except JSONPathError as error:
        raise ValueError(f"a JSON path such as $.status ({str(error).partition(',')[0]})") from None
    if not _is_plain(query):
        raise ValueError("a JSON path without .., [a,b] and functions")
    return query


def values(path: str, document: Any) -> list[Any]:
    """What stands at the path."""
    return compiled(path).find(document).values()


def parsed(body: bytes) -> Any:
    """The JSON document. Raises `CheckFailed`."""
    if len(body) > LARGEST:
        raise CheckFailed(f"The answer is larger than {LARGEST // 1024} KiB.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise CheckFailed("The answer is not JSON.") from None


def expect(path: str, wanted: Any, document: Any) -> None:
    """Everything at the path is `wanted`, and there is something. Raises `CheckFailed`."""
    found = values(path, document)
    if not found:
        raise CheckFailed(f"{path} should be {shown(wanted)}, but the answer has no such place.")
    for value in found:
        if not _same(value, wanted):
            raise CheckFailed(f"{path} should be {shown(wanted)}, but is {shown(value)}.")


def shown(value: Any) -> str:
    """A JSON value for people, short."""
    return one_line(json.dumps(value, ensure_ascii=False), _SHOWN)


def _same(value: Any, wanted: Any) -> bool:
    """JSON's equality: `true` is not 1."""
    return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)


def _is_plain(query: JSONPathQuery) -> bool:
    from jsonpath_rfc9535.segments import JSONPathChildSegment
    from jsonpath_rfc9535.selectors import FilterSelector

    for segment in query.segments:
        if not isinstance(segment, JSONPathChildSegment) or len(segment.selectors) != 1:
            return False
        selector = segment.selectors[0]
        if isinstance(selector, FilterSelector) and not _is_cheap(selector.expression):
            return False
    return True


def _is_cheap(expression: Expression) -> bool:
    """Whether a filter looks at single values alone."""
    from jsonpath_rfc9535.filter_expressions import FilterQuery, FunctionExtension

    for part in _parts(expression):
        if isinstance(part, FunctionExtension):
            return False
        if isinstance(part, FilterQuery) and not part.query.singular_query():
            return False
    return True


def _parts(expression: Expression) -> Iterator[Expression]:
    from jsonpath_rfc9535.filter_expressions import Expression

    yield expression
    for name in ("expression", "left", "right"):
        inner = getattr(expression, name, None)
        if isinstance(inner, Expression):
            yield from _parts(inner)
