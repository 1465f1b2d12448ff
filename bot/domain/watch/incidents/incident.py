"""Incidents as frozen data: what is wrong, who has it, what belongs to it, and its times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Owner
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.targets import IncidentPolicy

MOST_LINKED = 50


class IncidentState(StrEnum):
    """How far an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESTORED = "restored"
    CLOSED = "closed"


class IncidentAction(StrEnum):
    """What a person can do to an incident."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"
    RESTORE = "restore"
    CLOSE = "close"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Incident:
    """Trouble that people work on together, in one server.

    since: when the trouble began, which times count from; opened_at: when it was called an incident. origin: what
    opened it, such as `alert-17` or a person's request; no other incident of the server has it. Empty: not known.
    alerts, rollouts: ids of what belongs to it, oldest first. calm_at: since when all of its alerts are over, and a
    person was asked to close it. postmortem: where the finished one is. asked_at: when its owner was asked for that.
    room: key of the message that its thread is under; empty when it is under its own card. version grows with each
    change.
    """

    id: int
    guild_id: int
    lane: Lane | None
    title: str
    severity: Severity
    since: datetime
    opened_at: datetime
    opened_by: str = ""
    origin: str = ""
    production: bool = False
    owner: Owner | None = None
    acknowledged_at: datetime | None = None
    restored_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    calm_at: datetime | None = None
    alerts: tuple[int, ...] = ()
    rollouts: tuple[int, ...] = ()
    postmortem: str = ""
    asked_at: datetime | None = None
    room: str = ""
    version: int = 1

    @property
    def over(self) -> bool:
        return self.closed_at is not None

    @property
    def state(self) -> IncidentState:
        if self.over:
            return IncidentState.CLOSED
        if self.restored_at is not None:
            return IncidentState.RESTORED
        return IncidentState.ACKNOWLEDGED if self.acknowledged_at is not None else IncidentState.OPEN

    @property
    def thread_name(self) -> str:
        return f"incident-{self.opened_at:%Y%m%d-%H%M}"


@dataclass(frozen=True, slots=True)
class IncidentEntry:
    """A line of an incident's timeline. by: empty for Slipway itself. key: not empty for what is recorded once."""

    at: datetime
    what: Literal[
        "opened",
        "acknowledged",
        "assigned",
        "note",
        "marked",
        "alert",
        "calm",
        "returned",
        "restored",
        "closed",
        "asked",
        "postmortem",
        "regression",
        "left_out",
    ]
    text: str = ""
    by: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class IncidentCall:
    """A message that mentions the incident's owner, or who is on call when it has none."""

    text: str


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """What an incident becomes."""

    incident: Incident
    entries: tuple[IncidentEntry, ...] = ()
    call: IncidentCall | None = None


@dataclass(frozen=True, slots=True)
class ResponseTime:
    """A time against its target, in seconds. took_s: so far while not `done`; never: it was closed without."""

    what: Literal["acknowledge", "restore"]
    took_s: float
    target_s: float
    done: bool
    never: bool = False

    @property
    def late(self) -> bool:
        return self.never or self.took_s > self.target_s


def response_times(incident: Incident, policy: IncidentPolicy, now: datetime) -> tuple[ResponseTime, ...]:
    """Time to acknowledge and time to restore, each against its target."""
    return tuple(_times(incident, policy, now))


def _times(incident: Incident, policy: IncidentPolicy, now: datetime) -> Iterator[ResponseTime]:
    target = policy.of(incident.severity)
    end = incident.closed_at or now
    for what, at, target_s in (
        ("acknowledge", incident.acknowledged_at, target.acknowledge_s),
        ("restore", incident.restored_at, target.restore_s),
    ):
        took_s = max(0.0, ((at or end) - incident.since).total_seconds())
        done = at is not None
        yield ResponseTime(
            "acknowledge" if what == "acknowledge" else "restore",
            took_s,
            target_s,
            done,
            never=not done and incident.over,
        )
