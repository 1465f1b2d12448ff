"""Alerts as frozen data: findings that belong together, who has them, their timeline, and the calls they make.

Nothing here decides anything: `hearing` takes findings, `follow_up` says what time changes, `actions` what people
do. Each returns what the alert becomes, with the lines of its timeline and the calls that go with it, or None where
nothing changes. Nothing reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from bot.domain import phrasebook
from bot.domain.formatting import clean
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.escalation import SPOKEN, Responder
from bot.domain.watch.alerts.findings import Finding, Severity

# What a line is that stands for others; its text is how many.
LEFT_OUT: Final = "left_out"
# Lines of trouble that comes and goes. Only of these, an alert that stays open has more and more.
PASSING: Final = ("trouble", "better", "returned", "calm")
# Characters of what is kept of a trouble that is left out.
MARK = 8


class AlertState(StrEnum):
    """Whether an alert waits for someone, has someone, or is over."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertAction(StrEnum):
    """What a person can do to an alert, by button, command line or HTTP."""

    ACKNOWLEDGE = "acknowledge"
    ESCALATE = "escalate"
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A finding of an alert as it was last heard. over_at: None while it fires."""

    finding: Finding
    since: datetime
    over_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """The deploy that is a plausible cause: it ended shortly before the alert began, or is going on."""

    rollout_id: int
    from_version: str
    to_version: str
    by: str
    at: datetime
    going_on: bool = False


@dataclass(frozen=True, slots=True)
class WantedRollback:
    """A rollback that a rule asks for, until it is started. rollout_id: of the deploy to be rolled back. why: what is
    wrong, in a few words. at: when to try next. tries: how often it was tried again.
    """

    rollout_id: int
    why: str
    at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who acknowledged an alert. id: 0 for an account that is not Discord's."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Troubles of one lane, or of one kind where they concern none.

    group: alerts that are not over have different ones. guilds: the servers that show it. opened_at: when
    Slipway heard of it. steps_done and escalates_from: how far the escalation of `severity` came, and since when it
    counts. acknowledged_at: when its owner said last that they have it; taken_at: since when someone has had it
    without a pause. calm_since: since when no trouble fires. silenced_at: when a person silenced it, while it is
    silent. returns: how often it came back before it was resolved; earlier_returns: the same of the alerts before it
    that it follows closely.
    left_out_marks: of the troubles that fire too and are not kept, `MARK` characters each. silence_id: the maintenance
    silence that keeps it silent; 0 where a person does. woken: a person ended a silence, so maintenance silences leave
    it alone. wanted: the rollback that is still to be started for it. undone_by: the rollout that takes its suspect
    back, once it was started; 0 before. version grows with each change.
    """

    id: int
    group: str
    guilds: tuple[int, ...]
    lane: Lane | None
    opened_at: datetime
    troubles: tuple[Trouble, ...]
    severity: Severity
    escalates_from: datetime
    state: AlertState = AlertState.FIRING
    steps_done: int = 0
    owner: Owner | None = None
    acknowledged_at: datetime | None = None
    asked_at: datetime | None = None
    silenced_until: datetime | None = None
    calm_since: datetime | None = None
    returns: int = 0
    earlier_returns: int = 0
    ended_at: datetime | None = None
    ended_by: str = ""
    suspect: Suspect | None = None
    left_out_marks: str = ""
    silence_id: int = 0
    woken: bool = False
    wanted: WantedRollback | None = None
    undone_by: int = 0
    taken_at: datetime | None = None
    silenced_at: datetime | None = None
    version: int = 1

    @property
    def over(self) -> bool:
        return self.state is AlertState.RESOLVED

    @property
    def firing(self) -> tuple[Trouble, ...]:
        """The troubles that are not over, worst first, then the oldest."""
        found = [trouble for trouble in self.troubles if trouble.over_at is None]
        return tuple(sorted(found, key=lambda each: (each.finding.severity.rank, each.since)))

    @property
    def left_out(self) -> int:
        """How many troubles fire that are not kept."""
        return len(self.left_out_marks) // MARK

    @property
    def had_since(self) -> datetime | None:
        """Since when someone has had it without a pause; None while no one has."""
        return self.taken_at or self.acknowledged_at

    @property
    def first(self) -> Trouble:
        """The trouble that its title speaks of: the worst that fires, else the worst there was."""
        return (*self.firing, *sorted(self.troubles, key=lambda each: each.finding.severity.rank))[0]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an alert's timeline. by: empty for Slipway itself."""

    at: datetime
    what: Literal[
        "opened",
        "trouble",
        "worse",
        "better",
        "returned",
        "calm",
        "resolved",
        "acknowledged",
        "escalated",
        "asked",
        "silenced",
        "unsilenced",
        "called",
        "unreached",
        "rollback",
        "left_out",
    ]
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """People to be told now, beside the card. users: further people by their Discord id."""

    who: tuple[Responder, ...]
    text: str
    users: tuple[int, ...] = ()
    direct: bool = False
    war_room: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What an alert becomes."""

    alert: Alert
    entries: tuple[Entry, ...] = ()
    calls: tuple[Call, ...] = ()


def alert_line(alert: Alert) -> str:
    """The alert in one sentence, for a phone's lock screen."""
    finding = alert.first.finding
    measured = f": {finding.value} (limit {finding.limit})" if finding.value and finding.limit else ""
    return f"{clean(finding.title)}{measured}"


def told(what: str, text: str) -> str:
    """The text of a line of the timeline for people: of a call, whom it reached."""
    if what == LEFT_OUT:
        return phrasebook.lines_left_out(int(text))
    return ", ".join(SPOKEN.get(one, one) for one in text.split(", ")) if what == "called" else text


def owner_of(alert: Alert) -> tuple[int, ...]:
    """The owner's id, to be mentioned; empty without one."""
    return (alert.owner.id,) if alert.owner is not None and alert.owner.id else ()


def owned(alert: Alert, by: Actor, at: datetime) -> Alert:
    """The alert as this person's."""
    return replace(
        alert,
        state=AlertState.ACKNOWLEDGED,
        owner=Owner(by.id, by.name),
        acknowledged_at=at,
        taken_at=alert.had_since or at,
        asked_at=None,
    )


def disowned(alert: Alert) -> Alert:
    """The alert as one that waits for someone."""
    return replace(
        alert, state=AlertState.FIRING, owner=None, acknowledged_at=None, taken_at=None, asked_at=None
    )
