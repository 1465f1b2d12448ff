"""Watch of slash commands: reads each application's commands once per interval, and reports each finding once."""

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
from bot.ports.notifications import Alarm, Announcement, UnpostedError
from bot.ports.store import Store

_log = structlog.get_logger(__name__)

_KEEP = timedelta(days=30)
_TITLES: Mapping[str, str] = {
    "answer": "Discord answers slowly or not at all",
    "count": "Unexpected number of slash commands",
    "drift": "Slash commands were changed outside Slipway",
}


@dataclass(slots=True)
class _Due:
    """The watched scopes, each with the time of its next reading."""

    at: dict[tuple[int, Scope], datetime] = field(default_factory=dict)
    tidied: datetime | None = None


class CommandWatch:
    """Reads one scope a round, the longest-waiting first: at most one call to Discord per second.

    Findings are kept in the database and announced when they begin and when they end.
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
        """One round of the loop, with at most one call to Discord."""
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
        """Time of the next reading after a start: an interval after the last one, or within the first interval."""
        key = (application.id, scope)
        if key not in self._due.at:
            last = await self._records.readings.newest(application.id, scope, 1)
            interval = timedelta(seconds=application.check_s)
            share = zlib.crc32(f"{application.id}/{scope}".encode()) / 2**32
            self._due.at[key] = last[0].at + interval if last else now + interval * share
        return self._due.at[key]

    async def look(self, application: Application, environment: str, scope: Scope) -> None:
        """Read one scope now, and announce what changed about it."""
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
        """Announce what began and what ended; kinds that are not `known` this time stay as they are."""
        for what in known:
            key = finding_key(lane, scope, what)
            note = await self._store.notes.note(FINDING, key)
            was = bool(note and note.get("on"))
            sentence = sentences.get(what, "")
            if was == bool(sentence):
                continue
            since = self._lanes.now().isoformat() if sentence else str((note or {}).get("since"))
            said = sentence or f"Resolved. Before: {(note or {}).get('sentence')}"
            # Announced first: after a crash in between it is announced again under the same key, which posts once.
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
            said = Announcement(name, guild_id, f"{lane}: {_TITLES[what]}", sentence, roles, over)
            try:
                await self._alarm.alert(said)
            except UnpostedError as refused:
                _log.error("commands_finding_unposted", lane=str(lane), guild_id=guild_id, why=refused.why)

    async def _tidy(self, now: datetime) -> None:
        if self._due.tidied is None or now - self._due.tidied > timedelta(hours=1):
            self._due.tidied = now
            await self._records.readings.tidy(now - _KEEP)
