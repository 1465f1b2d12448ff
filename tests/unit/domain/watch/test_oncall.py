"""On-call schedules: one person or a gap at every time, hand-overs in local time, overrides, and who is called."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.secret import Secret
from bot.domain.watch.oncall.rotation import SHORTEST, Rotation
from bot.domain.watch.oncall.schedule import (
    Calendar,
    CalendarShift,
    CalendarSource,
    OnCallSchedule,
    OnCallShift,
    Override,
    Person,
    Responders,
    between,
    coming,
    cut,
    gaps,
    on_call,
    responders,
    second,
)

ADA, GRACE, ALAN = Person(1, "ada"), Person(2, "grace"), Person(3, "alan")
BERLIN = ZoneInfo("Europe/Berlin")
WEEK, DAY, HOUR = timedelta(weeks=1), timedelta(days=1), timedelta(hours=1)
MONDAY = datetime(2026, 11, 2, 9)  # a Monday
NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)


def weekly(*people: Person, zone: str = "Europe/Berlin", **more: object) -> OnCallSchedule:
    rotation = Rotation(zone, MONDAY, WEEK)
    return OnCallSchedule("payments", people, zone, rotation, **more)  # type: ignore[arg-type]


def override(person: Person, since: datetime, until: datetime, number: int = 1) -> Override:
    return Override(number, "payments", person, since, until, 9, "Dev", "holiday", NOW)


def berlin(*when: int) -> datetime:
    return datetime(*when, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc, arg-type]


def told(shifts: list[OnCallShift]) -> list[tuple[str | None, datetime | None]]:
    return [(each.person.name if each.person else None, each.since) for each in shifts]


# ---- rotations -----------------------------------------------------------------------------------------------


def test_people_take_turns_in_their_order() -> None:
    found = coming(weekly(ADA, GRACE, ALAN), (), NOW, 4)
    assert told(found) == [
        ("grace", berlin(2026, 11, 9, 9)),
        ("alan", berlin(2026, 11, 16, 9)),
        ("ada", berlin(2026, 11, 23, 9)),
        ("grace", berlin(2026, 11, 30, 9)),
    ]
    assert [each.until for each in found[:-1]] == [each.since for each in found[1:]]


def test_a_shift_begins_at_its_hand_over_and_ends_before_the_next() -> None:
    schedule, turn = weekly(ADA, GRACE), berlin(2026, 11, 9, 9)
    assert on_call(schedule, (), turn - datetime.resolution).person == ADA
    assert on_call(schedule, (), turn).person == GRACE


def test_before_the_first_hand_over_no_one_is_on_call() -> None:
    before = on_call(weekly(ADA, GRACE), (), berlin(2026, 11, 2, 8))
    assert before == OnCallShift(
        None, None, berlin(2026, 11, 2, 9), "The rotation begins ⟨2026-11-02T08:00:00Z⟩."
    )


@pytest.mark.parametrize(
    ("hand_over", "hours"),
    [((2027, 3, 29, 9), 167), ((2026, 10, 26, 9), 169)],
    ids=["clocks go forward", "clocks go back"],
)
def test_a_hand_over_stays_at_its_local_time_when_clocks_change(
    hand_over: tuple[int, ...], hours: int
) -> None:
    """Berlin's clocks change on the Sunday before: the week is an hour shorter or longer."""
    turn = berlin(*hand_over)
    rotation = Rotation("Europe/Berlin", MONDAY - 4 * WEEK, WEEK)
    schedule = replace(weekly(ADA, GRACE), rotation=rotation)
    found = on_call(schedule, (), turn - HOUR)
    assert found.until == turn and found.since is not None
    assert (turn - found.since) / HOUR == hours
    assert turn.astimezone(BERLIN).time().hour == 9


