"""All on-call schedules at one time, and what the next four weeks have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.watch.oncall import schedule as oncall
from bot.domain.watch.oncall.schedule import OnCallSchedule, OnCallShift, Override, Responders

# How far people look ahead, and how far calendars and overrides are read back: shifts have a beginning.
AHEAD, BACK = timedelta(weeks=4), timedelta(weeks=5)
# Before what people are told of who is on call.
ICON = "📟"
_MOST_SHIFTS = 250


@dataclass(frozen=True, slots=True)
class Rota:
    """All schedules as they are at one time, with what was read of their calendars, and all overrides."""

    at: datetime
    schedules: Mapping[str, OnCallSchedule]
    overrides: Sequence[Override]

    def on_call(self, name: str) -> OnCallShift:
        return oncall.on_call(self.schedules[name], self.overrides, self.at)

    def responders(self, name: str | None) -> Responders:
        """Whom to call; no one for a schedule that the catalog does not have."""
        schedule = self.schedules.get(name or "")
        return oncall.responders(schedule, self.overrides, self.at) if schedule else Responders()

    def next(self, name: str) -> OnCallShift | None:
        """The shift after the present one; None where that has no end."""
        return next(iter(self.coming(name, 2)[1:]), None)

    def hand_over(self, name: str, after: datetime) -> datetime | None:
        """The first hand-over after that time; None where there is none."""
        return oncall.on_call(self.schedules[name], self.overrides, after).until

    def coming(self, name: str, count: int = _MOST_SHIFTS) -> Sequence[OnCallShift]:
        """The present shift and those of the next four weeks."""
        found = oncall.coming(self.schedules[name], self.overrides, self.at, count)
        return [each for each in found if each.since is None or each.since < self.at + AHEAD]

    def unread(self, name: str) -> bool:
        """Whether its calendar is new, so that it is not known yet who is on call."""
        calendar = self.schedules[name].calendar
        return calendar is not None and calendar.until is None and not calendar.problem

    def gaps(self, name: str) -> Sequence[OnCallShift]:
        """The times of the next four weeks in which no one is on call."""
        return list(oncall.gaps(self.schedules[name], self.overrides, self.at, self.at + AHEAD))


def advice(rota: Rota) -> tuple[str, ...]:
    """A sentence for each time of the next four weeks in which no one is on call; three for each schedule."""
    return tuple(
        phrasebook.no_one_on_call(name, gap.since, gap.until, gap.why)
        for name in rota.schedules
        for gap in rota.gaps(name)[:3]
        if not rota.unread(name) and gap.since is not None and gap.until is not None
    )
