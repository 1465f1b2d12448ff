"""An ability of a library, and how the script proves it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from support.clients.run import Run

WORKS, LACKS, FAILS = "✓", "—", "✗"


@dataclass(frozen=True, slots=True)
class Ability:
    """`prove` raises AssertionError where the library fails, and may return a word for the table."""

    name: str
    prove: Callable[[Run], Awaitable[str | None]]