def test_a_hand_over_in_the_hour_that_clocks_leave_out_comes_an_hour_later() -> None:
    rotation = Rotation("Europe/Berlin", datetime(2027, 3, 27, 2, 30), DAY)
    assert rotation.start(1) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 03:30 in Berlin; there is no 02:30
    assert rotation.start(2) == datetime(2027, 3, 29, 0, 30, tzinfo=UTC)


def test_a_hand_over_in_the_hour_that_comes_twice_is_in_the_first() -> None:
    rotation = Rotation("Europe/Berlin", datetime(2026, 10, 24, 2, 30), DAY)
    assert rotation.start(1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    between_them = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 02:00 for the second time
    assert rotation.turn(between_them) == 1


def test_a_person_with_two_turns_in_a_row_hands_over_once() -> None:
    found = on_call(weekly(ADA, ADA, GRACE), (), berlin(2026, 11, 3, 0))
    assert (found.since, found.until) == (berlin(2026, 11, 2, 9), berlin(2026, 11, 16, 9))


def test_someone_alone_never_hands_over() -> None:
    found = on_call(weekly(ADA, ADA), (), NOW)
    assert (found.person, found.since, found.until) == (ADA, berlin(2026, 11, 2, 9), None)


def test_a_schedule_without_people_says_so() -> None:
    assert on_call(weekly(), (), NOW) == OnCallShift(None, None, None, "The schedule has no people.")


# ---- overrides -----------------------------------------------------------------------------------------------


def test_an_override_wins_and_ends_by_itself() -> None:
    given = override(ADA, berlin(2026, 11, 11, 0), berlin(2026, 11, 12, 0))
    found = coming(weekly(GRACE, ALAN), [given], berlin(2026, 11, 10, 0), 3)
    assert told(found) == [
        ("alan", berlin(2026, 11, 9, 9)),
        ("ada", berlin(2026, 11, 11, 0)),
        ("alan", berlin(2026, 11, 12, 0)),
    ]
    assert found[1].override == given and found[2].override is None


def test_of_two_overrides_the_one_that_was_given_last_wins() -> None:
    long = override(ADA, berlin(2026, 11, 10, 0), berlin(2026, 11, 14, 0), number=1)
    short = override(ALAN, berlin(2026, 11, 11, 0), berlin(2026, 11, 12, 0), number=2)
    found = coming(weekly(GRACE, GRACE), [short, long], berlin(2026, 11, 10, 0), 4)
    assert told(found) == [
        ("ada", berlin(2026, 11, 10, 0)),
        ("alan", berlin(2026, 11, 11, 0)),
        ("ada", berlin(2026, 11, 12, 0)),
        ("grace", berlin(2026, 11, 14, 0)),
    ]


def test_an_override_up_to_the_persons_own_turn_is_one_shift() -> None:
    given = override(GRACE, berlin(2026, 11, 6, 18), berlin(2026, 11, 9, 9))
    found = on_call(weekly(ADA, GRACE), [given], berlin(2026, 11, 7, 0))
    assert (found.person, found.since, found.until) == (
        GRACE,
        berlin(2026, 11, 6, 18),
        berlin(2026, 11, 16, 9),
    )


def test_an_override_fills_a_gap() -> None:
    given = override(ADA, berlin(2026, 11, 1, 0), berlin(2026, 11, 2, 9))
    assert on_call(weekly(GRACE, ALAN), [given], berlin(2026, 11, 1, 12)).person == ADA


def test_an_override_of_another_schedule_changes_nothing() -> None:
    given = replace(override(ADA, berlin(2026, 11, 11, 0), berlin(2026, 11, 12, 0)), schedule="search")
    assert on_call(weekly(GRACE), [given], NOW).person == GRACE


# ---- gaps ----------------------------------------------------------------------------------------------------


def test_a_calendar_has_gaps_where_it_has_no_event_or_an_unknown_name() -> None:
    shifts = (
        CalendarShift(berlin(2026, 11, 9, 9), berlin(2026, 11, 10, 9), ADA),
        CalendarShift(berlin(2026, 11, 11, 9), berlin(2026, 11, 12, 9), None, "It names no one."),
        CalendarShift(berlin(2026, 11, 12, 9), berlin(2026, 11, 20, 9), GRACE),
    )
    calendar = Calendar(shifts, until=berlin(2026, 12, 1, 0))
    schedule = replace(weekly(), rotation=None, calendar=calendar)
    (found,) = gaps(schedule, (), berlin(2026, 11, 10, 0), berlin(2026, 11, 20, 0))
    assert (found.since, found.until) == (berlin(2026, 11, 10, 9), berlin(2026, 11, 12, 9))
    assert found.why == "The calendar has no event for that time. It names no one."


def test_a_gap_is_cut_to_the_period_that_is_asked_for() -> None:
    found = list(gaps(weekly(ADA, GRACE), (), berlin(2026, 10, 1, 0), berlin(2026, 11, 1, 0)))
    assert [(each.since, each.until) for each in found] == [(berlin(2026, 10, 1, 0), berlin(2026, 11, 1, 0))]
    assert list(gaps(weekly(ADA, GRACE), (), NOW, NOW + 4 * WEEK)) == []


def test_of_overlapping_events_the_one_that_began_last_counts() -> None:
    shifts = (
        CalendarShift(berlin(2026, 11, 9, 9), berlin(2026, 11, 16, 9), ADA),
        CalendarShift(berlin(2026, 11, 11, 9), berlin(2026, 11, 12, 9), GRACE),
    )
    schedule = replace(weekly(), rotation=None, calendar=Calendar(shifts, until=berlin(2026, 12, 1, 0)))
    assert told(coming(schedule, (), berlin(2026, 11, 10, 0), 3)) == [
        ("ada", berlin(2026, 11, 9, 9)),
        ("grace", berlin(2026, 11, 11, 9)),
        ("ada", berlin(2026, 11, 12, 9)),
    ]


def test_a_calendar_that_could_not_be_read_says_why() -> None:
    schedule = replace(weekly(), rotation=None, calendar=Calendar(problem="It cannot be read."))
    assert on_call(schedule, (), NOW) == OnCallShift(None, None, None, "It cannot be read.")


# ---- who is called -------------------------------------------------------------------------------------------


def test_the_second_is_the_next_in_the_rotation() -> None:
    assert second(weekly(ADA, GRACE, ALAN), (), NOW) == ALAN


def test_the_second_is_never_the_person_who_is_on_call() -> None:
    given = override(ALAN, NOW - HOUR, NOW + DAY)
    assert second(weekly(ADA, GRACE, ALAN), [given], NOW) == GRACE
    assert second(weekly(ADA), (), NOW) is None


def test_the_second_of_another_schedule_is_who_is_on_call_there() -> None:
    backup = replace(weekly(ALAN, ADA), name="backup", second=None)
    assert second(weekly(ADA, GRACE, second=backup), (), NOW) == ADA
    same = replace(weekly(ADA, GRACE), name="backup", second=None)
    assert second(weekly(ADA, GRACE, second=same), (), NOW) == ADA  # GRACE is on call, so the next one there
    moved = replace(override(ALAN, NOW - HOUR, NOW + HOUR), schedule="backup")
    assert second(weekly(ADA, GRACE, second=same), [moved], NOW) == ALAN


def test_a_schedule_may_have_no_second() -> None:
    assert second(weekly(ADA, GRACE, second=None), (), NOW) is None


def test_responders_are_the_person_on_call_the_second_and_the_lead() -> None:
    assert responders(weekly(ADA, GRACE, lead=ALAN), (), NOW) == Responders(GRACE, ADA, ALAN)
    assert responders(weekly(ADA, lead_role="lead"), (), NOW) == Responders(ADA, None, None, "lead")


def test_in_a_gap_the_next_person_is_the_second() -> None:
    found = responders(weekly(ADA, GRACE), (), berlin(2026, 11, 1, 0))
    assert (found.primary, found.second) == (None, ADA)


# ---- properties ----------------------------------------------------------------------------------------------

PEOPLE = (ADA, GRACE, ALAN)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kolkata",
    "UTC",
)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
times = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: YEAR + timedelta(minutes=minutes))
lengths = st.sampled_from((SHORTEST, 12 * HOUR, DAY, 2 * DAY, WEEK, 2 * WEEK))


