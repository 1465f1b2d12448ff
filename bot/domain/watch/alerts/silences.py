"""Maintenance silences: for a time, alerts that match one are shown and call no one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.watch.alerts.alert import Alert, Change, Entry
from bot.domain.watch.alerts.findings import Finding

LONGEST_SILENCE = timedelta(days=30)
MOST_LABELS, LONGEST_LABEL = 10, 200


@dataclass(frozen=True, slots=True)
class Silence:
    """What is silent in a server, from when to when.

    service, environment: empty for any. labels: all of them must be those of a finding. by_id, by: who wanted it, at
    `at`. over_at: when it ended, by a person or by itself. begun: alerts were silenced by it.
    """

    id: int
    guild_id: int
    service: str
    environment: str
    labels: Mapping[str, str]
    since: datetime
    until: datetime
    reason: str
    by_id: int
    by: str
    at: datetime = field(compare=False)
    over_at: datetime | None = None
    begun: bool = field(default=False, compare=False)

    def active(self, at: datetime) -> bool:
        """One that has begun goes on when the clock is set back to before its beginning."""
        began = self.begun or self.since <= max(at, self.at)
        return self.over_at is None and began and at < self.until

    def matches(self, finding: Finding) -> bool:
        """Whether it is about the finding; one of no lane has no service and no environment."""
        lane = finding.lane
        return (
            self.service in ("", lane.service if lane else None)
            and self.environment in ("", lane.environment if lane else None)
            and all(finding.labels.get(name) == value for name, value in self.labels.items())
        )

    @property
    def about(self) -> str:
        """What is silent, for people: `checkout/production, check=health`."""
        place = "/".join(part or "*" for part in (self.service, self.environment))
        labels = [f"{name}={value}" for name, value in self.labels.items()]
        return ", ".join([*([place] if place != "*/*" else []), *labels])


def quieted(change: Change, silences: Iterable[Silence], at: datetime) -> Change | None:
    """The alert as silences want it at `at`; None where they change nothing.

    It is silent while each of its troubles has a silence, until the first of them has none. An end brings its calls
    back from the first step on. What a person silenced for longer stays so, and what a person woke is not silenced
    again.
    """
    alert = change.alert
    if alert.over or alert.woken or not alert.firing:
        return None
    found = _covering(alert, [each for each in silences if each.active(at)])
    if found is None:
        return _woken(change, at) if alert.silence_id else None
    by_person = alert.silenced_until is not None and not alert.silence_id
    if by_person and alert.silenced_until is not None and alert.silenced_until >= found.until:
        return None
    if (alert.silence_id, alert.silenced_until) == (found.id, found.until):
        return None
    silent = replace(alert, silenced_until=found.until, silence_id=found.id)
    text = phrasebook.silence_holds(found.id, found.by, found.reason)
    entries = () if alert.silence_id == found.id else (Entry(at, "silenced", text),)
    return replace(change, alert=silent, entries=(*change.entries, *entries))


def _covering(alert: Alert, silences: list[Silence]) -> Silence | None:
    """Of each trouble's longest silence, the one that ends first; None when a trouble has none."""
    mine = [each for each in silences if each.guild_id in alert.guilds]
    longest: list[Silence] = []
    for trouble in alert.firing:
        matching = [each for each in mine if each.matches(trouble.finding)]
        if not matching:
            return None
        longest.append(max(matching, key=lambda each: (each.until, -each.id)))
    return min(longest, key=lambda each: (each.until, each.id))


def _woken(change: Change, at: datetime) -> Change:
    alert = replace(change.alert, silenced_until=None, silence_id=0, escalates_from=at, steps_done=0)
    entry = Entry(at, "unsilenced", phrasebook.silence_over())
    return replace(change, alert=alert, entries=(*change.entries, entry))
