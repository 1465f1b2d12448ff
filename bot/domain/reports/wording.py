"""Reports in plain words: one line for each figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from bot.domain.formatting import count, counted, duration, percent
from bot.domain.phrasebook.values import name
from bot.domain.reports.deployments import Typical
from bot.domain.reports.figures import Figures, Rollbacks
from bot.domain.reports.records import Period
from bot.domain.reports.report import Compared, PeriodReport

NOT_KNOWN = "not known"
_NO_ROLLOUTS = f"{NOT_KNOWN}: no rollouts are recorded"


class FigureLine(NamedTuple):
    """What a figure is called, and what it is."""

    label: str
    text: str


def lines(compared: Compared) -> Sequence[FigureLine]:
    """All figures of a service, or of all."""
    now, before = compared.now, compared.before
    return [
        FigureLine("Availability", _availability(now, before)),
        FigureLine("Error budget", _budget(now, before)),
        FigureLine("Deployments", _deployments(now, before)),
        FigureLine("Lead time", _lead(now, before)),
        FigureLine("Change failure rate", _failure_rate(now, before)),
        FigureLine("Time to restore", _restore(now, before)),
        FigureLine("Rollbacks", _rollbacks(now, before)),
        FigureLine("Alerts", _alerts(now, before)),
    ]


def short(compared: Compared) -> str:
    """A service in one line: only what is known."""
    now = compared.now
    known = [
        share(now.availability) if now.availability is not None else "",
        f"{now.deployments} deployed" if now.deployments is not None else "",
        f"{now.failed} failed" if now.failed else "",
        f"{now.alerts} alerts" if now.alerts > 1 else "1 alert" if now.alerts else "",
    ]
    return " · ".join(filter(None, known)) or NOT_KNOWN


def noisy(report: PeriodReport) -> Sequence[str]:
    """What was alerted about most often."""
    return [noisy_alert(each.title, str(each.lane) if each.lane else "", each.times) for each in report.noisy]


def noisy_alert(title: str, lane: str, times: int) -> str:
    """lane: empty for an alert that concerns none."""
    return f"{counted(times, 'time')}: {name(title)}{f' ({name(lane)})' if lane else ''}"


def dates(period: Period) -> str:
    """`"9 to 15 November 2026 (UTC)"`."""
    first, last = period.since.date(), period.last
    if first == last:
        return f"{_day(first, year=True)} (UTC)"
    same = first.month == last.month and first.year == last.year
    begin = f"{first.day}" if same else _day(first, year=first.year != last.year)
    return f"{begin} to {_day(last, year=True)} (UTC)"


def short_date(day: date) -> str:
    """`"9 Nov"`."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def _day(day: date, *, year: bool) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if year else "")


# Not by `strftime`, which follows the machine's language.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def share(value: float) -> str:
    """Never rounded up to 100%: `99.98%`."""
    return f"{round(value * 1e6) // 100 / 100:g}%"


def _than(now: float | None, before: float | None, show: Callable[[float], str]) -> str:
    """The figure of the period before; nothing where there is none now to compare it with."""
    if now is None:
        return ""
    if before is None:
        return ", before: not known"
    if show(now) == show(before):
        return ", as before"
    return f", {'up' if now > before else 'down'} from {show(before)}"


def _availability(now: Figures, before: Figures) -> str:
    if now.availability is None:
        return f"{NOT_KNOWN}: no requests were counted"
    than = _than(now.availability, before.availability, share)
    watched = percent(now.share_counted or 0.0)
    return (
        f"{share(now.availability)}{than}. {count(now.requests)} requests, counted for {watched} of the time"
    )


def _budget(now: Figures, before: Figures) -> str:
    left = now.budget_left
    if left is None:
        return NOT_KNOWN
    return f"{f'{percent(left)} left' if left else 'spent'}{_than(left, before.budget_left, percent)}"


def _deployments(now: Figures, before: Figures) -> str:
    if now.deployments is None or not now.days:
        return _NO_ROLLOUTS
    than = _than(now.deployments, before.deployments, lambda number: f"{number:.0f}")
    rate = f" ({_often(now.per_day)})" if now.per_day is not None else ""
    return f"{now.deployments}{rate}{than}"


def _often(per_day: float) -> str:
    if per_day >= 1 or not per_day:
        return f"{per_day:.1f} a day" if per_day else "none"
    return f"{per_day * 7:.1f} a week" if per_day * 7 >= 1 else f"{per_day * 30:.1f} in 30 days"


def _lead(now: Figures, before: Figures) -> str:
    if now.lead is None:
        return NOT_KNOWN
    since = "release" if now.lead_from == "made" else "request"
    length, than = _length(now.lead), _longer(now.lead, before.lead)
    return f"{length} from {since} to success, median of {now.lead.of}{than}"


def _failure_rate(now: Figures, before: Figures) -> str:
    if now.failure_rate is None or now.deployments is None:
        return NOT_KNOWN
    than = _than(now.failure_rate, before.failure_rate, percent)
    return f"{percent(now.failure_rate)}, {now.failed} of {now.deployments}{than}"


def _restore(now: Figures, before: Figures) -> str:
    open_ = f"{counted(now.going_on, 'outage')} still going on" if now.going_on else ""
    if now.restore is None:
        return open_ or ("no outages" if now.deployments is not None else NOT_KNOWN)
    than = _longer(now.restore, before.restore)
    said = f"{_length(now.restore)}, median of {now.restore.of}{than}"
    return f"{said}. {open_}" if open_ else said


def _rollbacks(now: Figures, before: Figures) -> str:
    if now.rollbacks is None:
        return _NO_ROLLOUTS
    earlier = before.rollbacks.total if before.rollbacks is not None else None
    than = _than(now.rollbacks.total, earlier, lambda number: f"{number:.0f}")
    parts = ", ".join(_parts(now.rollbacks))
    return f"{now.rollbacks.total}{f': {parts}' if parts else ''}{than}"


def _parts(rollbacks: Rollbacks) -> Iterator[str]:
    for number, who in (
        (rollbacks.automatic, "automatic"),
        (rollbacks.by_people, "by people"),
        (rollbacks.unknown, "by someone not known"),
    ):
        if number:
            yield f"{number} {who}"


def _alerts(now: Figures, before: Figures) -> str:
    earlier = before.alerts if before.deployments is not None or before.alerts else None
    said = f"{now.alerts}{_than(now.alerts, earlier, lambda number: f'{number:.0f}')}"
    if not now.alerts:
        return said
    taken = now.acknowledged
    if taken is None:
        return f"{said}. None was acknowledged"
    return (
        f"{said}. Someone had it after {_length(taken)} on average ({taken.of} of {now.alerts} acknowledged)"
    )


def _longer(now: Typical, before: Typical | None) -> str:
    return _than(now.seconds, before.seconds if before else None, _rounded)


def _length(typical: Typical) -> str:
    return _rounded(typical.seconds)


def _rounded(seconds: float) -> str:
    """To what matters of such a length: seconds within two minutes, minutes within two days, else days."""
    if seconds >= 172_800:
        return f"{seconds / 86_400:.1f} days"
    unit = 1 if seconds < 120 else 60
    return duration(round(seconds / unit) * unit)
