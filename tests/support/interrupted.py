"""A database in memory that lets something else happen before one of its statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from tests.fakes.store import MemoryDatabase, Statement

T = TypeVar("T")


class Interrupted(MemoryDatabase):
    """Before one statement, counted from when it is armed, something else happens."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.left = -1
        self.happens: Callable[[], Awaitable[object]] | None = None

    async def do(self, statement: Statement[T]) -> T:
        if self.happens is not None:
            self.left -= 1
            if self.left < 0:
                happens, self.happens = self.happens, None
                await happens()
        return await super().do(statement)
