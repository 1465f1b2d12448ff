"""The timeline of an incident: its own entries, those of its alerts, and what was done to its lane, in one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain import phrasebook
from bot.domain.rollout.events import Transition
from bot.domain.watch.alerts.alert import LEFT_OUT, Entry
from bot.domain.watch.incidents.incident import IncidentEntry

# Of a rollout's own steps, what changes which release serves users.
_TOLD = frozenset({"quarantined", "released", "locked", "unlocked", "rolled_back", "halted"})
# Steps of a rollout on its way, and what the incident's own lines say of its alerts: left out of a short timeline.
_STEPS = frozenset({"verifying", "soaking", "shifting", "observing", "taking_over", "taking over"})
_SAID_TWICE = frozenset({"better", "calm"})
# Lines of the audit log that say what an incident's own entries say.
AUDITED = "incident_"


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line. source: who recorded it. by: empty for Slipway itself. alert_id: 0 for other sources.

    left_out: how many lines it stands for, which are not here; 0 for a line of its own.
    """

    at: datetime
    source: Literal["incident", "alert", "lane"]
    what: str
    text: str
    by: str = ""
    alert_id: int = 0
    left_out: int = 0


def merged(
    entries: Iterable[IncidentEntry],
    alerts: Mapping[int, Sequence[Entry]],
    happened: Iterable[Transition],
    gaps: Iterable[TimelineLine] = (),
) -> list[TimelineLine]:
    """All of it, oldest first. happened: audit lines of the lane, of which those by people and new phases are told.

    gaps: lines that say what is left out of those.
    """
    lines = [_line("incident", e) for e in entries]
    for alert_id, told in alerts.items():
        lines += [_line("alert", e, alert_id) for e in told]
    lines += [*_of_lane(happened), *gaps]
    return sorted(lines, key=lambda line: line.at)


def _line(
    source: Literal["incident", "alert"], entry: Entry | IncidentEntry, alert_id: int = 0
) -> TimelineLine:
    left_out = int(entry.text) if entry.what == LEFT_OUT else 0
    text = phrasebook.lines_left_out(left_out) if left_out else entry.text
    return TimelineLine(entry.at, source, entry.what, text, entry.by, alert_id, left_out)


def brief(lines: Iterable[TimelineLine]) -> list[TimelineLine]:
    """The timeline for a card: without the steps of rollouts, and without what is said twice."""
    return [
        line
        for line in lines
        if not (line.source == "lane" and line.what in _STEPS)
        and not (line.source == "alert" and line.what in _SAID_TWICE)
    ]


def _of_lane(happened: Iterable[Transition]) -> Iterator[TimelineLine]:
    for line in happened:
        by_person = line.actor.via != "system"
        new_phase = bool(line.to_phase) and line.from_phase != line.to_phase
        if line.what.startswith(AUDITED) or not (by_person or new_phase or line.what in _TOLD):
            continue
        yield TimelineLine(line.at, "lane", line.what, line.why, line.actor.name if by_person else "")
