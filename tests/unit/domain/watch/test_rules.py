"""Rules over what a lane serves, each on both sides of its edge, on virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence

import pytest

from bot.domain.judge.evidence.counters import Counts, Signal
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.watch.default_rules import DATABASE, PROFILES, default_rules
from bot.domain.watch.rules import (
    News,
    WatchRule,
    WatchState,
    advance_signals,
    advance_watch,
    budget_left,
    in_day,
    in_week,
    measured_latencies,
)

T0 = 1_795_000_000.0
LIMIT = 0.01
POLICY = JudgePolicy(objectives=(Objective("errors", "errors", LIMIT),))
RULES = default_rules(POLICY)
SWITCH = PROFILES["blue_green"](POLICY, ())
SIGNALS = ("gateway", "health")
SLOW, SLOW_AFTER_SWITCH, VERY_SLOW = "latency>0.8s", "latency>2s", "latency>5s"


def ticks(
    seconds: float,
    bad: float,
    *,
    since: float = 0.0,
    rate: float = 20.0,
    tick_s: float = 5.0,
    measure: str = "errors",
) -> Iterable[ServedTick]:
    """Ticks in which this share of the requests is bad; exact, so that a share on the limit is on it."""
    carried = 0.0
    for number in range(round(seconds / tick_s)):
        total = round(rate * tick_s)
        carried += bad * total
        failed = int(carried + 1e-9)
        carried -= failed
        yield ServedTick(T0 + since + (number + 1) * tick_s, tick_s, {measure: Counts(total, failed)})


def played(*parts: Iterable[ServedTick], rules: Sequence[WatchRule] = RULES) -> tuple[WatchState, list[News]]:
    state, news = WatchState(), []
    for part in parts:
        for tick in part:
            state, said = advance_watch(rules, state, tick)
            news += said
    return state, news


def told(news: Iterable[News]) -> Mapping[str, float]:
    """When each rule began to fire, in seconds."""
    return {said.rule.name: said.at - T0 for said in reversed(list(news)) if said.firing}


@pytest.mark.parametrize(("rate", "at_most_s"), [(20.0, 10.0), (10.0, 15.0), (3.0, 35.0), (0.5, 90.0)])
def test_an_outage_is_told_as_soon_as_the_traffic_allows(rate: float, at_most_s: float) -> None:
    _, news = played(ticks(600, 0.0, rate=rate), ticks(120, 0.5, since=600, rate=rate))
    assert 600 < told(news)["outage"] <= 600 + at_most_s


@pytest.mark.parametrize(("bad", "fires"), [(0.20, False), (0.21, True)])
def test_the_edge_of_an_outage(bad: float, fires: bool) -> None:
    _, news = played(ticks(300, bad, rate=20.0))
    assert ("outage" in told(news)) == fires


def test_an_outage_that_ends_is_over_within_its_longest_window() -> None:
    state, news = played(ticks(60, 0.5), ticks(200, 0.0, since=60))
    ended = [said.at - T0 for said in news if said.rule.name == "outage" and not said.firing]
    assert len(ended) == 1
    assert 60 < ended[0] <= 60 + 120 + 10
    assert "outage" not in state.firing


# Ten hours are well, then the errors burn the budget this many times too fast.
@pytest.mark.parametrize(
    ("rule", "burn", "hours", "fires"),
    [
        ("fast burn", 14.3, 2.0, False),
        ("fast burn", 14.6, 2.0, True),
        ("burn", 5.9, 13.0, False),
        ("burn", 6.2, 13.0, True),
    ],
)
def test_the_edges_of_burn_rates(rule: str, burn: float, hours: float, fires: bool) -> None:
    _, news = played(
        ticks(36_000, 0.0, tick_s=30.0), ticks(hours * 3600, burn * LIMIT, since=36_000, tick_s=30.0)
    )
    assert (rule in told(news)) == fires


@pytest.mark.parametrize(("burn", "fires"), [(0.98, False), (1.04, True)])
def test_the_edges_of_the_slow_burn(burn: float, fires: bool) -> None:
    """Three days at about the speed at which the budget lasts exactly as long as it should."""
    _, news = played(ticks(80 * 3600, burn * LIMIT, tick_s=300.0))
    assert ("slow burn" in told(news)) == fires


def test_a_burn_that_is_over_is_not_told_late() -> None:
    """The short window: twenty minutes of everything failing, an hour ago, are no reason to wake a person."""
    state, _ = played(
        ticks(7200, 0.0, tick_s=30.0),
        ticks(1200, 1.0, since=7200, tick_s=30.0),
        ticks(1200, 0.0, since=8400, tick_s=30.0),
    )
    assert "fast burn" not in state.firing


@pytest.mark.parametrize(
    ("share", "minutes", "fires"), [(0.05, 20, False), (0.06, 10, False), (0.06, 11.2, True)]
)
def test_the_edges_of_slowness(share: float, minutes: float, fires: bool) -> None:
    _, news = played(ticks(minutes * 60, share, measure=SLOW))
    assert ("slow" in told(news)) == fires


@pytest.mark.parametrize(("bad", "fires"), [(0.05, False), (0.052, True)])
def test_the_edge_of_errors_after_a_deploy(bad: float, fires: bool) -> None:
    _, news = played(ticks(900, bad))
    (rule,) = [each for each in RULES if each.name == "errors after a deploy"]
    assert (rule.after_deploy_s, rule.name in told(news)) == (1800.0, fires)


@pytest.mark.parametrize(
    ("share", "seconds", "fires"), [(0.01, 600, False), (0.02, 119, False), (0.02, 200, True)]
)
def test_the_edges_of_slowness_after_a_deploy(share: float, seconds: float, fires: bool) -> None:
    _, news = played(ticks(seconds, share, measure=VERY_SLOW))
    assert ("slow after a deploy" in told(news)) == fires


@pytest.mark.parametrize(
    ("share", "seconds", "fires"), [(0.10, 600, False), (0.11, 30, False), (0.11, 90, True)]
)
def test_the_edges_of_errors_after_a_switch(share: float, seconds: float, fires: bool) -> None:
    """Above 10% for a minute: before the minute is over, what was well in it counts, too."""
    _, news = played(ticks(300, 0.0), ticks(seconds, share, since=300), rules=SWITCH)
    assert ("errors after a switch" in told(news)) == fires


@pytest.mark.parametrize(
    ("share", "seconds", "fires"), [(0.05, 600, False), (0.06, 55, False), (0.06, 120, True)]
)
def test_the_edges_of_slowness_after_a_switch(share: float, seconds: float, fires: bool) -> None:
    _, news = played(ticks(seconds, share, measure=SLOW_AFTER_SWITCH), rules=SWITCH)
    assert ("slow after a switch" in told(news)) == fires


def test_what_is_not_measured_begins_and_ends_nothing() -> None:
    state, _ = played(ticks(60, 0.5))
    after, news = advance_watch(RULES, state, ServedTick(T0 + 100, 5.0, {}))
    assert news == ()
    assert after.firing == state.firing
    same, none = advance_watch(RULES, after, ServedTick(T0 + 90, 5.0, {"errors": Counts(100, 0)}))
    assert (same, none) == (after, ())


def test_what_the_former_release_served_says_nothing_about_the_next() -> None:
    state, news = WatchState(), []
    for release, part in (("a", ticks(120, 0.5)), ("b", ticks(300, 0.01, since=120))):
        for tick in part:
            state, said = advance_watch(RULES, state, tick, release)
            news += [(release, each.rule.name, each.firing) for each in said]
    assert ("a", "errors after a deploy", True) in news
    assert ("b", "errors after a deploy", False) in news
    assert not any(firing for release, _, firing in news if release == "b")
    assert state.release == "b"
    assert state.firing == {}


def test_an_outage_ends_with_the_release_that_caused_it_and_a_burn_does_not() -> None:
    state = WatchState()
    for tick in (*ticks(7200, 0.0, tick_s=30.0), *ticks(1200, 0.5, since=7200, tick_s=30.0)):
        state, _ = advance_watch(RULES, state, tick, "a")
    assert {"outage", "fast burn"} <= set(state.firing)
    state, news = advance_watch(RULES, state, ServedTick(T0 + 8405, 5.0, {"errors": Counts(100, 0)}), "b")
    ended = {said.rule.name for said in news if not said.firing}
    assert "outage" in ended
    assert "fast burn" in state.firing


def said(state: WatchState, at: float, bad: bool | None, origin: str = "parts") -> WatchState:
    return advance_signals(SWITCH, state, origin, dict.fromkeys(SIGNALS, Signal(bad)), T0 + at)[0]


@pytest.mark.parametrize(
    ("rule", "seconds", "fires"),
    [
        ("gateway after a deploy", 119, False),
        ("gateway after a deploy", 120, True),
        ("health after a switch", 29, False),
        ("health after a switch", 30, True),
    ],
)
def test_the_edges_of_signals(rule: str, seconds: float, fires: bool) -> None:
    state = said(said(WatchState(), 0, False), 1000, True)
    state = said(state, 1000 + seconds, True)
    assert (rule in state.firing) == fires
    assert rule not in said(state, 1000 + seconds + 1, False).firing


def test_signals_that_are_not_known_change_nothing_and_gaps_are_not_counted() -> None:
    state = said(said(WatchState(), 0, True), 60, None)
    assert "gateway after a deploy" in said(state, 130, True).firing
    # Four minutes without a word: it may have been well in between.
    assert "gateway after a deploy" not in said(state, 300, True).firing


def test_the_worst_of_those_who_say_it_counts_until_it_is_not_heard_any_more() -> None:
    state = said(said(WatchState(), 0, True), 60, False, "other")
    state = said(state, 120, True)
    assert "gateway after a deploy" in state.firing
    state = said(state, 600, False, "other")
    assert "gateway after a deploy" in state.firing
    assert state.firing.keys() != said(state, 721, False, "other").firing.keys()


def test_another_release_is_given_the_time_of_a_signal_again() -> None:
    state = said(said(WatchState(), 0, True), 110, True)
    state, _ = advance_watch(SWITCH, state, ServedTick(T0 + 115, 5.0, {"errors": Counts(100, 0)}), "b")
    assert "gateway after a deploy" not in said(state, 170, True).firing
    state = said(said(state, 170, True), 234, True)
    assert "gateway after a deploy" not in state.firing
    assert "gateway after a deploy" in said(state, 236, True).firing


@pytest.mark.parametrize(("bad", "fires"), [(0.01, False), (0.012, True)])
def test_the_edge_of_database_errors_after_a_deploy(bad: float, fires: bool) -> None:
    rules = default_rules(POLICY, {DATABASE})
    state = WatchState()
    for tick in ticks(600, bad, measure=f"proportion:{DATABASE}"):
        state, _ = advance_watch(rules, state, tick)
    assert ("database after a deploy" in state.firing) == fires


def test_a_young_lane_has_no_long_windows_yet() -> None:
    _, news = played(ticks(600, 0.0, tick_s=10.0), ticks(300, 0.5, since=600))
    assert set(told(news)) == {"outage", "errors after a deploy"}


def test_a_rule_that_left_the_catalog_fires_no_more() -> None:
    state, _ = played(ticks(60, 0.5))
    assert "outage" in state.firing
    others = tuple(rule for rule in RULES if rule.name != "outage")
    after, news = advance_watch(others, state, ServedTick(T0 + 65, 5.0, {"errors": Counts(100, 50)}))
    assert "outage" not in after.firing
    assert all(said.rule.name != "outage" for said in news)


def test_the_state_survives_a_restart() -> None:
    state, _ = played(ticks(60, 0.5), ticks(60, 0.2, since=60, measure=SLOW))
    state = said(state, 130, True)
    assert WatchState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_day_week_and_budget() -> None:
    state, _ = played(ticks(3600, 0.005, tick_s=30.0))
    day = in_day(state)
    assert (day.seconds, day.requests, day.bad) == (3600, 72_000, 360)
    assert day.success == pytest.approx(0.995)
    assert in_week(state) == day
    assert budget_left(state, POLICY) == pytest.approx(0.5)
    spent, _ = played(ticks(3600, 0.02, tick_s=30.0))
    assert budget_left(spent, POLICY) == 0.0
    assert budget_left(WatchState(), POLICY) is None
    assert budget_left(state, JudgePolicy()) is None


def test_the_limits_that_no_objective_has_are_measured_too() -> None:
    assert {condition.limit for condition in measured_latencies(RULES)} == {0.8, 5.0}


def test_a_day_of_healthy_traffic_is_silent() -> None:
    """Five requests a second, each failing with 0.5%, and retries that fail in threes."""
    chance = random.Random(7)
    state, news = WatchState(), []
    for number in range(8640):
        failed = 3 * sum(chance.random() < 0.005 / 3 for _ in range(50))
        tick = ServedTick(
            T0 + 10 * (number + 1), 10.0, {"errors": Counts(50, min(failed, 50)), SLOW: Counts(50, 0)}
        )
        state, said = advance_watch(RULES, state, tick)
        news += said
    assert told(news) == {}


def test_a_clock_that_was_set_back_blinds_no_rule() -> None:
    state, _ = played(ticks(1800, 0.001, since=7200))
    news: list[News] = []
    for tick in ticks(60, 0.5, since=600):
        state, said = advance_watch(RULES, state, tick)
        news += said
    assert told(news)["outage"] <= 600 + 10
    assert state.at == T0 + 660
    # What was told a moment ago is not counted again.
    again, said = advance_watch(RULES, state, next(iter(ticks(5, 0.5, since=650))))
    assert (again, said) == (state, ())


def test_a_signal_is_heard_after_the_clock_was_set_back() -> None:
    state, news = WatchState(), []
    for at in (7200.0, 600.0, 660.0, 719.0, 720.0):
        bad = Signal(at < 7200.0)
        state, said = advance_signals(RULES, state, "parts", {"gateway": bad}, T0 + at)
        news += said
    assert told(news) == {"gateway after a deploy": 720.0}
