"""Answers about on-call schedules: who is on call, the next weeks, and what an override changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain import phrasebook
from bot.domain.formatting import with_times
from bot.domain.watch.oncall.schedule import OnCallShift, Person
from bot.engine.watch.oncall.overrides import Overridden
from bot.engine.watch.oncall.service import OnCallStatus
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions.lists import layout

_MORE = "name a schedule to see it"
_LINES = 16  # of a paragraph
_LANES = 4


def who(found: Sequence[OnCallStatus]) -> Reply:
    """Who is on call now, until when, and who comes after them."""
    if not found:
        return Reply(f"✋ {phrasebook.no_schedules()}", outcome="refused")
    return layout(["## On call", *("\n".join(_schedule(each)) for each in found)], more=_MORE)


def _schedule(status: OnCallStatus) -> Iterator[str]:
    now, gone = status.now, status.gone
    yield f"### {escaping.plain(status.schedule.name, 60)}"
    if now.person is None:
        until = f" until {_when(now)}" if now.until else ""
        yield f"🚨 **No one is on call**{until}. {_dated(now.why, 300)}"
    else:
        until = f" until {_when(now)}" if now.until else ""
        yield f"📟 **{_person(now.person, gone)}**{until}"
    if now.override is not None:
        yield f"-# Override by {_by(now)}"
    yield _after(status)
    yield from (f"⚠️ {_dated(said, 300)}" for said in _warnings(status))
    if status.page is not None and status.page.answered_at is not None:
        yield f"-# Test page answered {escaping.relative(status.page.answered_at)}"
    if status.lanes:
        shown = ", ".join(escaping.plain(str(lane), 60) for lane in status.lanes[:_LANES])
        more = f" and {len(status.lanes) - _LANES} more" if len(status.lanes) > _LANES else ""
        yield f"-# For {shown}{more}"


def _after(status: OnCallStatus) -> str:
    people, gone = status.responders, status.gone
    parts = []
    if len(status.shifts) > 1:
        after = status.shifts[1].person
        parts.append(f"**Next** {_person(after, gone) if after else 'no one'}")
    parts.append(f"**Second** {_person(people.second, gone) if people.second else 'no one'}")
    if people.lead is not None:
        parts.append(f"**Lead** {_person(people.lead, gone)}")
    elif people.lead_role:
        parts.append(f"**Lead** {escaping.code(people.lead_role)}")
    return " · ".join(parts)


def _warnings(status: OnCallStatus) -> Iterator[str]:
    now, gone = status.now.person, status.gone
    after = status.shifts[1].person if len(status.shifts) > 1 else None
    concerned = dict.fromkeys((now, after, status.responders.second, status.responders.lead))
    yield from (phrasebook.left_the_server(p.name) for p in concerned if p is not None and p.id in gone)
    later = status.gaps if now is not None else status.gaps[1:]  # the first one is now
    for gap in later[:3]:
        if gap.since is not None and gap.until is not None:
            yield phrasebook.no_one_on_call(status.schedule.name, gap.since, gap.until, gap.why)
    if status.page is not None and status.page.missed_at is not None:
        yield phrasebook.page_missed(status.page.person.name, status.page.sent_at)
    if status.problem and status.now.person is not None:
        yield phrasebook.calendar_as_read_before(status.problem)


def weeks(found: Sequence[OnCallStatus]) -> Reply:
    """The shifts of the next four weeks, one line each."""
    if not found:
        return Reply(f"✋ {phrasebook.no_schedules()}", outcome="refused")
    parts = ["## On call: the next four weeks"]
    for status in found:
        zone = escaping.plain(status.schedule.time_zone, 40)
        lines = [_line(shift, status.gone) for shift in status.shifts]
        heading = (
            f"### {escaping.plain(status.schedule.name, 60)}\n-# Hand-over in {zone}, shown in your time"
        )
        for at in range(0, len(lines), _LINES):
            parts.append("\n".join([*([heading] if at == 0 else []), *lines[at : at + _LINES]]))
    return layout(parts, more=_MORE)


def _line(shift: OnCallShift, gone: frozenset[int]) -> str:
    since = escaping.brief(shift.since) if shift.since else "Until then"
    if shift.person is None:
        return f"{since} 🚨 **no one** {_dated(shift.why, 160)}"
    override = f" · override by {escaping.plain(shift.override.by, 40)}" if shift.override else ""
    left = " · left the server" if shift.person.id in gone else ""
    return f"{since} {_person(shift.person, gone)}{override}{left}"


def overridden(done: Overridden) -> Reply:
    """What an override changes, in full."""
    override = done.override
    span = f"from {escaping.moment(override.since)} to {escaping.moment(override.until)}"
    instead = " and ".join(_replaced(shift, alone=len(done.instead) == 1) for shift in done.instead[:5])
    more = f" and {len(done.instead) - 5} more" if len(done.instead) > 5 else ""
    head = f"📟 **{_person(override.person)}** is on call for {escaping.code(override.schedule)} {span}"
    lines = [
        f"{head}, instead of {instead}{more}." if instead else f"{head}, as was recorded before.",
        f"-# “{escaping.plain(override.reason, 300)}” · It ends by itself {escaping.relative(override.until)}.",
    ]
    return Reply("\n".join(lines))


def _replaced(shift: OnCallShift, *, alone: bool) -> str:
    said = _person(shift.person) if shift.person else "no one"
    return said if alone or shift.until is None else f"{said} (until {escaping.moment(shift.until)})"


def _dated(text: str, limit: int) -> str:
    """A sentence with its times as dates: a span is not read as how far away it is."""
    return escaping.sentence(with_times(text, escaping.moment), limit)


def _person(person: Person, gone: frozenset[int] = frozenset()) -> str:
    """A mention, which notifies no one in an answer; a name for people whom Discord would show as a number."""
    return escaping.plain(person.name, 40) if person.id in gone else f"<@{person.id}>"


def _when(shift: OnCallShift) -> str:
    assert shift.until is not None
    return f"{escaping.moment(shift.until)}, {escaping.relative(shift.until)}"


def _by(shift: OnCallShift) -> str:
    assert shift.override is not None
    return f"{escaping.plain(shift.override.by, 40)}: “{escaping.plain(shift.override.reason, 120)}”"
