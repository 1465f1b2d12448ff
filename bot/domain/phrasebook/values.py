"""Values in messages: on one line, shortened, and harmless to what surrounds them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.formatting import one_line

_NAME, _REASON = 60, 300
_LISTED = 5


def name(value: str) -> str:
    """A name of at most 60 characters; `-` for an empty one."""
    return unquoted(value, _NAME) or "-"


def code(value: str) -> str:
    """A name as a code span."""
    return f"`{name(value)}`"


def because(reason: str) -> str:
    """`": reason"`, to be followed by a full stop; empty without a reason."""
    said = unquoted(reason, _REASON).rstrip(". ")
    return f": {said}" if said else ""


def sentence(reason: str) -> str:
    """`" Reason."`, to follow a sentence; empty without a reason."""
    said = unquoted(reason, _REASON).rstrip(". ")
    return f" {said}." if said else ""


def unquoted(value: str, longest: int) -> str:
    """`value` on one line and without backticks, which would open or end a code span of a message."""
    return one_line(value.replace("`", "'"), longest)


def codes(names: Sequence[str]) -> str:
    """The first five names as code spans, separated by commas."""
    return ", ".join(code(each) for each in names[:_LISTED])


def either(names: Sequence[str]) -> str:
    """``"`a`, `b` or `c`"``: the first five names as code spans."""
    shown = [code(each) for each in names[:_LISTED]]
    return " or ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
