"""Books kept in memory: cards, notes, budgets and a clock that is set by hand. As strict as the database's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from bot.ports.errors import Unreachable
from bot.ports.store import CardRef


class FakeBooks:
    """Where cards were posted, and notes. While `away`, everything raises `Unreachable`."""

    def __init__(self) -> None:
        self.cards: dict[int, CardRef] = {}
        self.notes: dict[tuple[str, str], str] = {}
        self.away = False

    def _here(self) -> None:
        if self.away:
            raise Unreachable("the database is away")

    async def card(self, rollout_id: int) -> CardRef | None:
        self._here()
        return self.cards.get(rollout_id)

    async def put_card(self, ref: CardRef) -> None:
        self._here()
        self.cards[ref.rollout_id] = ref

    async def redrawn(self, rollout_id: int, drawn: str) -> None:
        self._here()
        if rollout_id in self.cards:
            self.cards[rollout_id] = replace(self.cards[rollout_id], drawn=drawn)

    async def note(self, kind: str, key: str) -> Mapping[str, object] | None:
        self._here()
        stored = self.notes.get((kind, key))
        found: Mapping[str, object] | None = json.loads(stored) if stored is not None else None
        return found

    async def put_note(self, kind: str, key: str, value: Mapping[str, object]) -> None:
        self._here()
        # What a database would not take must not pass here either.
        self.notes[kind, key] = json.dumps(value)


class FakeLimiter:
    """Allows everything, except for the categories that are `full` (seconds until there is room)."""

    def __init__(self) -> None:
        self.full: dict[str, float] = {}
        self.hits: list[tuple[str, int]] = []

    async def hit(self, category: str, person: int) -> float:
        if category not in ("read", "deploy", "admin"):
            raise ValueError(f"no such category: {category}")
        self.hits.append((category, person))
        return self.full.get(category, 0.0)
