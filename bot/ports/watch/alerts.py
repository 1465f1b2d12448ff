"""Alerts in the database, and what is known of the lanes that are watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert, Entry
from bot.domain.watch.rules import WatchState
from bot.ports.watch.incidents import IncidentSave

# Of an alert that is open, so many of its first lines and of its newest stay. Between them, trouble that came and went
# (`PASSING`) is left out, if that is so many lines or more.
KEPT_FIRST, KEPT_NEWEST, KEPT_MORE = 100, 400, 100
NOTHING: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One change of an alert, saved whole or not at all. before: the version it was made from; 0 for a new alert.

    due_at: when time changes it next. incidents: those that it opens, where it has not done so before.
    """

    alert: Alert
    before: int
    due_at: datetime | None
    entries: Sequence[Entry] = ()
    calls: Sequence[CallPeople] = ()
    incidents: Sequence[IncidentSave] = ()


@dataclass(frozen=True, slots=True)
class AlertCard:
    """Where an alert's message in a server is."""

    alert_id: int
    guild_id: int
    channel_id: int
    message_id: int


class AlertStore(Protocol):
    """Alerts. Every method raises `Unreachable` when the database does not answer."""

    async def next_id(self) -> int: ...

    async def load(self, alert_id: int) -> Alert | None: ...

    async def newest(self, groups: Sequence[str]) -> Mapping[str, Alert]:
        """The newest alert of each of these groups, over or not."""
        ...

    async def save(self, change: AlertChange) -> bool:
        """False, with nothing saved, when it has changed meanwhile, or its group has another alert that is not over."""
        ...

    async def due(self, by: datetime, limit: int) -> Sequence[Alert]: ...

    async def open(self, guild_id: int | None = None, limit: int = 200) -> Sequence[Alert]:
        """Alerts that are not over, the worst first, then the oldest; of one server or of all."""
        ...

    async def silenced(self, limit: int) -> Sequence[Alert]:
        """Alerts that are not over and that a maintenance silence keeps silent."""
        ...

    async def of_lane(self, lane: Lane, since: datetime, limit: int) -> Sequence[Alert]:
        """The newest alerts of the lane that are not over, or were opened since then."""
        ...

    async def count_open(self) -> Mapping[str, int]:
        """How many alerts are not over, by severity; severities without any are left out."""
        ...

    async def timeline(self, alert_id: int, limit: int) -> Sequence[Entry]:
        """The first and the newest entries, at most `limit`, oldest first.

        Between them, one of the kind `left_out` stands for the others; its text is how many. See `Housekeeping.tidy`.
        """
        ...

    async def undrawn(self, limit: int, without: Mapping[int, int] = NOTHING) -> Sequence[tuple[Alert, int]]:
        """Alerts with outdated cards, each with the version that is shown, the worst first.

        without: alerts that are left out while they have this version, by id.
        """
        ...

    async def drawn(self, alert_id: int, version: int) -> None:
        """The cards show this version now."""
        ...

    async def cards(self, alert_id: int) -> Sequence[AlertCard]: ...

    async def put_card(self, card: AlertCard) -> None: ...


class WatchedLanes(Protocol):
    """What is known of lanes that are watched."""

    async def read(self) -> Mapping[Lane, WatchState]: ...

    async def save(self, states: Mapping[Lane, WatchState], at: datetime) -> None: ...
