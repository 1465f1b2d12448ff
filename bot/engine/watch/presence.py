"""Who is online: asked of Discord by the process that holds the gateway, and known to all by a note."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

import structlog

from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore

log = structlog.get_logger(__name__)

_NOTE: NoteKind = "presence"
# A note that is older says nothing: the process with the gateway is away, or Discord is.
FRESH_S = 60.0

# Statuses of these users; without those who are in none of our servers. Raises `Unreachable`.
ReadPresences = Callable[[Collection[int]], Awaitable[Mapping[int, str]]]


class PresenceLoop:
    """Asks for the presence of all `wanted` users at once, and notes it."""

    def __init__(
        self, read: ReadPresences, notes: NoteStore, wanted: Callable[[], Collection[int]], clock: Clock
    ) -> None:
        self._read = read
        self._notes = notes
        self._wanted = wanted
        self._clock = clock
        self._away = False

    async def once(self) -> bool:
        """One round. What Discord does not say is not known, and no trouble of this loop."""
        wanted = self._wanted()
        if not wanted:
            return False
        try:
            found = await self._read(wanted)
        except Unreachable as away:
            if not self._away:
                log.warning("presences_unknown", why=str(away))
            self._away = True
            return False
        self._away = False
        at = self._clock.now().isoformat()
        for user_id in wanted:
            await self._notes.put_note(_NOTE, str(user_id), {"status": found.get(user_id), "at": at})
        return False


class KnownPresences:
    """What the notes say, to be called with a user's id. Raises `Unreachable` for what was not noted lately."""

    def __init__(self, notes: NoteStore, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock

    async def __call__(self, user_id: int) -> str | None:
        note = await self._notes.note(_NOTE, str(user_id))
        if note is None or not 0 <= self._age_s(note) <= FRESH_S:
            raise Unreachable(f"Discord did not say lately whether {user_id} is online")
        status = note.get("status")
        return None if status is None else str(status)

    def _age_s(self, note: Mapping[str, object]) -> float:
        return (self._clock.now() - datetime.fromisoformat(str(note["at"]))).total_seconds()
