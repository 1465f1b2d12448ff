"""Rules of monitors, each on both sides of its edge."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.checks import (
    HOUR_S,
    CheckResult,
    Hour,
    Monitor,
    MonitorRule,
    MonitorRules,
    MonitorState,
    as_share,
    availability,
    fingerprint,
    given_up,
    observe,
    p95,
    signals,
    standing,
)

LANE = Lane("checkout", "production")
MONITOR = Monitor(LANE, "health")
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
START = 1_000 * DAY_S  # the beginning of an hour


def passed(at: float, seconds: float = 0.1) -> CheckResult:
    return CheckResult(START + at, seconds)


def failed(at: float, said: str = "It answered 503.") -> CheckResult:
    return CheckResult(START + at, 0.1, said)


class Watched:
    """A monitor that takes answers; `heard`: its findings so far, without those that only say that all is well."""

    def __init__(self, monitor: Monitor = MONITOR, state: MonitorState | None = None) -> None:
        self.monitor = monitor
        self.state = state or MonitorState()
        self.heard: list[Finding] = []

    def take(self, results: Iterable[CheckResult]) -> list[Finding]:
        """The findings of these answers that begin something, or end what was begun."""
        before = len(self.heard)
        for result in results:
            begun = self.state.firing
            self.state, findings = observe(self.monitor, self.state, result)
            self.heard += [each for each in findings if each.firing or each.labels["rule"] in begun]
        return self.heard[before:]

    @property
    def firing(self) -> set[str]:
        return set(map(str, self.state.firing))


# ---- failures in a row ----


@pytest.mark.parametrize(("last_at", "fires"), [(180.0, True), (180.1, False)])
def test_three_failures_within_three_minutes_are_a_finding(last_at: float, fires: bool) -> None:
    watched = Watched(replace(MONITOR, every_s=90.0))
    assert watched.take([passed(-90), failed(0), failed(90)]) == []
    found = watched.take([failed(last_at, "It answered 500.")])
    assert bool(found) is fires
    if fires:
        (finding,) = found
        assert (finding.firing, finding.severity, finding.lane) == (True, Severity.MEDIUM, LANE)
        assert finding.title == "Check “health” fails"
        assert finding.text == "It answered 500."
        assert (finding.value, finding.limit) == ("3 failures in a row", "3 within 3 min")
        assert finding.at.timestamp() == START


def test_two_failures_are_none_and_a_success_between_begins_the_count_again() -> None:
    watched = Watched()
    assert watched.take([failed(0), failed(60), passed(120), failed(180), failed(240)]) == []
    assert [each.firing for each in watched.take([failed(300)])] == [True]


def test_of_a_long_row_the_newest_failures_count() -> None:
    """Asked too seldom at first, then often enough."""
    watched = Watched(replace(MONITOR, every_s=100.0))
    assert watched.take([failed(0), failed(100), failed(200)]) == []
    (finding,) = watched.take([failed(250)])
    assert finding.at.timestamp() == START  # when the trouble began


def test_a_critical_check_is_critical() -> None:
    watched = Watched(replace(MONITOR, critical=True))
    (finding,) = watched.take([failed(0), failed(60), failed(120)])
    assert finding.severity is Severity.CRITICAL


def test_only_a_success_ends_it_and_says_when() -> None:
    watched = Watched()
    watched.take([failed(0), failed(60), failed(120)])
    assert watched.take([failed(180), failed(1000), failed(5000)]) == []
    assert watched.firing == {"failing"}
    (end,) = watched.take([passed(5060)])
    assert (end.firing, end.at.timestamp()) == (False, START + 5060)
    assert end.fingerprint == "check:checkout/production:health:failing"
    assert watched.firing == set()


def test_the_number_and_the_time_come_from_the_rules() -> None:
    rules = MonitorRules(failures=2, within_s=10.0)
    watched = Watched(replace(MONITOR, every_s=5.0, rules=rules))
    (finding,) = watched.take([failed(0), failed(10)])
    assert finding.limit == "2 within 10 s"
    one = Watched(replace(MONITOR, rules=replace(rules, failures=1)))
    assert len(one.take([failed(0)])) == 1


def test_after_a_restart_what_fires_goes_on_and_its_end_is_told_even_if_its_beginning_was_not_saved() -> None:
    before = Watched()
    before.take([failed(0), failed(60), failed(120)])
    saved = replace(before.state, untold=frozenset(MonitorRule))
    goes_on = Watched(state=saved)
    assert [each.firing for each in goes_on.take([failed(180)])] == [True]  # told again: nothing new
    lost = MonitorState(last=failed(60), failed=(START, START + 60))
    _, findings = observe(MONITOR, lost, passed(180))
    assert {each.labels["rule"] for each in findings if not each.firing} == {"failing", "unavailable", "slow"}


def test_after_a_restart_a_first_failure_does_not_end_what_may_fire() -> None:
    _, findings = observe(MONITOR, MonitorState(), failed(0))
    assert "failing" not in {each.labels["rule"] for each in findings}


def test_a_clock_that_was_set_back_makes_no_finding() -> None:
    watched = Watched()
    assert watched.take([failed(1000), failed(1060), failed(0)]) == []
    assert watched.state.hours == (Hour(START, 0.0, 60.0),)


# ---- availability ----


def a_week(down_s: float, *, rules: MonitorRules | None = None) -> Watched:
    """A week of hours with so many failed seconds in the last of them that was full, the rest passed."""
    hours = [Hour(START - WEEK_S + n * HOUR_S, HOUR_S, 0.0) for n in range(7 * 24)]
    for n in range(len(hours)):
        taken = min(HOUR_S, down_s)
        hours[n] = Hour(hours[n].since, HOUR_S - taken, taken)
        down_s -= taken
    state = MonitorState(last=passed(0), hours=tuple(hours), untold=frozenset())
    return Watched(replace(MONITOR, rules=rules or MonitorRules()), state)


@pytest.mark.parametrize(("down_s", "fires"), [(9_072.0, False), (9_072.002, True)])
def test_below_985_per_mille_of_a_week_is_critical(down_s: float, fires: bool) -> None:
    """1.5% of a week are 9,072 s."""
    found = a_week(down_s).take([passed(0)])
    assert bool(found) is fires
    if fires:
        (finding,) = found
        assert (finding.severity, finding.firing) == (Severity.CRITICAL, True)
        assert (finding.value, finding.limit) == ("98.49% of the last 7 days", "98.5%")
        assert finding.labels["rule"] == "unavailable"


def test_it_ends_when_the_bad_hours_are_a_week_ago() -> None:
    watched = a_week(10_000.0)
    assert len(watched.take([passed(0)])) == 1
    ends = [each for n in range(1, 240) for each in watched.take([passed(n * 60)])]
    assert [(each.firing, each.labels["rule"]) for each in ends] == [(False, "unavailable")]


def test_gaps_are_neither_up_nor_down() -> None:
    """Half a week without Slipway: what is known is 97% of the time that was watched."""
    hours = tuple(Hour(START - WEEK_S + n * HOUR_S, HOUR_S * 0.97, HOUR_S * 0.03) for n in range(84))
    watched = Watched(state=MonitorState(last=passed(-84 * HOUR_S), hours=hours, untold=frozenset()))
    (finding,) = watched.take([passed(0)])
    assert finding.value == "97% of the last 7 days"


@pytest.mark.parametrize(("hours", "fires"), [(23, False), (24, True)])
def test_it_is_judged_after_a_day(hours: int, fires: bool) -> None:
    half = tuple(Hour(START - (n + 1) * HOUR_S, HOUR_S / 2, HOUR_S / 2) for n in reversed(range(hours)))
    watched = Watched(state=MonitorState(last=passed(0), hours=half, untold=frozenset()))
    assert bool(watched.take([passed(0)])) is fires


def test_time_is_weighted_and_an_answer_stands_until_the_next_one() -> None:
    watched = Watched()
    watched.take([passed(0), failed(60), passed(90), passed(150), failed(270), passed(391)])
    (hour,) = watched.state.hours
    assert hour == Hour(START, 60 + 60 + 120, 30)  # 121 s without an answer are a gap
    assert availability(watched.state.hours, START) == 240 / 270


def test_time_is_split_at_the_hour() -> None:
    watched = Watched()
    watched.take([passed(3_550), passed(3_610), failed(3_670), passed(3_680)])
    assert watched.state.hours == (Hour(START, 50.0, 0.0), Hour(START + HOUR_S, 70.0, 10.0))


def test_hours_older_than_the_window_are_forgotten() -> None:
    watched = a_week(0.0)
    watched.take([passed(0), passed(60)])
    assert len(watched.state.hours) == 7 * 24 + 1
    watched.take([passed(7_200), passed(7_260)])
    assert watched.state.hours[0].since == START - WEEK_S + 2 * HOUR_S


def test_limit_and_window_come_from_the_rules() -> None:
    rules = MonitorRules(availability=0.9, over_s=DAY_S, after_s=3 * HOUR_S)
    for down_s, fires in ((2 * 360.0 + 1000, True), (900.0, False)):
        hours = (
            Hour(START - 3 * HOUR_S, HOUR_S - down_s / 2, down_s / 2),
            Hour(START - 2 * HOUR_S, HOUR_S - down_s / 2, down_s / 2),
            Hour(START - HOUR_S, HOUR_S, 0.0),
        )
        state = MonitorState(last=passed(0), hours=hours, untold=frozenset())
        watched = Watched(replace(MONITOR, rules=rules), state)
        assert bool(watched.take([passed(0)])) is fires


def test_availability_is_unknown_without_monitored_time() -> None:
    assert availability((), 0.0) is None


@pytest.mark.parametrize(
    ("share", "shown"), [(1.0, "100%"), (0.985, "98.5%"), (0.98496, "98.49%"), (0.99999, "99.99%")]
)
def test_shares_are_rounded_down(share: float, shown: str) -> None:
    assert as_share(share) == shown


# ---- latency ----


@pytest.mark.parametrize(("minutes", "fires"), [(9, False), (10, True)])
def test_p95_above_800_ms_for_ten_minutes_is_a_finding(minutes: int, fires: bool) -> None:
    watched = Watched()
    found = watched.take(passed(60.0 * n, 0.801) for n in range(minutes + 1))
    assert bool(found) is fires
    if fires:
        (finding,) = found
        assert (finding.severity, finding.at.timestamp()) == (Severity.MEDIUM, START)
        assert finding.title == "Check “health” is slow"
        assert (finding.value, finding.limit) == ("p95 801 ms", "800 ms for 10 min")


def test_exactly_800_ms_is_none() -> None:
    assert Watched().take(passed(60.0 * n, 0.8) for n in range(60)) == []


def test_a_fast_answer_begins_the_ten_minutes_again_and_ends_what_fires() -> None:
    watched = Watched()
    assert watched.take([passed(60.0 * n, 0.1 if n == 9 else 2.0) for n in range(20)]) == []
    assert len(watched.take([passed(1_200, 2.0)])) == 1
    (end,) = watched.take([passed(1_260, 0.1)])
    assert (end.firing, end.labels["rule"]) == (False, "slow")


def test_the_percentile_is_of_the_answers_of_a_minute() -> None:
    """Of 30 answers in a minute, one may be slow."""
    often = replace(MONITOR, every_s=2.0)
    one, two = Watched(often), Watched(often)
    assert one.take(passed(2.0 * n, 3.0 if n % 30 == 0 else 0.1) for n in range(40, 400)) == []
    assert len(two.take(passed(2.0 * n, 3.0 if n % 30 < 2 else 0.1) for n in range(400))) == 1


def test_a_gap_begins_the_ten_minutes_again() -> None:
    watched = Watched()
    watched.take(passed(60.0 * n, 2.0) for n in range(10))
    assert watched.take(passed(540 + 121 + 60.0 * n, 2.0) for n in range(10)) == []
    assert len(watched.take([passed(540 + 121 + 600, 2.0)])) == 1


def test_a_failure_neither_begins_nor_ends_a_slow_spell() -> None:
    watched = Watched()
    results = [failed(60.0 * n) if n == 5 else passed(60.0 * n, 2.0) for n in range(11)]
    assert [each.labels["rule"] for each in watched.take(results)] == ["slow"]


def test_checks_that_are_not_timed_have_no_latency() -> None:
    watched = Watched(replace(MONITOR, timed=False))
    assert watched.take(passed(60.0 * n, 9.0) for n in range(30)) == []


def test_limit_and_time_come_from_the_rules() -> None:
    rules = MonitorRules(p95_s=0.2, slow_for_s=60.0)
    watched = Watched(replace(MONITOR, rules=rules))
    (finding,) = watched.take([passed(0, 0.3), passed(60, 0.3)])
    assert finding.limit == "200 ms for 60 s"


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (10, 10), (19, 19), (20, 19), (100, 95)])
def test_p95_is_the_nearest_rank(count: int, rank: int) -> None:
    assert p95([float(n) for n in range(count, 0, -1)]) == rank


# ---- identity ----


def test_fingerprints_are_short_and_differ() -> None:
    assert fingerprint(LANE, "health", MonitorRule.SLOW) == "check:checkout/production:health:slow"
    long = [
        fingerprint(Lane("s" * 64, "e" * 64), "n" * 63 + last, rule) for last in "ab" for rule in MonitorRule
    ]
    assert len(set(long)) == 6
    assert max(map(len, long)) <= 100


def test_a_check_that_is_given_up_ends_what_it_fired() -> None:
    watched = Watched()
    watched.take([failed(0), failed(60), failed(120)])
    (end,) = given_up(MONITOR, watched.state, START + 200)
    assert (end.firing, end.labels["rule"], end.at.timestamp()) == (False, "failing", START + 200)
    assert given_up(MONITOR, MonitorState(), START) == []


def test_a_runbook_goes_along() -> None:
    watched = Watched(replace(MONITOR, runbook="https://wiki.example.com/checkout"))
    (finding,) = watched.take([failed(0), failed(60), failed(120)])
    assert finding.runbook == "https://wiki.example.com/checkout"


@pytest.mark.parametrize(
    ("said", "parts", "gateway", "health"),
    [
        ("", (), False, False),
        ("The bot is not well: db is down.", ("db",), False, True),
        ("The bot is not well: gateway is away.", ("gateway", "db"), True, True),
        ("No answer within 5 s.", (), True, True),
    ],
)
def test_signals_of_a_check(said: str, parts: tuple[str, ...], gateway: bool, health: bool) -> None:
    monitor = Monitor(LANE, "parts", signals=frozenset({"gateway", "health"}))
    found = signals(monitor, CheckResult(0.0, 0.1, said, parts))
    assert {name: signal.bad for name, signal in found.items()} == {"gateway": gateway, "health": health}
    assert observe(monitor, MonitorState(), CheckResult(0.0, 0.1, said, parts))[0].last == CheckResult(
        0.0, 0.1, said
    )


def test_what_fires_is_told_as_it_stands_and_availability_is_marked_as_lasting() -> None:
    watched = Watched()
    (failing,) = watched.take([failed(0), failed(60), failed(120)])
    assert list(standing(watched.monitor, watched.state)) == [failing]
    assert not failing.lasting
    hours = tuple(Hour(START + n * HOUR_S, 0.0, HOUR_S) for n in range(-30, 0))
    bad = Watched(state=MonitorState(last=passed(-60), hours=hours))
    (unavailable,) = bad.take([passed(0)])
    assert (unavailable.labels["rule"], unavailable.lasting) == ("unavailable", True)
    assert list(standing(bad.monitor, bad.state)) == []
    watched.take([passed(180)])
    assert list(standing(watched.monitor, watched.state)) == []


# ---- findings as a whole ----


def findings_of(monitor: Monitor, state: MonitorState, at: float) -> dict[str, Finding]:
    """What is told of a check that passes at that time, by rule."""
    _, found = observe(monitor, state, passed(at))
    return {each.labels["rule"]: each for each in found}


def test_a_check_that_passes_for_the_first_time_tells_that_no_rule_fires() -> None:
    found = findings_of(replace(MONITOR, runbook="https://wiki.example.com/x"), MonitorState(), 0)
    common = {
        "source": "monitor",
        "at": datetime.fromtimestamp(START, UTC),
        "firing": False,
        "lane": LANE,
        "runbook": "https://wiki.example.com/x",
    }
    assert list(found.values()) == [
        Finding(
            "check:checkout/production:health:failing",
            title="Check “health” fails",
            severity=Severity.MEDIUM,
            limit="3 within 3 min",
            labels={"check": "health", "rule": "failing"},
            **common,  # type: ignore[arg-type]
        ),
        Finding(
            "check:checkout/production:health:unavailable",
            title="Check “health” passed too seldom",
            severity=Severity.CRITICAL,
            limit="98.5%",
            labels={"check": "health", "rule": "unavailable"},
            lasting=True,
            **common,  # type: ignore[arg-type]
        ),
        Finding(
            "check:checkout/production:health:slow",
            title="Check “health” is slow",
            severity=Severity.MEDIUM,
            limit="800 ms for 10 min",
            labels={"check": "health", "rule": "slow"},
            **common,  # type: ignore[arg-type]
        ),
    ]


def test_what_fires_says_what_was_measured_and_since_when() -> None:
    hours = tuple(Hour(START - n * HOUR_S, HOUR_S / 2, HOUR_S / 2) for n in range(30, 0, -1))
    critical = replace(MONITOR, critical=True, rules=MonitorRules(over_s=1.5 * DAY_S))
    slow = MonitorState(last=passed(-60), recent=((START - 60, 2.0),), slow_since=START - 600, hours=hours)
    state, found = observe(critical, slow, passed(0, 2.0))
    assert state.firing == {MonitorRule.SLOW, MonitorRule.UNAVAILABLE}
    assert state.untold == frozenset()
    assert [(each.labels["rule"], each.firing) for each in found] == [
        ("failing", False),
        ("unavailable", True),
        ("slow", True),
    ]
    _, unavailable, late = found
    assert (unavailable.value, unavailable.at.timestamp()) == ("50.02% of the last 36 h", START)
    assert unavailable.text == late.text == ""
    assert (late.value, late.at.timestamp(), late.severity) == ("p95 2 s", START - 600, Severity.CRITICAL)
    assert list(standing(critical, state)) == [late]
    ends = given_up(critical, state, START + 90)
    assert [(each.labels["rule"], each.firing, each.value) for each in ends] == [
        ("unavailable", False, ""),
        ("slow", False, ""),
    ]
    assert {each.at.timestamp() for each in ends} == {START + 90}


def test_an_availability_of_whole_days_is_said_in_days() -> None:
    hours = tuple(Hour(START - n * HOUR_S, 0.0, HOUR_S) for n in range(24, 0, -1))
    for over_s, said in ((DAY_S, "1 day"), (2 * DAY_S, "2 days"), (2 * DAY_S + HOUR_S, "49 h")):
        monitor = replace(MONITOR, rules=MonitorRules(over_s=over_s))
        _, found = observe(monitor, MonitorState(last=passed(0), hours=hours), passed(0))
        assert found[1].value == f"0% of the last {said}"


def test_a_check_is_asked_each_minute_and_judged_by_these_rules_unless_the_catalog_says_otherwise() -> None:
    assert Monitor(LANE, "health") == Monitor(
        LANE, "health", 60.0, False, True, MonitorRules(), "", frozenset(), (), 1
    )
    assert MonitorRules() == MonitorRules(3, 180.0, 0.985, WEEK_S, DAY_S, 0.8, 600.0)
    assert replace(MONITOR, every_s=45.0).longest_s == 90.0


# ---- what is remembered ----


def test_what_is_remembered_of_a_row_of_failures() -> None:
    watched = Watched()
    watched.take([passed(0), failed(60), failed(120), failed(180), failed(240)])
    state = watched.state
    assert state.last == failed(240)
    assert (state.failed, state.failing_since) == ((START + 120, START + 180, START + 240), START + 60)
    assert state.recent == ((START, 0.1),)
    watched.take([passed(300, 0.2)])
    assert (watched.state.failed, watched.state.failing_since) == ((), None)
    assert watched.state.recent == ((START + 300, 0.2),)


def test_a_gap_forgets_how_fast_answers_were_and_no_failure() -> None:
    watched = Watched()
    watched.take([passed(0, 2.0), failed(60), failed(120)])
    watched.take([failed(120 + 121)])
    state = watched.state
    assert (state.recent, state.slow_since) == ((), None)
    assert (state.failed, state.failing_since) == ((START + 60, START + 120, START + 241), START + 60)
    # Up to two periods between two answers are none.
    known = Watched()
    known.take([passed(0, 2.0), failed(120)])
    assert (known.state.recent, known.state.slow_since) == (((START, 2.0),), START)


def test_a_clock_that_was_set_back_forgets_the_failures_that_are_still_to_come() -> None:
    watched = Watched()
    watched.take([failed(0), failed(60), failed(30)])
    assert (watched.state.failed, watched.state.failing_since) == ((START, START + 30), START)
    watched.take([failed(-300)])
    assert (watched.state.failed, watched.state.failing_since) == ((START - 300,), START - 300)


def test_an_answer_is_of_the_last_minute_for_less_than_a_minute() -> None:
    often = Watched(replace(MONITOR, every_s=30.0))
    often.take([passed(0, 0.3), passed(30, 0.2), passed(59, 0.1)])
    assert often.state.recent == ((START, 0.3), (START + 30, 0.2), (START + 59, 0.1))
    often.take([passed(60, 0.4)])
    assert often.state.recent == ((START + 30, 0.2), (START + 59, 0.1), (START + 60, 0.4))


def test_an_answer_at_the_same_time_adds_no_time() -> None:
    watched = Watched()
    watched.take([passed(0), passed(60), passed(60)])
    assert watched.state.hours == (Hour(START, 60.0, 0.0),)


def test_availability_is_of_the_hours_that_begin_in_the_time() -> None:
    hours = (Hour(0.0, 0.0, 100.0), Hour(HOUR_S, 30.0, 10.0), Hour(2 * HOUR_S, 60.0, 0.0))
    assert availability(hours, HOUR_S) == 0.9
    assert availability(hours, HOUR_S + 1) == 1.0
    assert availability(hours, 2 * HOUR_S + 1) is None


def test_a_signal_says_what_is_wrong_and_a_monitor_without_signals_says_none() -> None:
    monitor = Monitor(LANE, "parts", signals=frozenset({"gateway"}))
    (signal,) = signals(monitor, CheckResult(0.0, 0.1, "No answer.")).values()
    assert (signal.bad, signal.detail, signal.since) == (True, "No answer.", None)
    assert signals(MONITOR, failed(0)) == {}


def test_a_fingerprint_is_hashed_from_one_hundred_and_one_characters_on() -> None:
    def of(length: int) -> str:
        return fingerprint(LANE, "n" * (length - len("check:checkout/production::slow")), MonitorRule.SLOW)

    assert of(100) == f"check:checkout/production:{'n' * 69}:slow"
    name = f"checkout/production:{'n' * 70}"
    assert of(101) == f"check:{hashlib.sha256(name.encode()).hexdigest()}:slow"


def test_answers_within_a_second_and_at_one_time_are_no_gap() -> None:
    for apart in (0.0, 0.5):
        watched = Watched()
        watched.take([passed(0, 2.0), passed(apart, 2.0)])
        assert watched.state.recent == ((START, 2.0), (START + apart, 2.0))
        assert watched.state.slow_since == START
    back = Watched()
    back.take([passed(0, 2.0), passed(-0.5, 2.0)])
    assert (back.state.recent, back.state.slow_since) == (((START - 0.5, 2.0),), START - 0.5)


def test_a_failure_at_the_time_to_which_the_clock_was_set_back_is_the_same_one() -> None:
    watched = Watched()
    watched.take([failed(0), failed(60), failed(0)])
    assert (watched.state.failed, watched.state.failing_since) == ((START,), START)


def test_an_hour_is_remembered_until_it_is_over_and_a_week_ago() -> None:
    def kept(since: float) -> int:
        hours = (Hour(START + since, HOUR_S, 0.0), Hour(START - HOUR_S, 0.0, 0.0))
        watched = Watched(state=MonitorState(last=passed(-60), hours=hours))
        watched.take([passed(0)])
        return len(watched.state.hours)

    assert (kept(-WEEK_S - HOUR_S), kept(-WEEK_S - HOUR_S - 1)) == (2, 1)


def test_a_slow_check_of_which_no_answer_is_known_any_more_says_no_time() -> None:
    state = MonitorState(last=failed(0), slow_since=START - 900, firing=frozenset({MonitorRule.SLOW}))
    (found,) = standing(MONITOR, state)
    assert (found.value, found.limit, found.at.timestamp()) == ("", "800 ms for 10 min", START - 900)