@st.composite
def schedules(draw: st.DrawFn) -> OnCallSchedule:
    zone = draw(st.sampled_from(ZONES))
    people = tuple(draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4)))
    if draw(st.booleans()):
        begins = datetime(2026, 1, 5) + timedelta(minutes=draw(st.integers(0, 60 * 24 * 60)))
        return OnCallSchedule("payments", people, zone, Rotation(zone, begins, draw(lengths)))
    found = []
    for since, hours in draw(st.lists(st.tuples(times, st.integers(1, 400)), max_size=6)):
        person = draw(st.sampled_from((*PEOPLE, None)))
        found.append(CalendarShift(since, since + hours * HOUR, person, "" if person else "Unknown."))
    return OnCallSchedule("payments", people, zone, calendar=Calendar(tuple(found), until=draw(times)))


@st.composite
def overrides(draw: st.DrawFn) -> list[Override]:
    found = draw(st.lists(st.tuples(times, st.integers(1, 400), st.sampled_from(PEOPLE)), max_size=5))
    return [override(who, since, since + hours * HOUR, n) for n, (since, hours, who) in enumerate(found, 1)]


@given(schedule=schedules(), given_=overrides(), at=times)
def test_at_every_time_there_is_one_person_or_a_gap_that_says_why(
    schedule: OnCallSchedule, given_: list[Override], at: datetime
) -> None:
    found = on_call(schedule, given_, at)
    assert found.since is None or found.since <= at
    assert found.until is None or at < found.until
    assert (found.person is None) == bool(found.why)


