"""Figures of a lane's health: what is known now, from requests and from checks, with its gaps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy
from bot.domain.judge.rules import parse_rule
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.checks import CheckResult, Monitor, MonitorRule, MonitorRules, MonitorState, Seen
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.health import (
    Availability,
    CheckHealth,
    LaneHealth,
    Latency,
    Strip,
    check_health,
    lane_health,
    latency,
    strip,
)
from bot.domain.watch.latencies import QuantileRange
from bot.domain.watch.rules import WatchRule, WatchState, advance_watch, error_limit
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION, policy
from tests.support.virtual_time import EPOCH

NOW = 1_800_000_000.0
DAY_S, HOUR_S = 86_400.0, 3600.0
POLICY = policy().judge
RULES = default_rules(POLICY)
MONITOR = Monitor(PRODUCTION, "health")


def served(*ticks: tuple[float, int, int, int]) -> WatchState:
    """After ticks of 5 s, each `(seconds before NOW, requests, failed, slower than 800 ms)`."""
    state = WatchState()
    for before, total, bad, slow in ticks:
        counts = {"errors": Counts(total, bad), "latency>0.8s": Counts(total, slow)}
        state, _ = advance_watch(RULES, state, ServedTick(NOW - before, 5.0, counts))
    return state


@pytest.mark.parametrize(("slow", "over"), [(5, False), (6, True)])
def test_more_requests_beyond_the_limit_on_latency_than_may_be_are_not_well(slow: int, over: bool) -> None:
    found = lane_health(PRODUCTION, POLICY, served((10, 100, 0, slow)), (), NOW, rules=RULES)
    assert found.latency is not None
    assert (found.latency.limit_s, found.latency.slow, found.latency.allowed) == (0.8, slow / 100, 0.05)
    assert (found.latency.over, found.well) == (over, not over)


def test_latency_lies_where_the_newest_histogram_says_and_nowhere_when_that_is_old() -> None:
    state = served((10, 100, 0, 1))
    p95 = QuantileRange(0.95, 0.25, 0.5, NOW - 10)
    for lies, expected in (
        ((p95,), p95),
        ((p95._replace(quantile=0.99),), None),
        ((p95._replace(at=NOW - 301),), None),
    ):
        known = replace(state, quantiles=lies)
        found = lane_health(PRODUCTION, POLICY, known, (), NOW, rules=RULES)
        assert found.latency is not None and found.latency.lies == expected
        assert WatchState.from_json(json.loads(json.dumps(known.to_json()))) == known


def test_what_was_measured_long_ago_says_nothing_about_now() -> None:
    state = served((2 * DAY_S, 100, 50, 50))
    found = lane_health(PRODUCTION, POLICY, state, (), NOW, rules=RULES)
    assert (found.errors, found.latency, found.day, found.known) == (None, None, None, False)
    assert found.week == Availability(0.5, 5.0)


def test_gaps_are_what_was_not_measured() -> None:
    found = lane_health(PRODUCTION, POLICY, served((HOUR_S, 10, 0, 0), (10, 10, 5, 0)), (), NOW)
    assert found.day == found.week == Availability(0.75, 10.0)
    assert not found.by_checks


def test_the_worst_check_stands_in_where_no_requests_were_counted() -> None:
    fine = check_health("fine", MONITOR, MonitorState(), NOW, day=(DAY_S, 0.0), week=(7 * DAY_S, 0.0))
    bad = check_health("bad", MONITOR, MonitorState(), NOW, day=(5_400.0, 1_800.0), week=(7_200.0, 1_800.0))
    checks = (fine, bad)
    found = lane_health(PRODUCTION, POLICY, None, (), NOW, checks=checks)
    assert found.by_checks
    assert found.day == Availability(0.75, 7_200.0)
    assert found.week == Availability(0.8, 9_000.0)
    counted = lane_health(PRODUCTION, POLICY, served((10, 10, 0, 0)), (), NOW, checks=checks)
    assert not counted.by_checks and counted.day == Availability(1.0, 5.0)


def test_a_check_that_fails_or_fires_is_not_well_and_an_old_answer_is_none() -> None:
    failed = MonitorState(CheckResult(NOW - 60, 0.1, "Down."), recent=((NOW - 60, 0.1),))
    assert not check_health("x", MONITOR, failed, NOW).well
    fires = MonitorState(CheckResult(NOW - 60, 0.1), firing=frozenset({MonitorRule.UNAVAILABLE}))
    assert not check_health("x", MONITOR, fires, NOW).well
    old = MonitorState(CheckResult(NOW - HOUR_S, 0.1, "Down."), recent=((NOW - HOUR_S, 0.1),))
    found = check_health("x", MONITOR, old, NOW)
    assert (found.last, found.p95_s, found.well) == (None, None, True)
    assert check_health("x", MONITOR, None, NOW).last is None
    quick = MonitorState(CheckResult(NOW, 0.1), recent=((NOW - 1, 0.3), (NOW, 0.1)))
    assert check_health("x", MONITOR, quick, NOW).p95_s == 0.3


def test_a_strip_has_a_gap_where_nothing_was_counted() -> None:
    found = strip(PRODUCTION, 0.0, 300.0, 4, {0: Counts(10, 5), 2: Counts(0, 0), 3: Counts(4, 0)})
    assert found.shares == (0.5, None, None, 0.0)
    assert not found.empty
    assert strip(PRODUCTION, 0.0, 300.0, 4, {}).empty


# ---- as a whole ----


def test_a_lane_of_which_nothing_is_known_has_no_figures() -> None:
    limit = error_limit(POLICY)
    assert lane_health(PRODUCTION, POLICY, None, (), NOW) == LaneHealth(PRODUCTION, limit=limit)
    assert lane_health(PRODUCTION, JudgePolicy(), WatchState(), (), NOW) == LaneHealth(PRODUCTION)
    nothing = check_health("x", MONITOR, MonitorState(), NOW)
    assert lane_health(PRODUCTION, POLICY, None, (), NOW, checks=(nothing,)).by_checks is False


def test_all_figures_of_a_lane_that_serves() -> None:
    alert = begin(7, errors(), (1,), EPOCH, AlertPolicy()).alert
    check = check_health("x", MONITOR, None, NOW, day=(1.0, 1.0))
    state = served((10, 1000, 4, 20))
    found = lane_health(PRODUCTION, POLICY, state, (alert,), NOW, rules=RULES, checks=(check,))
    limit = error_limit(POLICY)
    assert limit is not None
    assert found == LaneHealth(
        PRODUCTION,
        (alert,),
        errors=pytest.approx(0.004),
        limit=limit,
        day=Availability(0.996, 5.0),
        week=Availability(0.996, 5.0),
        budget=pytest.approx(1 - 0.004 / limit),
        at=NOW - 10,
        latency=Latency(0.8, 0.02, 0.05),
        checks=(check,),
    )


@pytest.mark.parametrize(
    ("errors", "limit", "failing"),
    [(0.02, 0.01, True), (0.01, 0.01, False), (None, 0.01, False), (0.02, None, False)],
)
def test_more_failed_requests_than_may_be_are_not_well(
    errors: float | None, limit: float | None, failing: bool
) -> None:
    found = LaneHealth(PRODUCTION, errors=errors, limit=limit)
    assert (found.failing, found.well, found.known) == (failing, not failing, errors is not None)


def test_an_open_alert_or_one_check_that_is_not_well_is_enough() -> None:
    alert = begin(7, errors(), (1,), EPOCH, AlertPolicy()).alert
    fine, bad = CheckHealth("fine", last=CheckResult(NOW, 0.1)), CheckHealth("bad", firing=("slow",))
    assert LaneHealth(PRODUCTION, checks=(fine,)).well
    assert not LaneHealth(PRODUCTION, checks=(fine, bad)).well
    assert not LaneHealth(PRODUCTION, alerts=(alert,)).well
    assert not LaneHealth(PRODUCTION, latency=Latency(0.8, 0.06, 0.05)).well
    assert LaneHealth(PRODUCTION, checks=(bad, fine)).known
    assert not LaneHealth(PRODUCTION, checks=(bad,)).known


def test_all_that_is_known_of_a_check() -> None:
    monitor = replace(MONITOR, rules=MonitorRules(p95_s=0.4), locations=("a", "b"))
    last = CheckResult(NOW - 60, 0.1)
    state = MonitorState(
        last,
        recent=((NOW - 61, 0.2), (NOW - 60, 0.1)),
        firing=frozenset({MonitorRule.UNAVAILABLE, MonitorRule.FAILING}),
        seen=(Seen("b", last), Seen("c", last)),
    )
    found = check_health("x", monitor, state, NOW, critical=True, day=(3.0, 1.0), week=(9.0, 1.0))
    assert found == CheckHealth(
        "x",
        True,
        last,
        Availability(0.75, 4.0),
        Availability(0.9, 10.0),
        0.2,
        0.4,
        ("failing", "unavailable"),
        (Seen("a"), Seen("b", last)),
    )
    untimed = check_health("x", replace(monitor, timed=False), state, NOW)
    assert (untimed.critical, untimed.day, untimed.p95_s, untimed.limit_s) == (False, None, None, None)
    assert check_health("x", monitor, replace(state, recent=()), NOW).p95_s is None
    never = check_health("x", monitor, None, NOW, critical=True)
    assert never == CheckHealth("x", True, seen=(Seen("a"), Seen("b")))


@pytest.mark.parametrize(
    ("every_s", "ago_s", "known"),
    [(60.0, 300.0, True), (60.0, 301.0, False), (600.0, 1200.0, True), (600.0, 1201.0, False)],
)
def test_an_answer_stands_for_two_periods_and_at_least_five_minutes(
    every_s: float, ago_s: float, known: bool
) -> None:
    monitor = replace(MONITOR, every_s=every_s, locations=("a",))
    last = CheckResult(NOW - ago_s, 0.1)
    found = check_health("x", monitor, MonitorState(last, seen=(Seen("a", last),)), NOW)
    expected = last if known else None
    assert (found.last, found.seen) == (expected, (Seen("a", expected),))


def test_the_latency_that_is_nearest_to_its_limit_is_shown() -> None:
    rules = (WatchRule("both", ((parse_rule("p95 > 800ms over 1m"),), (parse_rule("p99 > 2s over 1m"),))),)
    counts = {"latency>0.8s": Counts(100, 4), "latency>2s": Counts(100, 1)}
    state, _ = advance_watch(rules, WatchState(), ServedTick(NOW - 300, 5.0, counts))
    assert latency(rules, state, NOW) == Latency(2.0, 0.01, 0.01)
    assert latency(rules, state, NOW + 31) is None
    assert latency((), state, NOW) is None
    none, _ = advance_watch(rules, WatchState(), ServedTick(NOW, 5.0, dict.fromkeys(counts, Counts(0, 0))))
    assert latency(rules, none, NOW) is None


def test_a_strip_says_of_what_and_from_when_it_is() -> None:
    found = strip(PRODUCTION, 900.0, 300.0, 2, {1: Counts(1, 1), 2: Counts(1, 1)})
    assert found == Strip(PRODUCTION, 900.0, 300.0, (None, 1.0))
    assert not found.empty


def test_requests_count_for_a_day_and_a_week_to_a_slot() -> None:
    day = lane_health(PRODUCTION, POLICY, served((DAY_S, 10, 5, 0)), (), NOW)
    assert day.day == Availability(0.5, 5.0)
    over = lane_health(PRODUCTION, POLICY, served((1.2 * DAY_S, 10, 5, 0)), (), NOW)
    assert (over.day, over.week) == (None, Availability(0.5, 5.0))
    none = lane_health(PRODUCTION, POLICY, served((8.5 * DAY_S, 10, 5, 0)), (), NOW)
    assert (none.day, none.week, none.by_checks) == (None, None, False)


def test_the_edges_of_the_times_that_figures_are_of() -> None:
    state = served((10, 100, 5, 5))
    (slot, *_) = next(iter(state.conditions["p95 > 800ms over 1m for 10m"].window))
    assert latency(RULES, state, slot + 300) is not None
    assert latency(RULES, state, slot + 300.1) is None
    p95 = QuantileRange(0.95, 0.25, 0.5, NOW - 300)
    found = latency(RULES, replace(state, quantiles=(p95,)), NOW)
    assert found is not None and found.lies == p95
    ((begins, *_),) = state.day
    ends = begins + DAY_S / 12
    assert lane_health(PRODUCTION, POLICY, state, (), ends + DAY_S - 1).day is not None
    assert lane_health(PRODUCTION, POLICY, state, (), ends + DAY_S).day is None
