"""Rules about Slipway itself, each on both sides of its edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.self_monitoring.rules import RULES, SelfState, begin, look, standing
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
