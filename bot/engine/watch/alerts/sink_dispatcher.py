"""Dispatcher of alerts to sinks: each is told what is news for it, again until it takes it, also after a restart."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import structlog

from bot.domain.formatting import counted
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert, AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.engine.tasks import Tasks
from bot.engine.watch.alerts.sinks import Delivery, Sinks, retry_in_s, snapshot_of
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import NoteStore
from bot.ports.watch.alerts import AlertStore
from bot.ports.watch.meter import NoWatchMeter, WatchMeter
from bot.ports.watch.sinks import AlertSnapshot, Known

_log = structlog.get_logger(__name__)

_NOTE: NoteKind = "sink"
# Open alerts that are looked at, the worst first, and deliveries to one sink at a time.
_MOST, _AT_ONCE = 1000, 4
# Between looks at the alerts passes so many times what a look takes: with thousands of them, a look takes long.
_LOOKS = 20
# Alerts that are over and are looked at again for each sink in a round.
_LOADED = 20
_GATHER_S = 0.05
# A new alert's message in Discord is waited for, to be linked; not when Discord is away.
_LINK_S = 2.0
# What could not be told of an alert that has been over for so long is given up.
_GIVE_UP_S = 86_400.0
_SET_BACK_S = 1.0  # less is a clock that follows another one


# The newest rollout of a lane that changed what runs, or does so now.
LastDeploy = Callable[[Lane | None], Awaitable[RolloutSummary | None]]


@dataclass(slots=True)
class _Row:
    """What one sink knows of one alert, and how telling it goes.

    key: the alert's own, beside its number. done: what of the alert needs nothing more, told or not. due_at: when it is
    tried again, in seconds since 1970.
    """

    key: str
    known: Known | None = None
    done: Known | None = None
    attempts: int = 0
    due_at: float = 0.0
    error: str = ""


class _Told(NamedTuple):
    sink: str
    alert: AlertSnapshot
    came: Delivery | Unreachable


class SinkDispatcher:
    """Tells each sink of the catalog what is news for it. One process does this for all (`Controller`).

    What sinks know is kept as a note for each. What was told and not noted before a crash is told once more. `term`
    rises when this process becomes the controller: another one may have told meanwhile.
    """

    def __init__(
        self,
        sinks: Sinks,
        alerts: AlertStore,
        notes: NoteStore,
        last_deploy: LastDeploy,
        clock: Clock,
        *,
        term: Callable[[], int] = lambda: 0,
        meter: WatchMeter | None = None,
    ) -> None:
        self._sinks = sinks
        self._alerts = alerts
        self._notes = notes
        self._last_deploy = last_deploy
        self._clock = clock
        self._term = term
        self._meter = meter or NoWatchMeter()
        self._seen_term = -1
        self._now = 0.0
        self._rows: dict[str, dict[int, _Row]] = {}
        self._changed: set[str] = set()
        self._busy = Tasks[tuple[str, int], _Told]()
        self._alerts_seen: Sequence[Alert] = ()
        self._look_at = 0.0

    async def once(self) -> bool:
        """One round: begin what is due, take in what became of it, and note it."""
        if self._term() != self._seen_term:
            await self._busy.stop()
            self._rows.clear()
            self._look_at = 0.0
            self._changed.clear()
            self._seen_term = self._term()
        if not self._sinks.names:
            return False
        now = self._clock.now().timestamp()
        set_back, self._now = now < self._now - _SET_BACK_S, now
        for sink in self._sinks.names:
            if sink not in self._rows:
                self._rows[sink] = _rows(await self._notes.note(_NOTE, sink))
        if set_back:
            for row in (row for rows in self._rows.values() for row in rows.values()):
                row.due_at = 0.0
        if time.monotonic() >= self._look_at:
            began = time.monotonic()
            self._alerts_seen = await self._of_interest()
            ended = time.monotonic()
            self._look_at = ended + _LOOKS * (ended - began)
        alerts = self._alerts_seen
        for sink in self._sinks.names:
            await self._begin(sink, alerts)
        await self._busy.wait(_GATHER_S)
        for told in self._busy.finished():
            self._take(told)
        for sink in list(self._changed):
            await self._notes.put_note(_NOTE, sink, _noted(self._rows[sink]))
            self._changed.discard(sink)
        self._meter.sinks_waiting({sink: self._waiting(sink) for sink in self._sinks.names})
        return False

    async def stop(self) -> None:
        await self._busy.stop()

    @property
    def failing(self) -> Mapping[str, str]:
        """Sinks that were not told something, each with the newest reason and how many alerts it is about."""
        found = {}
        for sink in self._sinks.names:
            errors = [row.error for row in self._rows.get(sink, {}).values() if row.error]
            if errors:
                found[sink] = f"{errors[-1]} ({counted(len(errors), 'alert')})"
        return found

    def _waiting(self, sink: str) -> int:
        return sum(bool(row.attempts) for row in self._rows.get(sink, {}).values())

    async def _of_interest(self) -> list[Alert]:
        """Alerts that are open, the worst first, and those that are not any more and sinks still know as open."""
        found = list(await self._alerts.open(limit=_MOST))
        known = {alert.id for alert in found}
        for alert_id in self._due() - known:
            alert = await self._alerts.load(alert_id)
            if alert is not None:
                found.append(alert)
            else:
                self._drop(alert_id)
        return found

    def _due(self) -> set[int]:
        """Alerts that sinks know something of and may be told more of now: some of each sink, so that none waits for
        another.
        """
        now = self._clock.now().timestamp()
        due = (
            [i for i, row in rows.items() if row.due_at <= now and (sink, i) not in self._busy]
            for sink, rows in self._rows.items()
        )
        return {alert_id for found in due for alert_id in found[:_LOADED]}

    async def _begin(self, sink: str, alerts: Iterable[Alert]) -> None:
        rows, now = self._rows[sink], self._clock.now()
        under_way = sum(name == sink for name, _ in self._busy.keys)
        for alert in alerts:
            if under_way >= _AT_ONCE:
                return
            if (sink, alert.id) in self._busy:
                continue
            row, snapshot = rows.get(alert.id), snapshot_of(alert)
            if row is None or row.key != snapshot.key:
                row = _Row(snapshot.key)
            if not self._has_to(sink, snapshot, row):
                if alert.over and alert.id in rows:
                    del rows[alert.id]
                    self._changed.add(sink)
                continue
            if row.due_at > now.timestamp() or self._given_up(sink, alert, row, now):
                continue
            url = await self._link(alert, now)
            if url is None:
                continue
            last = await self._last_deploy(alert.lane)
            rows[alert.id] = row
            told = snapshot_of(alert, url=url, last=last)
            self._busy.start((sink, alert.id), self._tell(sink, told, row), f"sink:{sink}")
            under_way += 1

    def _has_to(self, sink: str, alert: AlertSnapshot, row: _Row) -> bool:
        return Known(alert.state, alert.severity) != row.done and self._sinks.is_news(sink, alert, row.known)

    async def _link(self, alert: Alert, now: datetime) -> str | None:
        """The address of the alert's message; None while it is worth waiting for, empty without one."""
        for card in await self._alerts.cards(alert.id):
            return f"https://discord.com/channels/{card.guild_id}/{card.channel_id}/{card.message_id}"
        fresh = 0.0 <= (now - alert.opened_at).total_seconds() < _LINK_S
        return None if fresh else ""

    async def _tell(self, sink: str, alert: AlertSnapshot, row: _Row) -> _Told:
        try:
            return _Told(sink, alert, await self._sinks.deliver(sink, alert, row.known))
        except Unreachable as away:
            return _Told(sink, alert, away)
        except Exception as error:
            _log.error("sink_failed", sink=sink, alert=alert.id, exc_info=error)
            return _Told(sink, alert, Unreachable(f"unexpected error ({type(error).__name__})"))

    def _take(self, told: _Told) -> None:
        outcome = "away" if isinstance(told.came, Unreachable) else told.came.outcome
        self._meter.sink(told.sink, outcome)
        row = self._rows[told.sink].get(told.alert.id)
        if row is None or row.key != told.alert.key:
            return
        self._changed.add(told.sink)
        if isinstance(told.came, Unreachable):
            row.attempts += 1
            row.error = str(told.came)
            row.due_at = self._clock.now().timestamp() + retry_in_s(row.attempts, told.came)
            if row.attempts == 1:
                _log.warning("sink_away", sink=told.sink, alert=told.alert.id, why=row.error)
            return
        row.known, row.done = told.came.known, Known(told.alert.state, told.alert.severity)
        row.attempts, row.due_at = 0, 0.0
        row.error = told.came.sentence if told.came.outcome == "refused" else ""

    def _given_up(self, sink: str, alert: Alert, row: _Row, now: datetime) -> bool:
        over_s = (now - alert.ended_at).total_seconds() if alert.ended_at else 0.0
        if not row.attempts or over_s < _GIVE_UP_S:
            return False
        self._rows[sink].pop(alert.id, None)
        self._changed.add(sink)
        _log.error("sink_given_up", sink=sink, alert=alert.id, why=row.error)
        return True

    def _drop(self, alert_id: int) -> None:
        """The database does not have this alert any more."""
        for sink, rows in self._rows.items():
            if rows.pop(alert_id, None) is not None:
                self._changed.add(sink)


def _noted(rows: Mapping[int, _Row]) -> dict[str, object]:
    return {"alerts": {str(alert_id): asdict(row) for alert_id, row in rows.items()}}


def _rows(note: Mapping[str, Any] | None) -> dict[int, _Row]:
    kept = note["alerts"] if note else {}
    return {
        int(alert_id): _Row(**{**row, "known": _known(row["known"]), "done": _known(row["done"])})
        for alert_id, row in kept.items()
    }


def _known(kept: Mapping[str, str] | None) -> Known | None:
    return Known(AlertState(kept["state"]), Severity(kept["severity"])) if kept else None
