"""Whether a plan's soaks can find a bad release with the traffic that a lane has."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from bot.domain.judge.history.planning import needed_s
from bot.domain.judge.judge import JudgePolicy, Objective
from bot.domain.rollout.model import Lane, Plan
from bot.domain.rollout.soaks import short_soaks
from bot.domain.rollout.steps import Observe, Shift, Soak
from tests.support.rules.judging import ERRORS

POLICY = JudgePolicy((ERRORS,), phi=1.0)
RATE = 5 * ERRORS.limit


def plan(*steps: tuple[int, float]) -> Plan:
    return Plan("p", tuple(step for weight, soak_s in steps for step in (Shift(weight), Soak(soak_s))))


def test_soaks_that_find_it_in_time_are_long_enough() -> None:
    need_s = needed_s(POLICY, ERRORS, RATE, 1.0)
    assert short_soaks(plan((5, need_s)), POLICY, 20.0) is None
    short = short_soaks(plan((5, need_s - 1)), POLICY, 20.0)
    assert short is not None
    assert (short.share, short.rate, short.given_s) == (0.05, RATE, need_s - 1)
    assert short.needed_s == pytest.approx(need_s)


def test_soaks_add_up_by_their_shares_and_the_one_at_full_weight_comes_too_late() -> None:
    need_s = needed_s(POLICY, ERRORS, RATE, 1.0)
    assert short_soaks(plan((5, need_s / 2), (10, need_s / 4)), POLICY, 20.0) is None
    assert short_soaks(plan((5, need_s / 2), (10, need_s / 5)), POLICY, 20.0) is not None
    late = Plan("p", (*plan((5, need_s / 2)).steps, Shift(100), Observe(9 * need_s)))
    assert short_soaks(late, POLICY, 20.0) is not None
    alone = Plan("p", (Shift(100), Observe(need_s)))
    assert short_soaks(alone, POLICY, 1.0) is None
    assert short_soaks(alone, POLICY, 0.5) is not None


def test_without_traffic_soak_or_objective_nothing_is_said() -> None:
    short = plan((5, 1.0))
    assert short_soaks(short, POLICY) is None and short_soaks(short, POLICY, 0.0) is None
    assert short_soaks(Plan("p", (Shift(100),)), POLICY, 1.0) is None
    watched = JudgePolicy((Objective("errors", "errors", 0.01, enforce=False),))
    assert short_soaks(short, watched, 1.0) is None
    assert short_soaks(short, replace(POLICY, requests_s=1.0)) == short_soaks(short, POLICY, 1.0) is not None


def test_the_sentence_says_what_is_missing_and_who_knows_better() -> None:
    short = short_soaks(plan((5, 600.0)), POLICY, 0.2)
    assert short is not None
    assert short.sentence(Lane("checkout", "production")) == (
        "This lane has about 12 requests a minute. A release that fails 5% of them is found after about 4 h 39 min with"
        " 5% of the traffic, and the plan soaks for 10 min. `slipway plan suggest checkout production` shows soaks that"
        " fit."
    )
    never = replace(short, needed_s=inf)
    assert "A release that fails 5% of them is never found with 5%" in never.sentence(
        Lane("checkout", "production")
    )
