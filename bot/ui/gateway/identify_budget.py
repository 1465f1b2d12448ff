"""Budget of IDENTIFYs, kept across crashes, so that a crash loop does not make Discord reset the token.

Discord allows 1000 per day; one more ends all sessions and resets the token. The first `FREE` per hour are free, then
each waits twice as long as the one before, up to 15 minutes. After `DAY` in a day, all wait until the day has passed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore

_log = structlog.get_logger(__name__)
_KIND: NoteKind = "identify"
FREE, DAY = 30, 800
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 900.0


class SlowDown(Exception):
    """Too many IDENTIFYs: wait `seconds` before the next one."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many connections to Discord; waiting {seconds:.0f} s")
        self.seconds = seconds


def wait_s(times: list[datetime], now: datetime, *, free: int = FREE, day: int = DAY) -> float:
    """Seconds until the next IDENTIFY is due, given the `times` of earlier ones (oldest first)."""
    today = [t for t in times if now - t < timedelta(days=1)]
    if len(today) >= day:
        return max(0.0, (today[-day] + timedelta(days=1) - now).total_seconds())
    hour = sum(now - t < timedelta(hours=1) for t in today)
    if hour < free:
        return 0.0
    spacing = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(hour - free, 20))
    return max(0.0, spacing - (now - today[-1]).total_seconds())


class IdentifyBudget:
    """Consulted before every IDENTIFY. Kept in the database, and in a file for when the database is down."""

    def __init__(
        self, notes: NoteStore, clock: Clock, key: str, folder: Path | None, *, free: int = FREE
    ) -> None:
        self._notes = notes
        self._clock = clock
        self._key = key
        self._file = folder / "identify.json" if folder is not None else None
        self._free = free
        self._seen: list[datetime] = []

    async def wait_s(self) -> float:
        """Seconds to wait before the next IDENTIFY; 0.0 when it may be sent now."""
        return wait_s(await self._times(), self._clock.now(), free=self._free)

    async def record(self) -> None:
        """Count one IDENTIFY before it is sent. Raises `SlowDown` when there were too many."""
        times, now = await self._times(), self._clock.now()
        seconds = wait_s(times, now, free=self._free)
        if seconds > 0:
            raise SlowDown(seconds)
        # Two in the same instant are still two.
        fresh = max(now, times[-1] + timedelta(microseconds=1)) if times else now
        self._seen = [*times, fresh][-DAY:]
        value = {"at": [t.timestamp() for t in self._seen]}
        try:
            await self._notes.put_note(_KIND, self._key, value)
        except Unreachable as error:
            _log.warning("identify_not_saved", error=str(error))
        self._write(value)

    async def _times(self) -> list[datetime]:
        """Times known to the database, the file and this process, merged."""
        known = {t.timestamp() for t in self._seen} | set(self._read())
        try:
            note = await self._notes.note(_KIND, self._key)
        except Unreachable:
            note = None
        stored = note.get("at") if note else None
        if isinstance(stored, list):
            known |= {float(t) for t in stored}
        return [datetime.fromtimestamp(t, UTC) for t in sorted(known)]

    def _read(self) -> list[float]:
        try:
            stored = json.loads(self._file.read_text()) if self._file else {}
            return [float(t) for t in stored.get(self._key, {}).get("at", ())]
        except (OSError, ValueError, AttributeError, TypeError):
            return []

    def _write(self, value: dict[str, list[float]]) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps({self._key: value}))
            fresh.replace(self._file)
        except OSError as error:
            _log.warning("identify_file_failed", error=str(error))