@given(schedule=schedules(), given_=overrides(), at=times)
def test_shifts_join_without_overlap_and_with_another_person_each(
    schedule: OnCallSchedule, given_: list[Override], at: datetime
) -> None:
    found = list(between(schedule, given_, at, at + 6 * WEEK))
    assert found[0] == on_call(schedule, given_, at)
    for one, after in pairwise(found):
        assert one.until == after.since
        assert one.person != after.person
    assert found[-1].until is None or found[-1].until >= at + 6 * WEEK


@given(schedule=schedules(), given_=overrides(), at=times, share=st.floats(0, 1, exclude_max=True))
def test_a_shift_is_the_same_from_every_time_within_it(
    schedule: OnCallSchedule, given_: list[Override], at: datetime, share: float
) -> None:
    found = on_call(schedule, given_, at)
    since, until = found.since or at, found.until or at + WEEK
    within = min(since + share * (until - since), until - datetime.resolution)
    again = on_call(schedule, given_, within)
    assert (again.person, again.since, again.until) == (found.person, found.since, found.until)


@given(schedule=schedules(), given_=overrides(), at=times)
def test_overrides_win_the_last_one_first(
    schedule: OnCallSchedule, given_: list[Override], at: datetime
) -> None:
    covering = [each for each in given_ if each.covers(at)]
    found = on_call(schedule, given_, at)
    if covering:
        assert found.person == max(covering, key=lambda each: each.id).person
    else:
        assert found.person == on_call(schedule, (), at).person


@given(schedule=schedules(), given_=overrides(), at=times)
def test_the_second_is_someone_else(schedule: OnCallSchedule, given_: list[Override], at: datetime) -> None:
    found = responders(schedule, given_, at)
    assert found.second is None or found.second != found.primary


