"""Rules about Slipway itself, each on both sides of its edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import group_of
from bot.domain.watch.self_monitoring.rules import GATEWAY_AWAY, RULES, SelfState, begin, look, standing
from bot.domain.watch.self_monitoring.vitals import Vitals

EVERY_S = 5.0
WELL = Vitals(at=0.0, gateway=True, redis=True, memory=0.5)
# What a process is like after so many seconds.
Life = Callable[[float], Vitals]


def lived(life: Life, seconds: float, state: SelfState | None = None) -> tuple[SelfState, list[Finding]]:
    """The state and all findings after so long, with a look every five seconds."""
    state, found, at = state or begin(), list[Finding](), 0.0
    if state.window:
        at = state.window[-1].at + EVERY_S
    until = at + seconds
    while at <= until:
        state, more = look(state, replace(life(at), at=at), "all")
        found += more
        at += EVERY_S
    return state, found


def firing(found: Sequence[Finding]) -> list[str]:
    return [finding.labels["rule"] for finding in found if finding.firing]


def test_a_process_that_is_well_tells_the_end_of_what_a_former_one_fired_and_no_more() -> None:
    _, found = lived(lambda at: WELL, 600)
    assert firing(found) == []
    assert sorted(finding.labels["rule"] for finding in found) == sorted(rule.name for rule in RULES)
    assert {finding.fingerprint for finding in found} == {f"slipway/all/{rule.name}" for rule in RULES}


EDGES: dict[str, tuple[Life, float, Life, float]] = {
    # What is not enough for a finding for so long, and what is enough after how long.
    "gateway": (
        lambda at: replace(WELL, gateway=at % 120 == 0),
        600,
        lambda at: replace(WELL, gateway=False),
        120,
    ),
    "database": (
        lambda at: replace(WELL, database=at % 30 == 0),
        600,
        lambda at: replace(WELL, database=False),
        30,
    ),
    "statements": (
        lambda at: replace(WELL, statements=round(at * 100), failed=round(at)),
        900,
        lambda at: replace(WELL, statements=round(at * 100), failed=round(at * 1.01)),
        300,
    ),
    "redis": (lambda at: replace(WELL, redis=at % 60 == 0), 600, lambda at: replace(WELL, redis=False), 60),
    "effects": (
        lambda at: replace(WELL, oldest_effect_s=30.0),
        600,
        lambda at: replace(WELL, oldest_effect_s=30.1),
        60,
    ),
    "loops": (
        lambda at: replace(WELL, late={"ticks": 14.0} if at % 15 else {}),
        600,
        lambda at: replace(WELL, late={"ticks": 14.0}),
        10,
    ),
    "memory": (lambda at: replace(WELL, memory=0.8), 600, lambda at: replace(WELL, memory=0.801), 60),
    "cpu": (lambda at: replace(WELL, cpu_s=at * 0.7), 900, lambda at: replace(WELL, cpu_s=at * 0.71), 300),
}


@pytest.mark.parametrize("name", [rule.name for rule in RULES])
def test_a_rule_fires_above_its_limit_and_after_its_time_and_not_before(name: str) -> None:
    below, below_s, above, after_s = EDGES[name]
    assert name not in firing(lived(below, below_s)[1])
    if after_s:
        assert name not in firing(lived(above, after_s - EVERY_S)[1])
    state, found = lived(above, after_s)
    assert firing(found) == [name]
    (finding,) = [each for each in found if each.firing]
    assert (finding.source, finding.lane) == ("slipway", None)
    _, found = lived(lambda at: WELL, 600, state)
    assert next(each.labels["rule"] for each in found if not each.firing) == name
    assert name not in firing(found)


def test_a_finding_says_what_was_measured_against_its_limit() -> None:
    _, found = lived(lambda at: replace(WELL, cpu_s=at * 0.93), 300)
    assert (found[-1].value, found[-1].limit) == ("93% of a core", "70% of a core over 5 min")
    _, found = lived(lambda at: replace(WELL, late={"ticks": 42.4, "orders": 61.0}), 10)
    (stalled,) = [each for each in found if each.firing]
    assert (stalled.value, stalled.severity) == ("orders for 61 s, ticks for 42 s", Severity.CRITICAL)


def test_what_does_not_apply_is_well() -> None:
    """Without a Redis and a limit, and in a process that does not speak to Discord."""
    _, found = lived(lambda at: replace(WELL, gateway=None, redis=None, memory=None), 600)
    assert firing(found) == []


def test_loops_that_wait_for_the_database_are_no_finding_of_their_own() -> None:
    away = replace(WELL, database=False, oldest_effect_s=None, late={"ticks": 60.0})
    state, found = lived(lambda at: away, 600)
    assert firing(found) == ["database"]
    state, found = lived(lambda at: replace(away, database=True), 5, state)
    assert firing(found) == [], "each loop needs a moment for its next round"


def test_a_few_statements_are_no_share() -> None:
    quiet = lambda at: replace(WELL, statements=round(at / 5), failed=round(at / 5))  # noqa: E731
    assert "statements" not in firing(lived(quiet, 900)[1])


def test_a_process_that_stood_still_is_judged_from_there_on() -> None:
    state, _ = lived(lambda at: replace(WELL, gateway=False), 100)
    state, found = look(state, replace(WELL, at=10_000.0, gateway=False), "all")
    assert firing(found) == []
    _, found = look(state, replace(WELL, at=10_005.0, gateway=False), "all")
    assert firing(found) == []
    assert state.window[0].at == 10_000.0


def test_what_fires_is_told_with_the_newest_values() -> None:
    state, _ = lived(lambda at: replace(WELL, memory=0.9), 60)
    state, found = look(state, replace(WELL, at=65.0, memory=0.95), "all")
    assert found == []
    assert [(each.value, each.firing) for each in standing(state, "all")] == [("95%", True)]


def test_the_window_is_bounded() -> None:
    state, _ = lived(lambda at: WELL, 10_000)
    assert len(state.window) == 61


# What makes each rule fire, and what is then said of it: value, limit, severity, title, text.
SAID: dict[str, tuple[Life, str, str, str, str, str]] = {
    "gateway": (
        lambda at: replace(WELL, gateway=False),
        "",
        "2 min",
        "critical",
        "Slipway is not connected to Discord",
        "Rollouts go on by their rules. `slipway abort` and `slipway status` work on the machine.",
    ),
    "database": (
        lambda at: replace(WELL, database=False),
        "",
        "30 s",
        "critical",
        "The database does not answer Slipway",
        "Presses are refused and rollouts wait. Services go on.",
    ),
    "statements": (
        lambda at: replace(WELL, statements=round(at * 10), failed=round(at)),
        "10%",
        "1% over 5 min",
        "critical",
        "Slipway's database statements fail",
        "",
    ),
    "redis": (
        lambda at: replace(WELL, redis=False),
        "",
        "1 min",
        "medium",
        "Redis does not answer Slipway",
        "Limits and wake-ups are local to each process until it is back.",
    ),
    "effects": (
        lambda at: replace(WELL, oldest_effect_s=44.6),
        "45 s",
        "30 s",
        "high",
        "Slipway's orders and messages are late",
        "A target or Discord does not take what was decided.",
    ),
    "loops": (
        lambda at: replace(WELL, late={"a": 11.0, "b": 12.0, "c": 14.0, "d": 13.0}),
        "c for 14 s, d for 13 s, b for 12 s",
        "three rounds and 10 s",
        "critical",
        "A loop of Slipway has stalled",
        "Restart the process: nothing is lost.",
    ),
    "memory": (
        lambda at: replace(WELL, memory=0.93),
        "93%",
        "80% of its limit",
        "medium",
        "Slipway is short of memory",
        "",
    ),
    "cpu": (
        lambda at: replace(WELL, cpu_s=at * 0.93),
        "93% of a core",
        "70% of a core over 5 min",
        "medium",
        "Slipway is short of CPU",
        "",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_all_that_is_said_of_a_rule_that_fires_and_that_it_is_over(name: str) -> None:
    life, value, limit, severity, title, text = SAID[name]
    state, found = lived(life, EDGES[name][3])
    (finding,) = [each for each in found if each.firing]
    # For rules that compare two looks, it is broken once there are two that are far enough apart.
    began = 300.0 if name in ("statements", "cpu") else 0.0
    assert finding == Finding(
        fingerprint=f"slipway/all/{name}",
        source="slipway",
        title=title,
        at=datetime.fromtimestamp(began, UTC),
        firing=True,
        severity=Severity(severity),
        text=text,
        value=value,
        limit=limit,
        labels={"process": "all", "rule": name},
    )
    assert list(standing(state, "all")) == [finding]
    assert state.broken == {name: began} and state.firing == {name}
    (end,) = [each for each in lived(lambda at: WELL, 600, state)[1] if each.labels["rule"] == name]
    assert end == replace(finding, firing=False, text="", value="", at=end.at)
    assert end.at.timestamp() > EDGES[name][3]


def test_alerts_of_a_process_that_is_not_connected_are_grouped_by_that() -> None:
    _, found = lived(SAID["gateway"][0], 120)
    assert group_of(found[-1]) == GATEWAY_AWAY == "slipway: Slipway is not connected to Discord"


def test_what_is_not_known_neither_begins_nor_ends_anything() -> None:
    late = lambda at: replace(WELL, oldest_effect_s=99.0)  # noqa: E731
    unknown = lambda at: replace(WELL, oldest_effect_s=None)  # noqa: E731
    state, _ = lived(late, 60)
    state, found = lived(unknown, 60, state)
    assert (found, state.firing, state.broken) == ([], {"effects"}, {"effects": 0.0})
    assert list(standing(state, "all")) == []
    state, found = lived(late, 60, state)
    assert (found, state.firing) == ([], {"effects"})
    # Of a process that has just begun, what is not known is not told either.
    _, found = lived(unknown, 60)
    assert "effects" not in {each.labels["rule"] for each in found}


def test_a_hundred_statements_are_enough_for_a_share() -> None:
    for asked, fires in ((99, False), (100, True)):
        state = SelfState((replace(WELL, at=0.0), replace(WELL, at=250.0)))
        now = replace(WELL, at=300.0, statements=asked, failed=50)
        assert ("statements" in look(state, now, "all")[0].firing) is fires


def test_sums_are_compared_with_those_five_minutes_before() -> None:
    def window(*ats: float) -> tuple[Vitals, ...]:
        return tuple(replace(WELL, at=at, cpu_s=0.0) for at in ats)

    now = replace(WELL, at=300.0, cpu_s=290.0)
    assert look(SelfState(window(0.0, 250.0)), now, "all")[0].firing == {"cpu"}
    assert look(SelfState(window(0.1, 250.0)), now, "all")[0].firing == set()
    state, _ = look(SelfState(window(-50.0, -1.0, 0.0, 250.0)), now, "all")
    assert [each.at for each in state.window] == [0.0, 250.0, 300.0]
    state, _ = look(SelfState(window(-50.0, -1.0, 1.0, 250.0)), now, "all")
    assert [each.at for each in state.window] == [-1.0, 1.0, 250.0, 300.0]


@pytest.mark.parametrize(
    ("at", "kept"), [(99.0, False), (100.0, False), (100.1, True), (160, True), (161, False)]
)
def test_looks_that_are_more_than_a_minute_apart_or_not_in_order_begin_again(at: float, kept: bool) -> None:
    before = SelfState((replace(WELL, at=100.0, gateway=False),), {"gateway": 40.0}, untold=frozenset())
    state, _ = look(before, replace(WELL, at=at, gateway=False), "all")
    assert state.broken == {"gateway": 40.0 if kept else at}
    assert len(state.window) == 1 + kept


def test_what_a_process_tells_first() -> None:
    state = begin()
    assert state == SelfState(untold=frozenset(rule.name for rule in RULES))
    # What is broken is not told to be over.
    state, found = look(state, replace(WELL, at=0.0, redis=False), "web-1")
    assert "redis" not in {each.labels["rule"] for each in found}
    assert state.untold == {"redis", "statements", "cpu"}
    assert {each.labels["process"] for each in found} == {"web-1"}


def test_a_share_of_a_core_is_compared_as_it_is_shown() -> None:
    assert "cpu" not in firing(lived(lambda at: replace(WELL, cpu_s=at * 0.70004), 900)[1])
    assert "cpu" in firing(lived(lambda at: replace(WELL, cpu_s=at * 0.70006), 900)[1])
