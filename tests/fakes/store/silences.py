"""Maintenance silences, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.records import AuditEntry
from bot.domain.watch.alerts.silences import Silence
from tests.fakes.store.tables import Part, SilenceRow, Tables, statement


class MemorySilences(Part):
    """Implements `bot.ports.watch.silences.SilenceStore`."""

    part = "silences"

    @statement
    def add(self, t: Tables, now: datetime, silence: Silence, entry: AuditEntry) -> Silence:
        added = replace(silence, id=max(t.silences, default=0) + 1)
        t.silences[added.id] = SilenceRow(added)
        t.record(entry)
        return added

    @statement
    def standing(self, t: Tables, now: datetime, at: datetime) -> Sequence[Silence]:
        found = [replace(row.silence, begun=row.begun) for row in t.silences.values() if not row.settled]
        return [each for each in found if each.over_at is None and each.until > at]

    @statement
    def end(self, t: Tables, now: datetime, silence_id: int, at: datetime, entry: AuditEntry) -> bool:
        row = t.silences.get(silence_id)
        if row is None or row.silence.over_at is not None or row.silence.until <= at:
            return False
        t.silences[silence_id] = replace(row, silence=replace(row.silence, over_at=at))
        t.record(entry)
        return True

    @statement
    def due(self, t: Tables, now: datetime, at: datetime, limit: int) -> Sequence[Silence]:
        found = []
        for row in t.silences.values():
            each = replace(row.silence, begun=row.begun)
            ends = each.over_at is not None or each.until <= at
            if not row.settled and (ends or (not row.begun and each.since <= at)):
                found.append(each)
        return found[:limit]

    @statement
    def carried_out(
        self, t: Tables, now: datetime, silence: Silence, at: datetime, entry: AuditEntry | None
    ) -> bool:
        row = t.silences[silence.id]
        if silence.over_at is not None or silence.until <= at:
            if row.settled:
                return False
            ended = replace(row.silence, over_at=row.silence.over_at or row.silence.until)
            t.silences[silence.id] = replace(row, silence=ended, settled=True)
        else:
            if row.begun or row.settled or row.silence.over_at is not None:
                return False
            t.silences[silence.id] = replace(row, begun=True)
        if entry is not None:
            t.record(entry)
        return True
