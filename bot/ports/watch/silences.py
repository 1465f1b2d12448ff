"""Maintenance silences in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.records import AuditEntry
from bot.domain.watch.alerts.silences import Silence


class SilenceStore(Protocol):
    """Raises `Unreachable` when the database does not answer."""

    async def add(self, silence: Silence, entry: AuditEntry) -> Silence:
        """Record a silence with its audit line; returns it with its id, which is above all others."""
        ...

    async def standing(self, at: datetime) -> Sequence[Silence]:
        """The silences that are not over at that time, planned ones too, by id."""
        ...

    async def end(self, silence_id: int, at: datetime, entry: AuditEntry) -> bool:
        """End one before its time; False, with nothing recorded, when it is over."""
        ...

    async def due(self, at: datetime, limit: int) -> Sequence[Silence]:
        """Silences of which the beginning or the end is to be carried out."""
        ...

    async def carried_out(self, silence: Silence, at: datetime, entry: AuditEntry | None) -> bool:
        """Note that alerts were silenced, or woken where it is over at `at`; False when that is noted already."""
        ...
