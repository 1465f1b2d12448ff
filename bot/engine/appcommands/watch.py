"""Watching: each application's commands are read once in its interval, spread out; what is found is told once."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application, Scope
from bot.domain.appcommands.normalization import digest
from bot.domain.rollout.model import Lane
from bot.engine.appcommands.comparison import Comparer
from bot.engine.appcommands.findings import FINDING, WHATS, finding_key, found, no_answer
from bot.engine.lanes import Lanes
from bot.ports.appcommands import AppCommandStore, CommandsReader
from bot.ports.errors import TargetRefused, Unreachable
from bot.ports.notifications import Alarm, Alert
from bot.ports.store import Store

_log = structlog.get_logger(__name__)

_KEEP = timedelta(days=30)
_TITLES: Mapping[str, str] = {
    "answer": "Discord does not answer as it should",
    "count": "The number of slash commands is off",
    "drift": "Slash commands were changed by somebody else",
}


@dataclass(slots=True)
class _Due:
    """The scopes that are watched, each with the time of its next look."""

    at: dict[tuple[int, Scope], datetime] = field(default_factory=dict)
    tidied: datetime | None = None


class CommandWatch:
    """One scope a round, the one that waits longest; a round is a second, so it never asks more than that often.

    Findings are kept in the database, told when they begin and when they end, and nothing in between.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        comparer: Comparer,
        *,
        reader: CommandsReader,
        records: AppCommandStore,
        alarm: Alarm,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._comparer = comparer
        self._reader = reader
        self._records = records
        self._alarm = alarm
        self._due = _Due()

    async def once(self) -> bool:
        """A round of the loop. Never more than one call to Discord."""
        now = self._lanes.now()
        await self._tidy(now)
        waiting = [
            (await self._next(application, scope, now), application, environment, scope)
            for application in self._lanes.catalog.applications.values()
            if application.token
            for environment in (STAGING, PRODUCTION)
            for scope in application.scopes(environment)
        ]
        due = [one for one in waiting if one[0] <= now]
        if not due:
            return False
        _, application, environment, scope = min(due, key=lambda one: one[0])
        self._due.at[application.id, scope] = now + timedelta(seconds=application.check_s)
        await self.look(application, environment, scope)
        return False

    async def _next(self, application: Application, scope: Scope, now: datetime) -> datetime:
        """After a start: an interval after the last look, or somewhere within the first interval."""
        key = (application.id, scope)
        if key not in self._due.at:
            last = await self._records.readings.newest(application.id, scope, 1)
            interval = timedelta(seconds=application.check_s)
            share = zlib.crc32(f"{application.id}/{scope}".encode()) / 2**32
            self._due.at[key] = last[0].at + interval if last else now + interval * share
        return self._due.at[key]

    async def look(self, application: Application, environment: str, scope: Scope) -> None:
        """Read one scope now, and tell what changed about it."""
        lane = application.lane(environment)
        situation = await self._store.lanes.situation(lane, self._lanes.now())
        if situation.active is not None:
            return  # a rollout is changing it
        try:
            served = await self._reader.read(application, scope)
        except (Unreachable, TargetRefused) as error:
            await self._tell(lane, scope, no_answer(str(error)), known=("answer",))
            return
        present = digest(served.commands, guild=not scope.is_global)
        sentences = found(
            application,
            ms=served.ms,
            count=len(served.commands),
            digest=present,
            expected=await self._comparer.expected(application, environment, scope),
            drift=await self._comparer.drift(application, environment, scope, present),
        )
        await self._tell(lane, scope, sentences, known=WHATS)

    async def _tell(
        self, lane: Lane, scope: Scope, sentences: Mapping[str, str], *, known: tuple[str, ...]
    ) -> None:
        """What began and what is over; of what is not `known` this time, nothing is said."""
        for what in known:
            key = finding_key(lane, scope, what)
            note = await self._store.notes.note(FINDING, key)
            was = bool(note and note.get("on"))
            sentence = sentences.get(what, "")
            if was == bool(sentence):
                continue
            since = self._lanes.now().isoformat() if sentence else str((note or {}).get("since"))
            said = sentence or f"It is over; it was: {(note or {}).get('sentence')}"
            # Told first: whoever dies in between tells it again under the same key, which posts once.
            await self._alert(lane, what, f"{key}/{bool(sentence)}/{since[:16]}", said, over=not sentence)
            await self._store.notes.put_note(
                FINDING, key, {"on": bool(sentence), "sentence": sentence, "since": since}
            )
            _log.info("commands_finding", lane=str(lane), what=what, on=bool(sentence), said=said)

    async def _alert(self, lane: Lane, what: str, key: str, sentence: str, *, over: bool) -> None:
        config = self._lanes.catalog.lanes.get(lane)
        if config is None:
            return
        for guild_id in config.guilds:
            name = hashlib.sha256(f"{guild_id}/{key}".encode()).hexdigest()[:24]
            roles = () if over else config.policy.notify_roles
            await self._alarm.alert(Alert(name, guild_id, f"{lane}: {_TITLES[what]}", sentence, roles, over))

    async def _tidy(self, now: datetime) -> None:
        if self._due.tidied is None or now - self._due.tidied > timedelta(hours=1):
            self._due.tidied = now
            await self._records.readings.tidy(now - _KEEP)
