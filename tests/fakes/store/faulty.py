"""The database in memory, when it is away or has a bug."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from bot.ports.errors import Unreachable
from tests.fakes.store.tables import MemoryDatabase, Statement

T = TypeVar("T")


class FaultyDatabase(MemoryDatabase):
    """Statements are named by their part and method, such as `alerts.save`.

    away: all of them raise `Unreachable`; fails: these do; refuses: these raise `ValueError`, as a server with a bug.
    seen: every statement, also those that failed.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.away = False
        self.fails: frozenset[str] = frozenset()
        self.refuses: frozenset[str] = frozenset()
        self.seen: list[Statement[Any]] = []

    async def do(self, statement: Statement[T]) -> T:
        self.seen.append(statement)
        name = f"{statement.part}.{statement.name}"
        if self.away or name in self.fails:
            raise Unreachable("the database is away")
        if name in self.refuses:
            raise ValueError("no")
        return await super().do(statement)
