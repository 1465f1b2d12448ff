"""What syncs of slash commands record, in memory."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from bot.domain.appcommands.records import Manifest
from bot.domain.records import AuditEntry, LaneRow
from tests.fakes.store.tables import MemoryDatabase, Part, Tables, statement


class MemoryManifests(Part):
    """What a sync needs of `bot.ports.appcommands.ManifestStore`."""

    part = "manifests"

    @statement
    def put(
        self, t: Tables, now: datetime, manifest: Manifest, application: str, where: str, commit: str = ""
    ) -> None:
        t.manifests[manifest.digest] = manifest

    @statement
    def get(self, t: Tables, now: datetime, digest: str) -> Manifest | None:
        return cast("Manifest | None", t.manifests.get(digest))


class MemoryCommandHistory(Part):
    """What a sync needs of `bot.ports.appcommands.AppCommandHistory`."""

    part = "command_history"

    @statement
    def took_over(self, t: Tables, now: datetime, row: LaneRow, base: LaneRow, entry: AuditEntry) -> bool:
        was = t.lanes.get(row.lane)
        same = was is not None and (was.generation, was.stamp) == (base.generation, base.stamp)
        if was is None or not same or base.generation >= row.generation or row.lane in t.active:
            return False
        t.put_lane(LaneRow(row.lane, row.generation, row.desired, None, was.adopted_at))
        t.record(entry)
        return True


class MemoryCommandRecords:
    """What a sync needs of `bot.ports.appcommands.AppCommandStore`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.manifests = MemoryManifests(database)
        self.history = MemoryCommandHistory(database)