@given(zone=st.sampled_from(ZONES), minute=st.integers(0, 24 * 60 - 1), length=lengths, at=times)
def test_every_hand_over_is_at_the_same_local_time(
    zone: str, minute: int, length: timedelta, at: datetime
) -> None:
    """But for those within an hour that clocks leave out."""
    begins = datetime(2026, 1, 5) + timedelta(minutes=minute)
    rotation = Rotation(zone, begins, length)
    turn = rotation.turn(at)
    if turn is None:
        assert at < rotation.start(0)
        return
    assert rotation.start(turn) <= at < rotation.start(turn + 1)
    local = rotation.start(turn).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    expected = begins + turn * length
    late = local - expected
    assert late in (timedelta(), timedelta(minutes=30), HOUR)
    if late:  # there is no such local time
        wall = expected.replace(tzinfo=ZoneInfo(zone))
        assert wall.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != expected


# ---- calendars -----------------------------------------------------------------------------------------------


def of_calendar(calendar: Calendar, **more: object) -> OnCallSchedule:
    return replace(weekly(ADA, GRACE), rotation=None, calendar=calendar, **more)  # type: ignore[arg-type]


def test_a_time_after_the_calendar_was_read_is_a_gap_that_says_so() -> None:
    read, end = berlin(2026, 11, 20, 0), berlin(2026, 11, 16, 9)
    event = CalendarShift(berlin(2026, 11, 9, 9), end, ADA)
    schedule = of_calendar(Calendar((event,), until=read))
    assert told(coming(schedule, (), NOW, 4)) == [("ada", event.since), (None, end)]
    gap = on_call(schedule, (), read)
    assert gap == OnCallShift(
        None, end, None, "The calendar has no event for that time. The calendar is not read so far ahead."
    )
    unread = of_calendar(Calendar((event,)))
    assert on_call(unread, (), end) == OnCallShift(None, end, None, "The calendar was not read yet.")
    assert on_call(unread, (), event.since - HOUR) == OnCallShift(
        None, None, event.since, "The calendar was not read yet."
    )
    broken = of_calendar(Calendar((event,), until=read, problem="It cannot be read."))
    assert on_call(broken, (), read).why == "The calendar has no event for that time. It cannot be read."
    assert on_call(broken, (), NOW).person == ADA
    # Events that begin later end a gap, also where nothing was read for it.
    late = CalendarShift(read + DAY, read + 2 * DAY, GRACE)
    beyond = of_calendar(Calendar((event, late), until=read))
    assert on_call(beyond, (), read).until == late.since


def test_an_event_counts_from_its_beginning_to_its_end() -> None:
    one, other = berlin(2026, 11, 9, 9), berlin(2026, 11, 16, 9)
    schedule = of_calendar(Calendar((CalendarShift(one, other, ADA),), until=other + WEEK))
    assert on_call(schedule, (), one) == OnCallShift(ADA, one, other)
    assert on_call(schedule, (), one - datetime.resolution).person is None
    assert on_call(schedule, (), other - datetime.resolution).person == ADA
    assert on_call(schedule, (), other).person is None


def test_of_events_that_begin_together_the_one_that_names_a_person_counts() -> None:
    since, until = berlin(2026, 11, 9, 9), berlin(2026, 11, 16, 9)
    unknown = CalendarShift(since, until, None, "It names no one.")
    for shifts in ((unknown, CalendarShift(since, until, ADA)), (CalendarShift(since, until, ADA), unknown)):
        found = on_call(of_calendar(Calendar(shifts, until=until + WEEK)), (), NOW)
        assert (found.person, found.why) == (ADA, "")


