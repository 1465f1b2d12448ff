"""What a rollout copies from the catalog about its lane."""

from __future__ import annotations

import pytest

from bot.domain.judge.judge import JudgePolicy, Objective
from bot.domain.judge.policy import Rule
from bot.domain.rollout.binding import latency_limit

SLOW = Objective("slow", "latency", 0.05, threshold_s=0.5)
SLOWER = Rule("slower", "latency", limit=2.0, quantile=0.99)
ERRORS = Rule("failing", "error_rate", limit=9.0)


@pytest.mark.parametrize(
    ("objectives", "rules", "limit"),
    [
        ((), (), None),
        ((Objective("errors", "errors", 0.01),), (ERRORS,), None),
        ((SLOW,), (ERRORS,), 0.5),
        ((), (SLOWER, ERRORS), 2.0),
        ((SLOW,), (SLOWER,), 2.0),  # what takes longer than the rule's limit is slow by both
    ],
)
def test_the_latency_limit_is_the_largest_that_objectives_and_rules_judge_by(
    objectives: tuple[Objective, ...], rules: tuple[Rule, ...], limit: float | None
) -> None:
    assert latency_limit(JudgePolicy(objectives, rules)) == limit
