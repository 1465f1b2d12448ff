"""Alerts and watched lanes, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import LEFT_OUT, PASSING, Alert, Entry
from bot.domain.watch.rules import WatchState
from bot.ports.store import NO_LANE
from bot.ports.watch.alerts import (
    KEPT_FIRST,
    KEPT_MORE,
    KEPT_NEWEST,
    NOTHING,
    AlertCard,
    AlertChange,
)
from tests.fakes.store.effects import call
from tests.fakes.store.incidents import excerpt, gap_of, save_incident
from tests.fakes.store.tables import AlertRow, Part, Tables, statement


class MemoryAlerts(Part):
    """Implements `bot.ports.watch.alerts.AlertStore`."""

    part = "alerts"

    @statement
    def next_id(self, t: Tables, now: datetime) -> int:
        t.last_alert += 1
        return t.last_alert

    @statement
    def load(self, t: Tables, now: datetime, alert_id: int) -> Alert | None:
        row = t.alerts.get(alert_id)
        return row.alert if row else None

    @statement
    def newest(self, t: Tables, now: datetime, groups: Sequence[str]) -> Mapping[str, Alert]:
        return {
            row.alert.group: row.alert for _, row in sorted(t.alerts.items()) if row.alert.group in groups
        }

    @statement
    def save(self, t: Tables, now: datetime, change: AlertChange) -> bool:
        alert, row = change.alert, t.alerts.get(change.alert.id)
        if change.before:
            if row is None or row.alert.version != change.before:
                return False
            t.alerts[alert.id] = replace(row, alert=alert, due_at=change.due_at)
        else:
            if any(r.alert.group == alert.group and not r.alert.over for r in t.alerts.values()):
                return False
            t.alerts[alert.id] = AlertRow(alert, change.due_at)
        t.entries += [(alert.id, entry) for entry in change.entries]
        call(t, now, alert.lane or NO_LANE, change.calls)
        for opened in change.incidents:
            save_incident(t, now, opened)
        return True

    @statement
    def due(self, t: Tables, now: datetime, by: datetime, limit: int) -> Sequence[Alert]:
        rows = [row for row in t.alerts.values() if row.due_at is not None and row.due_at <= by]
        return [row.alert for row in sorted(rows, key=lambda r: r.due_at or by)[:limit]]

    @statement
    def open(
        self, t: Tables, now: datetime, guild_id: int | None = None, limit: int = 200
    ) -> Sequence[Alert]:
        found = [
            row.alert
            for row in t.alerts.values()
            if not row.alert.over and (guild_id is None or guild_id in row.alert.guilds)
        ]
        return sorted(found, key=_worst_first)[:limit]

    @statement
    def silenced(self, t: Tables, now: datetime, limit: int) -> Sequence[Alert]:
        return [r.alert for r in t.alerts.values() if not r.alert.over and r.alert.silence_id][:limit]

    @statement
    def of_lane(self, t: Tables, now: datetime, lane: Lane, since: datetime, limit: int) -> Sequence[Alert]:
        found = [
            row.alert
            for row in t.alerts.values()
            if row.alert.lane == lane and (not row.alert.over or row.alert.opened_at >= since)
        ]
        return sorted(found, key=lambda alert: -alert.id)[:limit]

    @statement
    def count_open(self, t: Tables, now: datetime) -> Mapping[str, int]:
        return Counter(str(row.alert.severity) for row in t.alerts.values() if not row.alert.over)

    @statement
    def timeline(self, t: Tables, now: datetime, alert_id: int, limit: int) -> Sequence[Entry]:
        return excerpt([entry for of, entry in t.entries if of == alert_id], limit)

    @statement
    def undrawn(
        self, t: Tables, now: datetime, limit: int, without: Mapping[int, int] = NOTHING
    ) -> Sequence[tuple[Alert, int]]:
        found = [
            (row.alert, row.drawn)
            for row in t.alerts.values()
            if row.drawn < row.alert.version and without.get(row.alert.id) != row.alert.version
        ]
        return sorted(found, key=lambda each: _worst_first(each[0]))[:limit]

    @statement
    def drawn(self, t: Tables, now: datetime, alert_id: int, version: int) -> None:
        row = t.alerts[alert_id]
        t.alerts[alert_id] = replace(row, drawn=max(row.drawn, version))

    @statement
    def cards(self, t: Tables, now: datetime, alert_id: int) -> Sequence[AlertCard]:
        return [card for (of, _), card in t.alert_cards.items() if of == alert_id]

    @statement
    def put_card(self, t: Tables, now: datetime, card: AlertCard) -> None:
        t.alert_cards[card.alert_id, card.guild_id] = card


class MemoryWatchedLanes(Part):
    """Implements `bot.ports.watch.alerts.WatchedLanes`."""

    part = "watched"

    @statement
    def read(self, t: Tables, now: datetime) -> Mapping[Lane, WatchState]:
        return dict(t.watched)

    @statement
    def save(self, t: Tables, now: datetime, states: Mapping[Lane, WatchState], at: datetime) -> None:
        t.watched.update(states)


def thin(t: Tables) -> None:
    """Drop lines from the middle of long timelines of alerts that are open."""
    for number in [number for number, row in t.alerts.items() if not row.alert.over]:
        mine = [index for index, (of, _) in enumerate(t.entries) if of == number]
        between = mine[KEPT_FIRST : max(KEPT_FIRST, len(mine) - KEPT_NEWEST)]
        middle = [i for i in between if t.entries[i][1].what in {*PASSING, LEFT_OUT}]
        entries = [t.entries[i][1] for i in middle]
        if sum(entry.what != LEFT_OUT for entry in entries) >= KEPT_MORE:
            t.entries[middle[0]] = (number, gap_of(entries))
            gone = set(middle[1:])
            t.entries = [each for i, each in enumerate(t.entries) if i not in gone]


def _worst_first(alert: Alert) -> tuple[int, int]:
    return alert.severity.rank, alert.id