def test_a_gap_says_at_most_three_reasons_each_once() -> None:
    def shift(day: int, why: str) -> CalendarShift:
        return CalendarShift(berlin(2026, 11, day, 0), berlin(2026, 11, day + 1, 0), None, why)

    whys = ("One.", "Two.", "One.", "Three.", "Four.")
    shifts = tuple(shift(9 + n, why) for n, why in enumerate(whys))
    found = on_call(of_calendar(Calendar(shifts, until=berlin(2026, 11, 14, 0))), (), NOW)
    assert found.why == "The calendar has no event for that time. One. Two."
    ada = CalendarShift(berlin(2026, 11, 8, 0), berlin(2026, 11, 9, 0), ADA)
    found = on_call(of_calendar(Calendar((ada, *shifts), until=berlin(2026, 11, 14, 0))), (), NOW)
    assert (found.why, found.since) == ("One. Two. Three.", ada.until)


# ---- parts of a schedule -------------------------------------------------------------------------------------


def test_a_schedule_reads_its_calendar_by_its_name_and_its_seconds_too() -> None:
    one, other = Calendar(until=NOW), Calendar(problem="It cannot be read.")
    source = CalendarSource("payments.ics")
    backup = replace(of_calendar(Calendar(), source=source), name="backup")
    schedule = of_calendar(Calendar(), source=source, second=backup)
    read = schedule.reading({"payments": one, "backup": other})
    assert read == replace(schedule, calendar=one, second=replace(backup, calendar=other))
    assert schedule.reading({}).calendar == Calendar()
    fixed = of_calendar(one)
    assert fixed.reading({"payments": other}) == fixed
    rotating = weekly(ADA)
    assert rotating.reading({"payments": other}) == rotating


def test_a_source_is_named_without_being_told() -> None:
    digest = hashlib.sha256(b"https://example.com/secret.ics").hexdigest()[:16]
    assert CalendarSource(url=Secret("https://example.com/secret.ics")).digest == digest
    assert CalendarSource("a.ics", url=Secret("https://example.com/secret.ics")).digest == digest
    assert CalendarSource("a.ics").digest == hashlib.sha256(b"a.ics").hexdigest()[:16]
    assert CalendarSource("\ud800.ics").digest == hashlib.sha256(b"?.ics").hexdigest()[:16]
    assert CalendarSource() == CalendarSource("", None, 900.0, False)


def test_shifts_of_a_period_are_those_with_a_part_in_it() -> None:
    schedule, turn = weekly(ADA, GRACE), berlin(2026, 11, 16, 9)
    assert len(list(between(schedule, (), NOW, turn))) == 1
    assert len(list(between(schedule, (), NOW, turn + datetime.resolution))) == 2
    assert len(coming(schedule, (), NOW, 0)) == 0
    alone = list(between(weekly(ADA), (), NOW, NOW + 9 * WEEK))
    assert alone == [OnCallShift(ADA, berlin(2026, 11, 2, 9), None)]


def test_a_shift_is_cut_to_a_period_on_both_sides() -> None:
    shift = OnCallShift(ADA, berlin(2026, 11, 2, 9), berlin(2026, 11, 9, 9), "why")
    inside = (berlin(2026, 11, 3, 0), berlin(2026, 11, 4, 0))
    outside = (berlin(2026, 11, 1, 0), berlin(2026, 11, 20, 0))
    assert cut(shift, *inside) == replace(shift, since=inside[0], until=inside[1])
    assert cut(shift, *outside) == shift
    assert cut(OnCallShift(None, None, None), *inside) == OnCallShift(None, *inside)


def test_an_override_covers_its_time_and_is_the_reason_of_a_shift() -> None:
    given = override(ALAN, berlin(2026, 11, 11, 0), berlin(2026, 11, 12, 0))
    assert [given.covers(at) for at in (given.since, given.until)] == [True, False]
    found = on_call(weekly(ADA, GRACE), [given], given.since)
    assert found == OnCallShift(ALAN, given.since, given.until, "", given)
    before = on_call(weekly(ADA, GRACE), [given], given.since - HOUR)
    assert before == OnCallShift(GRACE, berlin(2026, 11, 9, 9), given.since)
    after = on_call(weekly(ADA, GRACE), [given], given.until)
    assert after == OnCallShift(GRACE, given.until, berlin(2026, 11, 16, 9))
