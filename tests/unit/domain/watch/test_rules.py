"""Rules over what a lane serves, each on both sides of its edge, on virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest

from bot.domain.judge.evidence.counters import Counts, Signal
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.judge.rules import RuleState, parse_rule
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.default_rules import DATABASE, PROFILES, default_rules
from bot.domain.watch.latencies import QuantileRange
from bot.domain.watch.rules import (
    News,
    Served,
    WatchRule,
    WatchState,
    advance_signals,
    advance_watch,
    budget_left,
    error_limit,
    in_day,
    in_recent,
    in_week,
    measured_latencies,
    on_alerts,
    shown_as,
    shown_now,
    watched,
)
from bot.domain.watch.signals import Heard, forgotten, heard, worst

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


# ---- what is said ----


def plain(rules: Iterable[WatchRule]) -> list[tuple[object, ...]]:
    return [
        (
            rule.name,
            str(rule.severity),
            rule.after_deploy_s,
            rule.rollback,
            rule.cover,
            [[one.name for one in way] for way in rule.ways],
        )
        for rule in rules
    ]


STANDARD: list[tuple[object, ...]] = [
    (
        "outage",
        "critical",
        None,
        False,
        0.0,
        [
            ["error_rate > 20% over 10s with at least 100 requests"],
            ["error_rate > 20% over 30s with at least 80 requests"],
            ["error_rate > 20% over 2m with at least 40 requests"],
        ],
    ),
    ("fast burn", "critical", None, False, 0.5, [["error_rate > 14% over 1h", "error_rate > 14% over 5m"]]),
    ("burn", "high", None, False, 0.5, [["error_rate > 6% over 6h", "error_rate > 6% over 30m"]]),
    ("slow burn", "low", None, False, 0.5, [["error_rate > 1% over 72h", "error_rate > 1% over 6h"]]),
    ("slow", "medium", None, False, 0.0, [["p95 > 800ms over 1m for 10m"]]),
    ("errors after a deploy", "critical", 1800.0, True, 0.0, [["error_rate > 5% over 5m"]]),
    ("slow after a deploy", "critical", 1800.0, True, 0.0, [["p99 > 5s over 1m for 2m"]]),
    ("gateway after a deploy", "critical", 1800.0, True, 0.0, [["gateway disconnected for 2m"]]),
    ("alert after a deploy", "critical", 1800.0, True, 0.0, [["any P1 alert firing"]]),
]
OF_DATABASE = ("database after a deploy", "critical", 1800.0, True, 0.0, [["database_errors > 1% over 5m"]])
AFTER_SWITCH: list[tuple[object, ...]] = [
    ("errors after a switch", "critical", 1800.0, True, 0.0, [["error_rate > 10% over 1m"]]),
    ("slow after a switch", "critical", 1800.0, True, 0.0, [["p95 > 2s over 30s for 1m"]]),
    ("health after a switch", "critical", 1800.0, True, 0.0, [["health check failing for 30s"]]),
]


def test_the_rules_that_a_lane_has_before_its_own() -> None:
    burns = {"fast burn", "burn", "slow burn"}
    assert plain(PROFILES["standard"](POLICY, ())) == STANDARD
    assert plain(PROFILES["standard"](POLICY, [DATABASE])) == [*STANDARD, OF_DATABASE]
    assert plain(default_rules(JudgePolicy())) == [each for each in STANDARD if each[0] not in burns]
    assert plain(PROFILES["blue_green"](POLICY, ())) == [*STANDARD, *AFTER_SWITCH]
    assert plain(PROFILES["blue_green"](POLICY, [DATABASE])) == [*STANDARD, OF_DATABASE, *AFTER_SWITCH]
    assert PROFILES["none"](POLICY, [DATABASE]) == ()


def test_burn_rates_are_shares_of_requests_with_enough_of_them_to_tell() -> None:
    def of(limit: float) -> list[tuple[float, float, int]]:
        policy = JudgePolicy(objectives=(Objective("errors", "errors", limit),))
        return [
            (round(one.limit, 9), one.over_s, one.min_requests)
            for rule in default_rules(policy)
            if rule.cover
            for one in rule.conditions
        ]

    assert of(0.01) == [
        (0.144, 3600.0, 139),
        (0.144, 300.0, 139),
        (0.06, 21_600.0, 333),
        (0.06, 1800.0, 333),
        (0.01, 259_200.0, 10_000),
        (0.01, 21_600.0, 10_000),
    ]
    # No share is above all of the requests.
    assert of(0.5)[:3] == [(1.0, 3600.0, 20), (1.0, 300.0, 20), (1.0, 21_600.0, 20)]


def test_the_limit_on_errors_is_the_tightest_that_is_enforced() -> None:
    objectives = (
        Objective("a", "errors", 0.05),
        Objective("b", "errors", 0.02),
        Objective("c", "errors", 0.001, enforce=False),
        Objective("d", "latency", 0.01, threshold_s=0.8),
    )
    assert error_limit(JudgePolicy(objectives=objectives)) == 0.02
    assert error_limit(JudgePolicy(objectives=objectives[2:])) is None


def test_news_says_what_was_measured_its_limit_and_the_conditions_that_are_broken() -> None:
    _, news = played(ticks(600, 0.0), ticks(300, 0.5, since=600))
    outage, errors = (next(each for each in news if each.rule.name == name) for name in ("outage", AFTER))
    assert outage == News(
        RULES[0], True, T0 + 605, "25%", "20%", "error_rate > 20% over 10s with at least 100 requests"
    )
    assert (errors.limit, errors.said) == ("5%", "error_rate > 5% over 5m")
    state, news = played(ticks(60, 0.5), ticks(400, 0.0, since=60))
    end = next(each for each in news if each.rule.name == "outage" and not each.firing)
    assert end == News(RULES[0], False, end.at)
    assert state.firing == {}


AFTER = "errors after a deploy"


def test_the_condition_with_the_shortest_window_speaks_for_all_of_a_way() -> None:
    _, news = played(ticks(36_000, 0.0, tick_s=30.0), ticks(7200, 0.5, since=36_000, tick_s=30.0))
    burn = next(each for each in news if each.rule.name == "fast burn")
    assert (burn.value, burn.limit) == ("50%", "14%")
    assert burn.said == "error_rate > 14% over 1h and error_rate > 14% over 5m"


def test_what_fires_is_shown_as_it_stands_now_with_its_beginning() -> None:
    state, news = played(ticks(600, 0.0), ticks(300, 0.5, since=600))
    shown = {each.rule.name: each for each in shown_now(RULES, state)}
    assert shown.keys() == state.firing.keys() == {"outage", AFTER}
    assert shown["outage"] == News(
        RULES[0], True, told(news)["outage"] + T0, "50%", "20%", RULES[0].ways[0][0].name
    )
    # What is not told yet, or is no longer broken, is not shown.
    assert list(shown_now(RULES, replace(state, firing={}))) == []
    assert list(shown_now(RULES, replace(state, conditions={}))) == []
    assert list(shown_now((), state)) == []


def test_what_was_measured_and_its_limit_for_people() -> None:
    slow, failed, gateway = map(
        parse_rule, ("p95 > 800ms over 1m", "error_rate > 10%", "gateway disconnected for 2m")
    )
    assert shown_as(failed, RuleState(total=100, bad=52)) == ("52%", "10%")
    assert shown_as(failed, RuleState()) == ("0%", "10%")
    assert shown_as(slow, RuleState(total=50, bad=6)) == ("12% above 800 ms", "5%")
    assert shown_as(gateway, RuleState(held_s=150.4, broken=True)) == ("2 min 30 s", "2 min")


def test_what_of_a_tick_a_condition_counts() -> None:
    assert watched(parse_rule("p95 > 800ms over 1m")) == "latency>0.8s"
    assert watched(parse_rule("error_rate > 10%")) == "errors"
    assert watched(parse_rule("database_errors > 1%")) == "proportion:database_errors"
    assert watched(parse_rule("gateway disconnected for 2m")) is None


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        (["any P2 alert firing"], Severity.HIGH),
        (["any alert firing"], Severity.LOW),
        (["any purple alert firing"], Severity.LOW),
        (["error_rate > 10%"], None),
        (["any P1 alert firing", "error_rate > 10%"], None),
    ],
)
def test_rules_that_fire_with_alerts_of_other_programs(said: list[str], severity: Severity | None) -> None:
    rule = WatchRule("mine", (tuple(map(parse_rule, said)),))
    assert list(on_alerts((rule,))) == ([(rule, severity)] if severity else [])


def test_every_way_that_is_an_alert_alone_is_found() -> None:
    ways = tuple((parse_rule(f"any {word} alert firing"),) for word in ("P1", "P3"))
    rules = (WatchRule("none", ((parse_rule("error_rate > 10%"),),)), WatchRule("mine", ways))
    assert list(on_alerts(rules)) == [(rules[1], Severity.CRITICAL), (rules[1], Severity.MEDIUM)]


def test_a_rule_has_each_of_its_conditions_once_and_these_defaults() -> None:
    one, other = parse_rule("error_rate > 10%"), parse_rule("p95 > 1s")
    rule = WatchRule("mine", ((one, other), (one,)))
    assert rule.conditions == (one, other)
    assert rule == WatchRule("mine", rule.ways, Severity.MEDIUM, None, False, 0.0, "")
    database = WatchRule("database", ((parse_rule("database_errors > 1%"), one),))
    assert measured_latencies((rule, rule, database)) == (other, database.conditions[0])


# ---- what is known ----


def test_the_state_as_json_and_of_a_row_from_before_signals() -> None:
    state, _ = played(ticks(5, 0.5, rate=2.0))
    state = replace(said(state, 10, True), quantiles=(QuantileRange(0.95, 0.1, None, T0),))
    state = replace(state, release="sha256:a", release_at=T0)
    stored = json.loads(json.dumps(state.to_json()))
    assert list(stored) == [
        *("at", "conditions", "firing", "day", "week", "recent"),
        *("release", "release_at", "signals", "quantiles"),
    ]
    assert (stored["at"], stored["firing"], stored["release"]) == (T0 + 5, {}, "sha256:a")
    assert stored["day"] == [[*state.day[0]]] and stored["quantiles"] == [[0.95, 0.1, None, T0]]
    assert stored["signals"]["gateway"] == {"parts": [True, T0 + 10, T0 + 10, ""]}
    assert WatchState.from_json(stored) == state
    for newer in ("release_at", "signals", "quantiles"):
        del stored[newer]
    old = replace(state, release_at=0.0, signals={}, quantiles=())
    assert WatchState.from_json(stored) == old
    assert WatchState.from_json(WatchState().to_json()) == WatchState()


def test_the_last_minutes_are_those_before_now_and_days_are_counted_in_whole_seconds() -> None:
    state = WatchState()
    for at, total in ((0.0, 10), (200.0, 20), (400.0, 40)):
        tick = ServedTick(T0 + at, 2.6, {"errors": Counts(total, 1)})
        state, _ = advance_watch((), state, tick)
    assert in_recent(state, T0 + 400) == Served(6, 60, 2)
    assert in_recent(state, T0 + 690) == Served(3, 40, 1)
    assert in_recent(state, T0 + 800) == Served(0, 0, 0)
    assert in_recent(state, T0 + 800).success is None
    assert in_week(state) == in_day(state) == Served(9, 70, 3)
    # What is not measured adds nothing.
    assert advance_watch((), state, ServedTick(T0 + 410, 5.0, {}))[0] == replace(state, at=T0 + 410)


def test_a_tick_within_a_minute_of_the_newest_was_told_twice_and_an_older_one_is_a_clock_set_back() -> None:
    state, _ = advance_watch(RULES, WatchState(), ServedTick(T0, 5.0, {"errors": Counts(9, 1)}), "a")
    again = ServedTick(T0, 5.0, {"errors": Counts(9, 9)})
    assert advance_watch(RULES, state, again) == (state, ())
    assert advance_watch(RULES, state, ServedTick(T0 - 59.9, 5.0, {"errors": Counts(9, 9)})) == (state, ())
    back, _ = advance_watch(RULES, state, ServedTick(T0 - 60, 5.0, {"errors": Counts(4, 2)}))
    assert (back.at, back.release, back.release_at) == (T0 - 60, "a", T0 - 60)
    assert in_recent(back, T0 - 60) == Served(5, 4, 2)
    condition = back.conditions["error_rate > 5% over 5m"]
    assert (condition.total, condition.bad) == (4, 2)
    long_ago, _ = advance_watch(RULES, state, ServedTick(T0 - 172_800, 5.0, {"errors": Counts(4, 2)}))
    assert in_week(long_ago) == in_day(long_ago) == in_recent(long_ago, T0 - 172_800) == Served(5, 4, 2)


def test_another_release_begins_with_the_tick_that_names_it() -> None:
    state, _ = advance_watch(RULES, WatchState(), ServedTick(T0, 5.0, {"errors": Counts(9, 1)}))
    assert (state.release, state.release_at) == ("", 0.0)
    state, _ = advance_watch(RULES, state, ServedTick(T0 + 5, 5.0, {"errors": Counts(9, 1)}), "a")
    assert (state.release, state.release_at) == ("a", T0 + 5)
    state, _ = advance_watch(RULES, state, ServedTick(T0 + 10, 5.0, {"errors": Counts(9, 1)}), "a")
    assert (state.release, state.release_at) == ("a", T0 + 5)
    state, _ = advance_watch(RULES, state, ServedTick(T0 + 15, 5.0, {"errors": Counts(9, 1)}))
    assert (state.release, state.release_at) == ("a", T0 + 5)


def test_a_rule_with_a_cover_fires_once_its_window_is_known_for_so_long() -> None:
    condition = parse_rule("error_rate > 10% over 10m with at least 1 requests")
    rule = WatchRule("mine", ((condition,),), cover=0.5)
    bare = WatchRule("bare", ((condition,),))
    _, news = played(ticks(600, 0.5, tick_s=10.0), rules=(rule, bare))
    assert told(news)["bare"] == 10.0
    assert told(news)["mine"] == 300.0
    # A way fires with all of its conditions; one of several ways is enough.
    other = parse_rule("error_rate > 90% over 10m with at least 1 requests")
    for ways, fires in ((((condition, other),), False), (((other,), (condition,)), True)):
        _, news = played(ticks(60, 0.5), rules=(WatchRule("mine", ways),))
        assert ("mine" in told(news)) == fires


# ---- signals ----


def test_what_was_heard_of_a_signal() -> None:
    known = heard({}, "parts", {"gateway": Signal(True, "no route"), "health": Signal(None)}, T0)
    assert known == {"gateway": {"parts": Heard(True, T0, T0, "no route")}}
    again = heard(known, "parts", {"gateway": Signal(True)}, T0 + 180)
    assert again == {"gateway": {"parts": Heard(True, T0, T0 + 180, "")}}
    assert known["gateway"]["parts"].at == T0
    assert heard(known, "parts", {"gateway": Signal(True)}, T0 + 181)["gateway"]["parts"].since == T0 + 181
    assert heard(known, "parts", {"gateway": Signal(False)}, T0 + 1)["gateway"]["parts"] == Heard(
        False, T0 + 1, T0 + 1
    )
    other = heard(known, "other", {"gateway": Signal(True)}, T0 + 5)
    assert other["gateway"] == {
        "parts": Heard(True, T0, T0, "no route"),
        "other": Heard(True, T0 + 5, T0 + 5),
    }
    assert heard(known, "parts", {"gateway": Signal(True, since=T0 - 9)}, T0 + 5)["gateway"][
        "parts"
    ] == Heard(True, T0 - 9, T0 + 5)


@pytest.mark.parametrize(("ago", "changes"), [(0.0, False), (59.9, False), (60.0, True)])
def test_a_signal_that_is_older_than_what_is_known_was_told_twice_or_the_clock_was_set_back(
    ago: float, changes: bool
) -> None:
    known = heard({}, "parts", {"gateway": Signal(True), "health": Signal(True)}, T0)
    after = heard(known, "parts", {"gateway": Signal(False), "disk": Signal(True)}, T0 - ago)
    assert after["gateway"]["parts"] == (Heard(False, T0 - ago, T0 - ago) if changes else Heard(True, T0, T0))
    assert after["disk"]["parts"] == Heard(True, T0 - ago, T0 - ago)


def test_what_was_not_heard_for_ten_minutes_is_forgotten() -> None:
    known = heard(heard({}, "a", {"gateway": Signal(True)}, T0), "b", {"gateway": Signal(True)}, T0 + 100)
    assert forgotten(known, T0 + 600) == known
    assert forgotten(known, T0 + 601) == {"gateway": {"b": Heard(True, T0 + 100, T0 + 100)}}
    assert forgotten(known, T0 + 701) == {}


def test_the_origin_that_has_said_for_the_longest_time_that_it_is_bad() -> None:
    of = {"a": Heard(False, T0 - 9, T0), "b": Heard(True, T0 - 3, T0), "c": Heard(True, T0 - 5, T0)}
    assert worst({"gateway": of}, "gateway") == of["c"]
    assert worst({"gateway": {"a": of["a"]}}, "gateway") == of["a"]
    assert worst({"gateway": of}, "health") is None


@pytest.mark.parametrize(("release_at", "held_s"), [(0.0, 50.5), (20.0, 30.5), (50.5, 0.0), (99.0, 0.0)])
def test_a_signal_is_bad_for_as_long_as_the_release_has_served(release_at: float, held_s: float) -> None:
    rule = WatchRule("mine", ((parse_rule("gateway disconnected for 30s"),),))
    state = WatchState(release="a", release_at=T0 + release_at)
    for at, detail in ((0.0, "at first"), (50.5, "no route")):
        bad = {"gateway": Signal(True, detail), "health": Signal(True)}
        state, news = advance_signals((rule,), state, "parts", bad, T0 + at)
    name = "gateway disconnected for 30s"
    assert state.conditions == {name: RuleState(broken=True, held_s=held_s, detail="no route")}
    assert bool(news) == bool(state.firing) == (held_s >= 30)
    # Ticks of the lane leave it as it stands.
    after, _ = advance_watch((rule,), state, ServedTick(T0 + 60, 5.0, {"errors": Counts(9, 1)}))
    assert after.conditions == state.conditions
    well, _ = advance_signals((rule,), state, "parts", {"gateway": Signal(False)}, T0 + 60)
    assert well.conditions == {name: RuleState()}
    assert well.signals["health"]["parts"] == Heard(True, T0, T0 + 50.5)
    # What was not heard for ten minutes is forgotten, whatever is said of another.
    later, _ = advance_signals((rule,), state, "other", {"disk": Signal(False)}, T0 + 700)
    assert later.signals == {"disk": {"other": Heard(False, T0 + 700, T0 + 700)}}
    assert later.conditions == {name: RuleState()}


def test_the_last_minutes_begin_with_the_slot_that_begins_then() -> None:
    state, _ = advance_watch((), WatchState(), ServedTick(T0, 5.0, {"errors": Counts(9, 1)}))
    ((begins, *_),) = state.recent
    assert in_recent(state, begins + 300) == Served(5, 9, 1)
    assert in_recent(state, begins + 300.1) == Served(0, 0, 0)
