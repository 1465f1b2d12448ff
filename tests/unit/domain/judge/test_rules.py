"""Plain rules: how they read, what they say when they do not, and when they are broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.judge.evidence.ticks import Signal, Tick
from bot.domain.judge.explain import rule_sentence
from bot.domain.judge.judge import JudgePolicy, Rule, RuleError, parse_rule
from bot.domain.judge.rules import EXAMPLES, RuleState, advance_rule, fails, in_doubt, push, shared, sums
from tests.support.rules.judging import tick


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 5% over 5m", {"metric": "error_rate", "limit": 0.05, "over_s": 300.0, "op": ">"}),
        (
            "error_rate >= 0.5 % over 90s with at least 200 requests",
            {"limit": 0.005, "over_s": 90.0, "min_requests": 200},
        ),
        ("success_rate < 95% over 5m", {"metric": "error_rate", "limit": 0.05, "op": ">"}),
        ("success_rate <= 95%", {"metric": "error_rate", "limit": 0.05, "op": ">="}),
        (
            "p99 > 5s for 2m",
            {"metric": "latency", "limit": 5.0, "quantile": 0.99, "for_s": 120.0, "over_s": 60.0},
        ),
        (
            "p99.9 > 250ms over 1h for 1min",
            {"limit": 0.25, "quantile": 0.999, "over_s": 3600.0, "for_s": 60.0},
        ),
        ("p50 > 250 ms", {"limit": 0.25, "quantile": 0.5}),
        ("failed_logins > 2% over 10m", {"metric": "proportion", "subject": "failed_logins", "limit": 0.02}),
        ("health check failing for 30s", {"metric": "health", "for_s": 30.0}),
        ("health failing", {"metric": "health", "for_s": 0.0}),
        ("any P1 alert firing", {"metric": "alert", "subject": "P1", "for_s": 0.0}),
        ("any alert firing for 1m", {"metric": "alert", "subject": None, "for_s": 60.0}),
        ("gateway  is disconnected for 2m", {"metric": "gateway", "for_s": 120.0}),
    ],
)
def test_rules_read_as_teams_write_them(text: str, expected: dict[str, object]) -> None:
    rule = parse_rule(text)
    assert {key: getattr(rule, key) for key in expected} == pytest.approx(expected)
    assert rule.enforce
    assert rule.name == " ".join(text.split())
    assert parse_rule(rule.name) == rule


READ_AS = "allowed there: 'for 2m' and 'over 2m'"
UNIT = "is not a time; write it with a unit, such as 5s or 250ms"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read the rule ''; write it like 'error_rate > 5% over 5m'"),
        (
            "gatway disconected for 2m",
            "cannot read the rule 'gatway disconected for 2m'; write it like 'gateway disconnected for 2m'",
        ),
        ("error_rate > 5 over 5m", "'error_rate > 5 over 5m': '5' is not a percentage; write it like 5%"),
        ("error_rate > 101%", "'error_rate > 101%': '101%' is not a percentage; write it like 5%"),
        ("logins > 5s", "'logins > 5s': '5s' is not a percentage; write it like 5%"),
        (
            "error_rate < 5%",
            "'error_rate < 5%': error_rate is bad when it is high: write > or >= instead of <",
        ),
        ("logins == 5%", "'logins == 5%': logins is bad when it is high: write > or >= instead of =="),
        (
            "success_rate > 95%",
            "'success_rate > 95%': success_rate is bad when it is low: write 'success_rate < 95%'",
        ),
        ("p99 > 5 for 2m", f"'p99 > 5 for 2m': '5' {UNIT}"),
        ("p99 > 0s", f"'p99 > 0s': '0s' {UNIT}"),
        ("p0 > 5s", "'p0 > 5s': a quantile is between p0 and p100, such as p99"),
        ("p100 > 5s", "'p100 > 5s': a quantile is between p0 and p100, such as p99"),
        ("eror_rate > 5%", "'eror_rate > 5%': there is no eror_rate; did you mean error_rate?"),
        ("sucess_rate < 95%", "'sucess_rate < 95%': there is no sucess_rate; did you mean success_rate?"),
        (
            "error_rate > 5% during 5m",
            f"'error_rate > 5% during 5m': cannot read 'during 5m' at its end; {READ_AS}",
        ),
        (
            "error_rate > 5% over 5m over 6m",
            f"'error_rate > 5% over 5m over 6m': cannot read 'over 6m' at its end; {READ_AS}",
        ),
        ("error_rate > 5% over 0s", "'error_rate > 5% over 0s': 'over 0s' must be above 0"),
        (
            "error_rate > 5% at least 0 requests",
            "'error_rate > 5% at least 0 requests': 'at least 0 requests' must be above 0",
        ),
        (
            "health check failing over 30s",
            "'health check failing over 30s': cannot read 'over 30s' at its end; allowed there: 'for 2m'",
        ),
        (
            "any alert firing with at least 3 requests",
            "'any alert firing with at least 3 requests': cannot read 'with at least 3 requests' at its end; "
            "allowed there: 'for 2m'",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_a_way_out(text: str, said: str) -> None:
    with pytest.raises(RuleError) as found:
        parse_rule(text)
    assert str(found.value) == said


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("error_rate > 100%", Rule("error_rate > 100%", "error_rate", limit=1.0)),
        ("error_rate >= 0%", Rule("error_rate >= 0%", "error_rate", ">=", 0.0)),
        ("Logins  > 2%", Rule("Logins > 2%", "proportion", limit=0.02, subject="logins")),
        ("P99 >= 5S FOR 2M", Rule("P99 >= 5S FOR 2M", "latency", ">=", 5.0, for_s=120.0, quantile=0.99)),
        (
            "error_rate > 5% at least 3 requests for 1m over 2m",
            Rule(
                "error_rate > 5% at least 3 requests for 1m over 2m",
                "error_rate",
                limit=0.05,
                over_s=120.0,
                for_s=60.0,
                min_requests=3,
            ),
        ),
        ("success_rate < 99.9%", Rule("success_rate < 99.9%", "error_rate", limit=0.001)),
        ("Any p1 alert is firing", Rule("Any p1 alert is firing", "alert", subject="p1")),
    ],
)
def test_a_rule_that_is_only_watched_reads_the_same(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule
    assert parse_rule(text, enforce=False) == replace(rule, enforce=False)


def test_a_window_keeps_a_slot_until_all_of_it_is_too_old() -> None:
    window = push(push((), 60.0, 7.0, (10, 1)), 60.0, 9.9, (5, 0))
    assert window == ((5.0, 15, 1),)
    assert push(window, 60.0, 69.9, (1, 1)) == ((5.0, 15, 1), (65.0, 1, 1))
    assert push(window, 60.0, 70.0, (1, 1)) == ((70.0, 1, 1),)
    assert push(window, 60.0, 10.0, (2, 0)) == ((5.0, 15, 1), (10.0, 2, 0))
    assert push(window, 60.0, 3.0, (2, 0)) == ((5.0, 17, 1),)  # the clock went back
    assert (sums((), 3), sums(window, 2)) == ((0, 0, 0), (15, 1))


def test_a_rule_is_stored_and_read_with_all_that_it_knows() -> None:
    beside = (60, 2, 1, 600)
    state = RuleState(((5.0, 15, 1, *beside),), True, 2.5, 15, 1, "503", beside)
    assert state.to_json() == [[[5.0, 15, 1, *beside]], True, 2.5, 15, 1, "503", list(beside)]
    before_stable_was_counted = [[[5.0, 15, 1]], True, 2.5, 15, 1, "503"]
    assert RuleState.from_json(before_stable_was_counted) == RuleState(
        ((5.0, 15, 1, 0, 0, 0, 0),), True, 2.5, 15, 1, "503"
    )
    assert RuleState.from_json(state.to_json()) == state


def test_a_blip_of_both_stays_shared_while_traffic_moves() -> None:
    """Shares differ from tick to tick, and only ticks in which both had requests count."""
    rule = parse_rule("error_rate > 5% over 5m with at least 100 requests")
    ticks = [
        tick(1, (0, 0), stable=(5000, 0), names=(rule.name,)),
        tick(2, (50, 30), stable=(950, 570), names=(rule.name,)),
        tick(3, (250, 0), stable=(750, 0), names=(rule.name,)),
    ]
    state = RuleState()
    for one in ticks:
        state = advance_rule(rule, state, one)
    assert state.beside == (1700, 570, 30, 30_000)
    assert fails(rule, state) and shared(rule, state)
    worse = advance_rule(rule, state, tick(4, (250, 40), stable=(750, 0), names=(rule.name,)))
    assert fails(rule, worse) and not shared(rule, worse)
    unread = advance_rule(rule, state, tick(4, (250, 40), names=(rule.name,)))
    assert unread.beside == state.beside


@pytest.mark.parametrize(
    ("candidate", "stable", "held"),
    [
        ((250, 15), (4700, 212), True),  # 6% beside 4.5%: chance decides which of the two is above 5%
        ((250, 15), (4700, 119), False),  # 6% beside 2.5%, which is half of the limit
        ((250, 25), (4700, 212), False),  # 10% beside 4.5%: more than chance explains
    ],
)
def test_near_the_limit_chance_does_not_decide_between_releases_in_the_same_trouble(
    candidate: tuple[int, int], stable: tuple[int, int], held: bool
) -> None:
    rule = parse_rule("error_rate > 5% over 5m with at least 200 requests")
    state = advance_rule(rule, RuleState(), tick(1, candidate, stable=stable, names=(rule.name,)))
    assert fails(rule, state) and shared(rule, state) is held


def test_the_examples_are_rules() -> None:
    assert len(JudgePolicy(rules=tuple(parse_rule(text) for text in EXAMPLES)).rules) == len(EXAMPLES)


def test_signals_have_the_keys_that_sources_use() -> None:
    assert [parse_rule(text).signal for text in EXAMPLES] == [None, None, "health", "alert:P1", "gateway"]


def after(rule: Rule, *ticks: Tick) -> RuleState:
    state = RuleState()
    for one in ticks:
        state = advance_rule(rule, state, one)
    return state


def rated(rule: Rule, number: int, total: int, bad: int, *errors: str) -> Tick:
    return tick(number, (total, bad), names=(rule.name,), errors=errors)


def test_an_error_rate_needs_its_floor_of_requests() -> None:
    rule = parse_rule("error_rate > 5% over 5m with at least 40 requests")
    assert not fails(rule, after(rule, rated(rule, 1, 20, 20)))
    assert fails(rule, after(rule, rated(rule, 1, 20, 20), rated(rule, 2, 20, 0)))


def test_a_rate_at_the_limit_is_broken_only_by_at_least() -> None:
    above, least = parse_rule("error_rate > 5%"), parse_rule("error_rate >= 5%")
    assert not fails(above, after(above, rated(above, 1, 100, 5)))
    assert fails(least, after(least, rated(least, 1, 100, 5)))


def test_a_window_forgets() -> None:
    rule = parse_rule("error_rate > 5% over 1m")
    assert fails(rule, after(rule, rated(rule, 1, 30, 9), *(rated(rule, n, 30, 0) for n in range(2, 5))))
    assert not fails(rule, after(rule, rated(rule, 1, 30, 9), *(rated(rule, n, 30, 0) for n in range(2, 16))))


def test_p99_is_a_proportion_that_must_last() -> None:
    rule = parse_rule("p99 > 5s for 20s")
    slow = [rated(rule, n, 100, 2) for n in range(1, 6)]
    assert not fails(rule, after(rule, *slow[:4]))
    assert fails(rule, after(rule, *slow))
    assert not fails(rule, after(rule, *(rated(rule, n, 100, 1) for n in range(1, 9))))


@pytest.mark.parametrize(
    ("text", "total", "bad", "doubted"),
    [
        ("error_rate > 5% over 5m with at least 100 requests", 99, 33, True),
        ("error_rate > 5% over 5m with at least 100 requests", 100, 33, False),  # fails
        ("error_rate > 5% over 5m with at least 100 requests", 99, 12, True),
        ("error_rate > 5% over 5m with at least 100 requests", 99, 11, False),  # by chance in 1.1%
        ("error_rate > 5% over 5m with at least 100 requests", 99, 0, False),
        ("p99 > 5s over 5m with at least 200 requests", 30, 1, False),
        ("p99 > 5s over 5m with at least 200 requests", 30, 3, True),
        ("p99 > 5s over 5m for 2m", 100, 2, False),  # broken, as every fourth time by chance
        ("p99 > 5s over 5m for 2m", 100, 5, True),
        ("orders > 0% over 5m", 10, 1, True),
    ],
)
def test_a_rule_is_in_doubt_with_more_bad_requests_than_chance_explains(
    text: str, total: int, bad: int, doubted: bool
) -> None:
    rule = parse_rule(text)
    assert in_doubt(rule, after(rule, rated(rule, 1, total, bad))) is doubted


def test_a_broken_signal_is_in_doubt_until_it_has_lasted() -> None:
    rule = parse_rule("gateway disconnected for 10s")
    away, back = (tick(n, signals={"gateway": Signal(bad)}) for n, bad in ((1, True), (4, False)))
    assert in_doubt(rule, after(rule, away))
    assert not in_doubt(rule, RuleState())
    assert not in_doubt(rule, after(rule, away, back))
    lasted = after(rule, *(tick(n, signals={"gateway": Signal(True)}) for n in range(1, 4)))
    assert fails(rule, lasted)
    assert not in_doubt(rule, lasted)


def test_what_could_not_be_read_neither_counts_nor_interrupts() -> None:
    rule = parse_rule("p99 > 5s for 10s")
    gap = [
        rated(rule, 1, 100, 9),
        rated(rule, 2, 0, 0, "down"),
        rated(rule, 3, 100, 9),
        rated(rule, 4, 100, 9),
    ]
    assert not fails(rule, after(rule, *gap[:3]))
    assert fails(rule, after(rule, *gap))
    health = parse_rule("health check failing for 5s")
    broken, unread = {"health": Signal(True)}, {"health": Signal(None)}
    looks = [tick(1, signals=broken), tick(2, signals=unread), tick(3), tick(4, signals=broken)]
    assert not fails(health, after(health, *looks[:3]))
    assert fails(health, after(health, *looks))


def test_rules_say_where_they_stand() -> None:
    rate, slow, health = (
        parse_rule("error_rate > 5%"),
        parse_rule("p99 > 5s for 2m"),
        parse_rule("health failing for 1m"),
    )
    assert rule_sentence(rate, RuleState(), failed=False) == "error_rate > 5%: no requests"
    few = after(rate, rated(rate, 1, 10, 1))
    assert (
        rule_sentence(rate, few, failed=False)
        == "error_rate > 5%: 10% bad (1 of 10); applies from 20 requests"
    )
    lasting = after(slow, rated(slow, 1, 100, 9), rated(slow, 2, 100, 9))
    assert rule_sentence(slow, lasting, failed=False) == (
        "p99 > 5s for 2m: 9% took longer than 5 s (18 of 200), for 5 s so far"
    )
    sick = after(health, tick(1, signals={"health": Signal(True)}), tick(2, signals={"health": Signal(True)}))
    assert rule_sentence(health, sick, failed=False) == "health failing for 1m: yes, for 5 s so far"
    assert rule_sentence(health, RuleState(), failed=False) == "health failing for 1m: no"
