"""config/examples/checklist says what the checklist says: five triggers, and half an hour to watch."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bot.domain.config import LaneConfig
from bot.domain.judge.evidence.ticks import Counts, Signal, Tick
from bot.domain.judge.policy import Rule
from bot.domain.judge.rules import RuleState, advance_rule, fails
from bot.domain.rollout.model import Lane
from bot.domain.rollout.steps import Observe, Run
from tests.support.catalog_files import load
from tests.support.repository import EXAMPLES


class Trigger(NamedTuple):
    """A condition of the checklist in its own words, and what breaks it by a little; `within` is what does not.

    Each: for how many seconds, how many of 100 requests in each tick are bad, or whether the signal says so.
    """

    words: str
    breaks: tuple[float, int | bool]
    within: tuple[float, int | bool]


TRIGGERS = {
    "error_rate > 5% over 5m with at least 100 requests": Trigger(
        "> 5% of invocations over 5-min window", (300, 6), (300, 5)
    ),
    "p99 > 5s over 5m for 2m with at least 200 requests": Trigger(
        "> 5 s sustained for > 2 min", (130, 2), (110, 2)
    ),
    "gateway disconnected for 2m": Trigger(
        "Bot offline / gateway disconnect > 2 minutes", (130, True), (110, True)
    ),
    "database > 1% over 5m with at least 300 requests": Trigger(
        "> 1% of queries over 5-min window", (300, 2), (300, 1)
    ),
    "any P1 alert firing": Trigger("Immediately", (5, True), (5, False)),
}


@pytest.fixture(scope="module")
def lanes() -> dict[str, LaneConfig]:
    variables = ("SERVER_ID", "GITHUB_TOKEN", "CHOPSTICKS_ID", "CHOPSTICKS_TOKEN")
    catalog = load(
        EXAMPLES / "checklist", {f"SLIPWAY_VAR_{name}": "100000000000000001" for name in variables}
    )
    return {name: catalog.lanes[Lane("chopsticks", name)] for name in ("staging", "production")}


@pytest.mark.parametrize("rule", TRIGGERS)
def test_each_trigger_of_the_checklist_breaks_where_it_says(rule: str, lanes: dict[str, LaneConfig]) -> None:
    (found,) = (one for one in lanes["production"].policy.judge.rules if one.name == rule)
    assert _broken(found, *TRIGGERS[rule].breaks)
    assert not _broken(found, *TRIGGERS[rule].within)


def _broken(rule: Rule, seconds: float, bad: int | bool) -> bool:
    state = RuleState()
    for at in range(0, int(seconds), 5):
        counts, signals = {}, {}
        if rule.signal is not None:
            signals = {rule.signal: Signal(bool(bad))}
        else:
            counts = {rule.name: Counts(100, bad)}
        state = advance_rule(rule, state, Tick(float(at), 5.0, counts, signals=signals))
    return fails(rule, state)


def test_production_has_the_five_triggers_and_both_are_watched_for_half_an_hour(
    lanes: dict[str, LaneConfig],
) -> None:
    assert [rule.name for rule in lanes["production"].policy.judge.rules] == list(TRIGGERS)
    for config in lanes.values():
        (observe,) = (step for step in config.plan.steps if isinstance(step, Observe))
        assert observe.duration_s == 30 * 60
    assert len([step for step in lanes["staging"].plan.steps if isinstance(step, Run)]) == 1 + 5 + 1


def test_staging_is_held_to_one_percent_of_errors_two_seconds_and_no_alert(
    lanes: dict[str, LaneConfig],
) -> None:
    """What the limits decide is the judge's: tests/unit/domain/judge has their edges."""
    policy = lanes["staging"].policy.judge
    assert [(one.kind, one.limit, one.threshold_s) for one in policy.objectives] == [
        ("errors", 0.01, None),
        ("latency", pytest.approx(0.01), 2.0),
    ]
    (no_alert,) = policy.rules
    assert _broken(no_alert, 5, True)
    assert not _broken(no_alert, 5, False)
