"""Records that reports are made from, and the time that they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.findings import Severity

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A time that a report is about. It begins at midnight UTC; `until` itself is not part of it."""

    since: datetime
    until: datetime

    @property
    def days(self) -> int:
        """Calendar days that it has a part of."""
        return (self.last - self.since.date()).days + 1

    @property
    def last(self) -> date:
        return (self.until - timedelta(microseconds=1)).date()

    @property
    def before(self) -> Period:
        """The same weekdays and hours, just before."""
        return Period(self.since - self.days * DAY, self.until - self.days * DAY)

    def has(self, at: datetime) -> bool:
        return self.since <= at < self.until


def last_days(days: int, now: datetime) -> Period:
    """So many calendar days, of which today is the last and not over yet."""
    return Period(midnight(now) - (days - 1) * DAY, now)


def whole_days(days: int, now: datetime) -> Period:
    """So many calendar days before today."""
    return Period(midnight(now) - days * DAY, midnight(now))


def midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


@dataclass(frozen=True, slots=True)
class PastRollout:
    """A rollout that has ended.

    to_digest, from_digest: the release that was rolled out, and the one that served before; empty without one.
    returns: it is a return to a known-good release. made_at: of the release, as its source says; None: not known.
    shifted_at: when it first got traffic, rolled_back: who ordered that it lost it again; None: not known, or not so.
    """

    id: int
    lane: Lane
    phase: Phase
    to_digest: str
    from_digest: str
    requested_at: datetime
    ended_at: datetime
    had_traffic: bool
    returns: bool = False
    made_at: datetime | None = None
    shifted_at: datetime | None = None
    rolled_back: Literal["automatic", "person"] | None = None

    @property
    def is_deployment(self) -> bool:
        """Whether users got a release that was not there before."""
        return self.had_traffic and not self.returns


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert. lane: None where it concerns none. returns: how often it came back before it was resolved."""

    id: int
    lane: Lane | None
    severity: Severity
    title: str
    opened_at: datetime
    acknowledged_at: datetime | None = None
    ended_at: datetime | None = None
    returns: int = 0


@dataclass(frozen=True, slots=True)
class ServedDays:
    """What a lane served on some days (UTC), summed up. first: the first of them. seconds: for which it was counted."""

    lane: Lane
    first: date
    seconds: float
    requests: int
    bad: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which users of a lane were worse off; until: None while it goes on."""

    lane: Lane
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class RecordScope:
    """Which records may be read: of these lanes, and of these servers. whole: those that concern no lane too."""

    lanes: tuple[Lane, ...]
    guilds: tuple[int, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ReportedLane:
    """A lane as the catalog has it. gated: people decide what goes forward there. limit: on its share of errors."""

    lane: Lane
    gated: bool
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """What is recorded of some lanes for a period and the one before.

    known_since: of each lane its first rollout; a lane without one is left out. incidents: as people recorded them.
    """

    known_since: dict[Lane, datetime] = field(default_factory=dict)
    rollouts: tuple[PastRollout, ...] = ()
    alerts: tuple[PastAlert, ...] = ()
    served: tuple[ServedDays, ...] = ()
    incidents: tuple[Outage, ...] = ()
