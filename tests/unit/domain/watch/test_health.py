"""Figures of a lane's health: what is known now, from requests and from checks, with its gaps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.watch.checks import CheckResult, Monitor, MonitorRule, MonitorState
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.health import Availability, check_health, lane_health, strip
from bot.domain.watch.latencies import QuantileRange
from bot.domain.watch.rules import WatchState, advance_watch
from tests.support.catalogs import PRODUCTION, policy

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
