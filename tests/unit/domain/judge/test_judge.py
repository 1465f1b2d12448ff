"""What the judge says: when it fails, when it passes, when it waits, and what it remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.judge.evidence.ticks import Signal
from bot.domain.judge.judge import (
    JudgePolicy,
    JudgeState,
    Objective,
    Outcome,
    PolicyError,
    Rule,
    Verdict,
    advance,
    begin,
    begin_soak,
    parse_rule,
    policy_from_json,
    policy_to_json,
    verdict,
)
from bot.domain.judge.policy import Series
from tests.support.rules.judging import COMPARED, ERRORS, SLOW, failures, independent, judged, said, tick

POLICY = independent((ERRORS,), planned_ticks=24, min_requests=50)
HEALTH = parse_rule("health check failing for 10s")


def reason(found: Verdict, name: str) -> str:
    return next(r.sentence for r in found.reasons if r.objective == name)


def test_a_bad_candidate_fails_at_once_and_the_sentence_says_how_bad() -> None:
    found = said(POLICY, [tick(1, (40, 8))])
    assert found.outcome is Outcome.FAIL
    assert reason(found, "errors") == (
        "20% of requests failed (8 of 40), limit 1%: the true rate is at least 4.2%"
    )
    assert found.evidence.m >= found.evidence.needed == 100


def test_two_bad_requests_at_the_start_do_not_end_a_rollout() -> None:
    assert said(POLICY, [tick(1, (2, 2))]).outcome is Outcome.INSUFFICIENT
    assert said(POLICY, [tick(1, (3, 3))]).outcome is Outcome.FAIL


def test_a_long_good_stretch_does_not_outvote_what_comes_after_it() -> None:
    good = [tick(n, (100, 0)) for n in range(1, 21)]
    assert said(POLICY, [*good, tick(21, (100, 9))]).outcome is Outcome.FAIL


def test_a_failure_stays_one() -> None:
    assert (
        said(POLICY, [tick(1, (40, 8)), *(tick(n, (900, 0)) for n in range(2, 30))]).outcome is Outcome.FAIL
    )


def test_enough_measured_time_and_requests_pass() -> None:
    found = said(POLICY, [tick(n, (10, 0)) for n in range(1, 13)])
    assert found.outcome is Outcome.PASS
    assert reason(found, "duration") == "60 s of 60 s measured"
    assert reason(found, "errors") == "0% of requests failed (0 of 120), limit 1%"
    assert (found.evidence.requests, found.evidence.measured_s) == (120, 60.0)


def test_time_that_could_not_be_measured_does_not_count() -> None:
    ticks = [tick(n, (10, 0), errors=("no router",) if n == 6 else ()) for n in range(1, 13)]
    assert said(POLICY, ticks).outcome is Outcome.INSUFFICIENT
    assert said(POLICY, [*ticks, tick(13, (10, 0))]).outcome is Outcome.PASS


def test_no_traffic_is_not_success() -> None:
    found = said(POLICY, [tick(n, (0, 0)) for n in range(1, 30)])
    assert found.outcome is Outcome.INSUFFICIENT
    assert reason(found, "errors") == "no requests yet; at most 1% of requests may fail"


def test_an_observed_rate_above_the_limit_is_in_doubt() -> None:
    found = said(POLICY, [tick(n, (10, 2 if n == 1 else 0)) for n in range(1, 13)])
    assert found.outcome is Outcome.INSUFFICIENT
    assert reason(found, "errors").endswith("limit 1%: above it, not yet beyond chance")


def test_evidence_from_an_earlier_step_keeps_a_soak_in_doubt() -> None:
    policy = replace(POLICY, min_requests=5)
    state = judged(policy, [tick(1, (50, 4))])
    state = judged(policy, [tick(2, (5, 0))], begin_soak(state, 5.0))
    found = verdict(state, policy, soak_required_s=5)
    assert found.outcome is Outcome.INSUFFICIENT
    assert "earlier requests put it in doubt" in reason(found, "errors")


def test_a_new_soak_counts_again_and_the_test_goes_on() -> None:
    state = judged(POLICY, [tick(n, (10, 0)) for n in range(1, 13)])
    again = begin_soak(state, 60.0)
    assert (again.soak.measured_s, again.soak.counts) == (0.0, ((0, 0),))
    assert again.trials == state.trials
    # The look after a soak began reaches back before it; that part is not its time.
    late = advance(begin_soak(state, 63.0), POLICY, tick(13, (1, 0)))
    assert late.soak.measured_s == 2.0


def test_outside_a_soak_nothing_passes_and_a_failure_is_heard() -> None:
    assert said(POLICY, [tick(n, (10, 0)) for n in range(1, 40)], soak_s=None).outcome is Outcome.INSUFFICIENT
    assert said(POLICY, [tick(1, (40, 8))], soak_s=None).outcome is Outcome.FAIL


def test_a_crash_is_a_failure_by_itself_and_stays_one() -> None:
    found = said(POLICY, [tick(1, (0, 0), crashed="web:1 is gone"), tick(2, (100, 0))])
    assert found.outcome is Outcome.FAIL
    assert reason(found, "crash") == "web:1 is gone"


def test_unreadable_sources_wait_for_their_own_limit_then_say_error() -> None:
    down = [tick(n, errors=("cannot reach the router", "nor the metrics")) for n in range(1, 14)]
    assert said(POLICY, down[:11]).outcome is Outcome.INSUFFICIENT
    found = said(POLICY, down[:12])
    assert found.outcome is Outcome.ERROR
    assert reason(found, "sources") == "could not measure for 60 s: cannot reach the router (and 1 more)"
    assert said(POLICY, [*down, tick(14, (5, 0))]).outcome is Outcome.INSUFFICIENT


def test_fail_goes_before_error_and_error_before_insufficient() -> None:
    down = [tick(n, (5, 0), errors=("no router",)) for n in range(2, 16)]
    assert said(POLICY, [tick(1, (40, 8)), *down]).outcome is Outcome.FAIL
    assert said(POLICY, down).outcome is Outcome.ERROR


def test_slow_requests_fail_like_errors_and_the_bucket_is_named() -> None:
    policy = independent((ERRORS, SLOW))
    slow = replace(tick(1, (40, 0), (40, 8)), buckets={"p99": 2.5})
    found = said(policy, [slow])
    assert found.outcome is Outcome.FAIL
    assert "took longer than 2 s (read at the 2.5 s bucket) (8 of 40)" in reason(found, "p99")
    at_limit = replace(slow, buckets={"p99": 2.0})
    assert "took longer than 2 s (8 of 40)" in reason(said(policy, [at_limit]), "p99")


def test_other_proportions_are_named_as_the_team_names_them() -> None:
    policy = JudgePolicy((Objective("login", "proportion", 0.01), SLOW))
    found = said(policy, [tick(1, (40, 8), names=("login",))])
    assert reason(found, "login").startswith("20% of login was bad (8 of 40)")
    assert reason(found, "p99") == "no requests yet; at most 1% of requests may take longer than 2 s"
    assert reason(said(policy, []), "login") == "no requests yet; at most 1% of login may be bad"


def test_what_is_not_enforced_is_shown_without_consequences() -> None:
    policy = JudgePolicy(
        (ERRORS, replace(SLOW, enforce=False)), (parse_rule("error_rate > 5%", enforce=False),)
    )
    ticks = [tick(n, (20, 0), (20, 15)) for n in range(1, 13)]
    found = said(policy, ticks)
    assert found.outcome is Outcome.PASS
    assert {r.objective: (r.outcome, r.enforced) for r in found.reasons}["p99"] == (Outcome.FAIL, False)
    assert policy.tests == 1


def test_alpha_is_shared_by_the_enforced_tests() -> None:
    assert JudgePolicy((ERRORS,)).evidence_needed == 100
    assert JudgePolicy((COMPARED, SLOW)).evidence_needed == 300
    assert JudgePolicy((COMPARED, replace(SLOW, enforce=False, ratio=2.0))).evidence_needed == 200
    assert JudgePolicy().evidence_needed == 100


def test_clusters_need_more_evidence() -> None:
    ticks = [tick(1, (40, 5))]
    assert said(POLICY, ticks).outcome is Outcome.FAIL
    assert said(replace(POLICY, phi=3.0), ticks).outcome is Outcome.INSUFFICIENT


def test_a_burst_is_one_observation_and_further_ones_are_more() -> None:
    policy = JudgePolicy((ERRORS,))
    burst = tick(1, (100, 60))
    calm = [tick(n, (100, 0)) for n in range(2, 30)]
    assert said(policy, [burst, *calm]).outcome is not Outcome.FAIL
    assert said(policy, [burst, tick(2, (100, 60))]).outcome is Outcome.FAIL
    assert said(independent((ERRORS,)), [burst, *calm]).outcome is Outcome.FAIL


def test_ticks_shorter_than_a_block_are_one_observation_together() -> None:
    policy = JudgePolicy((ERRORS,), tick_s=1.0)

    def each_second(rows: list[tuple[int, int]]) -> JudgeState:
        ticks = [replace(tick(0, row), at=float(n), seconds=1.0) for n, row in enumerate(rows, 1)]
        return judged(policy, ticks)

    rows = [(20, 0), (20, 12), (20, 8), (20, 0), (20, 0)]
    together = judged(JudgePolicy((ERRORS,)), [tick(1, (100, 20))])
    state = each_second(rows)
    assert state.blocks == 1 and state.trials[0].log_m == together.trials[0].log_m > 1
    first = each_second(rows[:1])
    assert (first.blocks, first.trials[0].log_m) == (0, 0)


def test_an_open_block_fails_as_soon_as_its_bad_requests_will_suffice_at_its_end() -> None:
    policy = JudgePolicy((ERRORS,), burst_s=20.0)
    every = [tick(n, (100, 100)) for n in range(1, 6)]
    assert said(policy, every[:4]).outcome is not Outcome.FAIL  # one observation, however bad
    assert said(policy, every).outcome is Outcome.FAIL
    few = [*every[:4], tick(5, (100, 3))]
    assert said(policy, few).outcome is not Outcome.FAIL
    state = judged(policy, every)
    assert (state.blocks, state.block_since) == (1, 20.0) and state.trials[0].decided_at == 25.0


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=24))
def test_an_open_block_is_worth_what_it_will_be_if_all_that_is_to_come_is_good(bad: list[int]) -> None:
    policy = JudgePolicy((ERRORS,), burst_s=20.0, planned_ticks=6)

    def log_m(some: list[int]) -> float:
        return judged(policy, [tick(n, (100, one)) for n, one in enumerate(some, 1)]).trials[0].log_m

    complete = bad[: len(bad) // 4 * 4]
    at_its_end = log_m([*bad, *[0] * (-len(bad) % 4)])
    so_far = log_m(complete) if complete else 0.0
    assert log_m(bad) == pytest.approx(at_its_end if bad == complete else max(so_far, at_its_end))


def test_a_block_in_which_traffic_rises_is_expected_to_go_on_so() -> None:
    policy = JudgePolicy((ERRORS,), burst_s=20.0)
    rising = judged(policy, [tick(1, (10, 0)), tick(2, (400, 30))])
    whole = replace(tick(4, (1210, 30)), seconds=20.0)
    assert rising.blocks == 0 and rising.trials[0].log_m > 0
    assert rising.trials[0].log_m == pytest.approx(judged(policy, [whole]).trials[0].log_m)


def test_a_candidate_worse_than_stable_fails_below_the_limit() -> None:
    policy = independent((Objective("errors", "errors", 0.05, ratio=2.0),))
    found = said(policy, [tick(n, (200, 6), stable=(800, 2)) for n in range(1, 6)])
    assert found.outcome is Outcome.FAIL
    assert reason(found, "errors against stable") == (
        "candidate 3% (of 1,000), stable 0.25% (of 4,000): 12 times stable's rate, limit 2 times"
    )
    clean = said(policy, [tick(n, (200, 6), stable=(800, 0)) for n in range(1, 6)])
    assert "stable has none" in reason(clean, "errors against stable")


def test_a_comparison_in_doubt_does_not_pass() -> None:
    policy = independent((Objective("errors", "errors", 0.05, ratio=1.0),), min_requests=10)
    found = said(
        policy, [tick(n, (200, 2 if n < 4 else 0), stable=(800, 1 if n < 3 else 0)) for n in range(1, 13)]
    )
    assert found.outcome is Outcome.INSUFFICIENT
    assert {r.outcome for r in found.reasons if r.objective == "errors"} == {Outcome.PASS}


def test_ticks_without_stable_traffic_are_skipped_by_the_comparison() -> None:
    state = judged(
        JudgePolicy((COMPARED,)), [tick(n, (200, 1), stable=None if n % 2 else (0, 0)) for n in range(1, 9)]
    )
    assert (state.pairs[0].total, state.pairs[0].stable_total) == (0, 0)
    assert abs(state.pairs[0].log_m) < 1e-9


def trouble(number: int, *, candidate: int = 4, stable: int = 40) -> list[object]:
    return [tick(n, (50, candidate), stable=(500, stable)) for n in range(1, number + 1)]


@pytest.mark.parametrize("objective", [ERRORS, COMPARED], ids=["alone", "compared"])
def test_common_trouble_holds_and_says_that_rolling_back_would_not_help(objective: Objective) -> None:
    policy = JudgePolicy((objective,))
    found = said(policy, trouble(6))  # type: ignore[arg-type]
    assert (found.outcome, found.hold) == (Outcome.INSUFFICIENT, True)
    assert "stable breaks it too (8% in the last 3 min): rolling back would not help" in reason(
        found, "errors"
    )


def test_common_trouble_can_be_ignored() -> None:
    policy = JudgePolicy((ERRORS,), on_common_trouble="ignore")
    assert said(policy, trouble(6)).outcome is Outcome.FAIL  # type: ignore[arg-type]


def test_a_candidate_that_is_worse_fails_in_common_trouble_too() -> None:
    assert said(JudgePolicy((ERRORS,)), trouble(12, candidate=20, stable=20)).outcome is Outcome.FAIL  # type: ignore[arg-type]


def test_the_end_of_common_trouble_is_not_held_against_the_candidate() -> None:
    policy = JudgePolicy((ERRORS,))
    after = [tick(n, (50, 0), stable=(500, 1)) for n in range(7, 70)]
    found = said(policy, [*trouble(6), *after[:40]])  # type: ignore[list-item]
    assert (found.outcome, found.hold) == (Outcome.INSUFFICIENT, False)
    state = judged(policy, after, begin_soak(judged(policy, trouble(6)), 30.0))  # type: ignore[arg-type]
    assert verdict(state, policy, soak_required_s=60).outcome is Outcome.PASS


def test_a_stable_above_the_limit_by_chance_only_delays() -> None:
    policy = independent((ERRORS,))
    blip = tick(1, (40, 5), stable=(150, 2))
    found = said(policy, [blip])
    assert (found.outcome, found.hold) == (Outcome.INSUFFICIENT, False)
    assert "beyond chance, but stable is above it too (1.3% in the last 3 min)" in reason(found, "errors")
    assert said(policy, [blip, tick(2, (0, 0), stable=(150, 0))]).outcome is Outcome.FAIL


def test_rules_fail_now_and_recover() -> None:
    policy = JudgePolicy(rules=(HEALTH,))
    bad, fine = {"health": Signal(True, "503 from /health")}, {"health": Signal(False)}
    failing = [tick(n, signals=bad) for n in range(1, 4)]
    found = said(policy, failing)
    assert found.outcome is Outcome.FAIL
    assert reason(found, HEALTH.name) == "health check failing for 10s: yes (503 from /health)"
    assert said(policy, [*failing, tick(4, signals=fine)]).outcome is Outcome.INSUFFICIENT
    visited = [replace(tick(n, signals=fine), requests=5) for n in range(1, 13)]
    assert said(policy, visited).outcome is Outcome.PASS


@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "error_rate > 5% over 5m with at least 200 requests",
            "20% bad (36 of 180); applies from 200 requests",
        ),
        ("error_rate > 5% over 5m for 1m", "20% bad (36 of 180), for 50 s so far"),
        ("health check failing for 1m", "yes, for 55 s so far"),
    ],
)
def test_a_soak_does_not_pass_with_an_enforced_rule_in_doubt(text: str, sentence: str, enforce: bool) -> None:
    rule = parse_rule(text, enforce=enforce)
    failing = {"health": Signal(True)}
    ticks = [
        replace(tick(n, (15, 3), names=(rule.name,), signals=failing), requests=15) for n in range(1, 13)
    ]
    found = said(JudgePolicy(rules=(rule,)), ticks)
    assert (found.outcome, found.hold) == (Outcome.INSUFFICIENT if enforce else Outcome.PASS, False)
    assert reason(found, rule.name) == f"{text}: {sentence}"


@pytest.mark.parametrize(
    "policy",
    [
        JudgePolicy(rules=(parse_rule("error_rate > 5% over 5m"),)),
        JudgePolicy(rules=(HEALTH,), min_requests=0),
        JudgePolicy((replace(ERRORS, enforce=False),)),
        JudgePolicy(),
    ],
    ids=["rules", "signals", "nothing enforced", "nothing"],
)
def test_no_traffic_is_never_a_pass_whatever_the_rules(policy: JudgePolicy) -> None:
    fine = {"health": Signal(False)}
    found = said(policy, [tick(n, (0, 0), signals=fine) for n in range(1, 40)])
    assert found.outcome is Outcome.INSUFFICIENT
    needed = max(1, policy.min_requests)
    assert reason(found, "traffic") == f"no requests yet; {needed} are needed"
    some = [
        replace(tick(n, (0, 0), signals=fine), requests=needed - 1 if n == 1 else 0) for n in range(1, 40)
    ]
    assert said(policy, some).outcome is Outcome.INSUFFICIENT
    state = judged(policy, [*some, replace(tick(40, signals=fine), requests=1)])
    state = JudgeState.from_json(json.loads(json.dumps(state.to_json())))
    assert verdict(state, policy, soak_required_s=60.0).outcome is Outcome.PASS
    again = judged(policy, [tick(n, signals=fine) for n in range(41, 60)], begin_soak(state, 200.0))
    assert verdict(again, policy, soak_required_s=60.0).outcome is Outcome.INSUFFICIENT


def test_a_signal_that_cannot_be_read_is_neither_good_nor_bad() -> None:
    policy = JudgePolicy(rules=(HEALTH,))
    unread = [tick(n, signals={"health": Signal(None, "connection refused")}) for n in range(1, 20)]
    found = said(policy, unread)
    assert found.outcome is Outcome.ERROR
    assert reason(found, "sources").endswith("connection refused")
    missing = said(policy, [tick(1)])
    assert reason(missing, "sources").endswith(f"no data for the rule '{HEALTH.name}'")


def test_a_state_of_another_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="another policy"):
        advance(begin(POLICY), JudgePolicy((ERRORS, SLOW)), tick(1))
    with pytest.raises(ValueError, match="another policy"):
        advance(begin(POLICY), replace(POLICY, rules=(HEALTH,)), tick(1))


@pytest.mark.parametrize("policy", [POLICY, JudgePolicy(rules=(HEALTH,))], ids=["objectives", "rules"])
def test_no_verdict_is_given_on_a_state_of_another_policy(policy: JudgePolicy) -> None:
    with pytest.raises(ValueError):
        verdict(begin(policy), JudgePolicy(), soak_required_s=60.0)


def test_what_a_tick_left_behind_is_stored() -> None:
    ticks = [tick(1, (10, 1), stable=(90, 2)), tick(2, errors=("down",), crashed="a was replaced by b")]
    state = judged(POLICY, [ticks[0], replace(ticks[1], buckets={"errors": 2.5})])
    assert (state.crashed, state.errors, state.error_since) == ("a was replaced by b", ("down",), 5.0)
    assert JudgeState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7"):
        JudgeState.from_json({"version": 7})


SPANS = "tick_s and recent_s must be above 0 s, error_limit_s and settle_s at least 0 s"
TIME_LIMIT = "objective e: latency objectives need a time limit, and no others take one"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Objective("e", "errors", 1.0), "objective e: limit must be between 0 and 100%, not 1"),
        (lambda: Objective("e", "errors", 0.0), "objective e: limit must be between 0 and 100%, not 0"),
        (
            lambda: Objective("e", "speed", 0.1),  # type: ignore[arg-type]
            "objective e: kind must be errors, latency or proportion, not 'speed'",
        ),
        (lambda: Objective("e", "latency", 0.1), TIME_LIMIT),
        (lambda: Objective("e", "errors", 0.1, 2.0), TIME_LIMIT),
        (lambda: Objective("e", "latency", 0.1, 0.0), "objective e: the time limit must be above 0 s"),
        (
            lambda: Objective("e", "errors", 0.1, ratio=0.0),
            "objective e: the ratio to stable must be above 0",
        ),
        (lambda: JudgePolicy(alpha=0.0), "alpha must be between 0 and 1, not 0"),
        (lambda: JudgePolicy(alpha=1.0), "alpha must be between 0 and 1, not 1"),
        (lambda: JudgePolicy(burst_s=0.0), "burst_s must be above 0 s"),
        (lambda: JudgePolicy(phi=0.5), "phi (requests that fail together) must be at least 1, not 0.5"),
        (lambda: JudgePolicy(planned_ticks=0), "planned_ticks must be at least 1"),
        (lambda: JudgePolicy(tick_s=0.0), SPANS),
        (lambda: JudgePolicy(recent_s=0.0), SPANS),
        (lambda: JudgePolicy(error_limit_s=-1.0), SPANS),
        (lambda: JudgePolicy(settle_s=-1.0), SPANS),
        (
            lambda: JudgePolicy(on_common_trouble="shrug"),  # type: ignore[arg-type]
            "on_common_trouble must be hold or ignore, not 'shrug'",
        ),
        (
            lambda: JudgePolicy(on_sick_instance="shrug"),  # type: ignore[arg-type]
            "on_sick_instance must be hold or ignore, not 'shrug'",
        ),
        (lambda: JudgePolicy(on_restart="shrug"), "on_restart must be fail or ignore, not 'shrug'"),  # type: ignore[arg-type]
        (lambda: JudgePolicy((ERRORS, ERRORS)), "two objectives or rules are called 'errors'"),
        (
            lambda: JudgePolicy((SLOW, ERRORS), (Rule("p99", "error_rate"), Rule("errors", "error_rate"))),
            "two objectives or rules are called 'errors'",
        ),
        (lambda: policy_from_json({"version": 2}), "the stored policy has version 2; this Slipway reads 1"),
    ],
)
def test_a_policy_that_cannot_be_judged_by_is_refused_with_a_sentence(make: object, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        make()  # type: ignore[operator]
    assert str(refused.value) == said


def test_a_stored_policy_with_a_field_that_is_not_known_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"^the stored policy cannot be read: .*colour"):
        policy_from_json({"version": 1, "colour": "red"})


def test_a_policy_at_its_bounds_is_taken() -> None:
    edge = JudgePolicy(phi=1.0, planned_ticks=1, error_limit_s=0.0, settle_s=0.0, tick_s=0.1, recent_s=0.1)
    assert (edge.settling_s, JudgePolicy().settling_s, JudgePolicy((SLOW,)).settling_s) == (0.0, 1.0, 2.0)
    assert policy_from_json(policy_to_json(edge)) == edge
    assert Objective("e", "latency", 0.1, 0.1, ratio=0.1).ratio == 0.1


def test_a_policy_names_what_is_to_be_read_and_how_much_evidence_it_needs() -> None:
    logins = Objective("logins", "proportion", 0.1, ratio=2.0, series="failed logins", min_requests=3)
    watched = Objective("watched", "latency", 0.1, 9.0, enforce=False, ratio=2.0)
    rules = (
        Rule("rate", "error_rate"),
        Rule("p50", "latency", limit=0.25, quantile=0.5),
        Rule("carts", "proportion", subject="lost carts"),
        Rule("own", "proportion"),
        HEALTH,
    )
    policy = JudgePolicy((ERRORS, SLOW, logins, watched), rules)
    assert policy.series == (
        Series("errors", "errors", 0.0, "errors"),
        Series("p99", "latency", 2.0, "p99"),
        Series("logins", "proportion", 0.0, "failed logins"),
        Series("watched", "latency", 9.0, "watched"),
        Series("rate", "errors"),
        Series("p50", "latency", 0.25),
        Series("carts", "proportion", 0.0, "lost carts"),
        Series("own", "proportion", 0.0, "own"),
    )
    assert (policy.latency_limit_s, policy.tests, policy.evidence_needed) == (9.0, 4, 400.0)
    assert (policy.floor(ERRORS), policy.floor(logins)) == (50, 3)


objectives = st.builds(
    Objective,
    name=st.just("errors"),
    kind=st.just("errors"),
    limit=st.floats(0.0005, 0.4),
    enforce=st.booleans(),
    ratio=st.none() | st.floats(0.5, 4.0),
    min_requests=st.none() | st.integers(0, 80),
)
policies = st.builds(
    JudgePolicy,
    objectives=st.tuples(objectives) | st.just((ERRORS, replace(SLOW, ratio=2.0))),
    rules=st.just(()) | st.just((HEALTH, parse_rule("error_rate > 50% over 5m"))),
    alpha=st.floats(0.001, 0.2),
    phi=st.none() | st.floats(1.0, 5.0),
    burst_s=st.floats(1.0, 40.0),
    planned_ticks=st.integers(1, 40),
    on_common_trouble=st.sampled_from(["hold", "ignore"]),
    on_sick_instance=st.sampled_from(["hold", "ignore"]),
)
ticks_ = st.lists(
    st.tuples(
        st.integers(0, 60), st.floats(0, 1), st.integers(0, 60), st.floats(0, 1), st.booleans(), st.booleans()
    ),
    max_size=30,
)


def told(rows: list[tuple[int, float, int, float, bool, bool]]) -> list[object]:
    return [
        tick(
            number,
            (total, round(total * bad**4)),
            (total, round(total * bad**6)),
            stable=(beside, round(beside * worse**4)),
            errors=("no router",) if broken else (),
            signals={"health": Signal(sick)},
        )
        for number, (total, bad, beside, worse, broken, sick) in enumerate(rows, 1)
    ]


@settings(deadline=None)
@given(policies, ticks_)
def test_everything_survives_storage_and_goes_on_the_same(policy: JudgePolicy, rows: list[object]) -> None:
    stored = policy_from_json(json.loads(json.dumps(policy_to_json(policy))))
    assert stored == policy
    state = begin_soak(begin(policy), 0.0)
    for one in told(rows):  # type: ignore[arg-type]
        again = JudgeState.from_json(json.loads(json.dumps(state.to_json())))
        assert again == state
        state = advance(again, stored, one)  # type: ignore[arg-type]
        found = verdict(state, policy, soak_required_s=60.0)
        assert Verdict.from_json(json.loads(json.dumps(found.to_json()))) == found


@settings(deadline=None)
@given(policies, ticks_, st.floats(0, 200))
def test_what_passes_has_measured_its_time_and_its_requests_and_nothing_else_speaks(
    policy: JudgePolicy, rows: list[object], soak_s: float
) -> None:
    ticks = told(rows)
    state = judged(policy, ticks)  # type: ignore[arg-type]
    found = verdict(state, policy, soak_required_s=soak_s)
    binding = [r.outcome for r in found.reasons if r.enforced]
    order = [Outcome.FAIL, Outcome.ERROR, Outcome.INSUFFICIENT, Outcome.PASS]
    assert found.outcome is min(binding, key=order.index)
    if found.outcome is Outcome.PASS:
        measured = [t for t in ticks if not t.errors]  # type: ignore[attr-defined]
        assert len(measured) * 5.0 >= soak_s - 1e-3
        assert not found.hold
        for objective, (total, bad) in zip(policy.objectives, state.soak.counts, strict=True):
            if objective.enforce:
                assert total >= max(1, policy.floor(objective))
                assert bad <= objective.limit * total
    if found.outcome is Outcome.FAIL and not policy.rules:
        assert any(t.bad >= policy.min_bad for t in state.trials + state.pairs)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 80), st.integers(0, 5)), min_size=1, max_size=20), st.data())
def test_one_more_bad_request_never_weakens_the_evidence(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    rows = [(total, min(bad, total)) for total, bad in rows]
    where = data.draw(st.integers(0, len(rows) - 1))
    worse = [(n, min(n, b + 1)) if i == where else (n, b) for i, (n, b) in enumerate(rows)]
    policy = JudgePolicy((ERRORS,), planned_ticks=10)
    less, more = (judged(policy, [tick(i, row) for i, row in enumerate(r, 1)]) for r in (rows, worse))
    assert more.trials[0].log_m >= less.trials[0].log_m - 1e-9


@pytest.mark.simulation
def test_good_soaks_at_the_limit_itself_are_not_accused() -> None:
    random, policy, accused = Random(3), JudgePolicy((ERRORS,), planned_ticks=24), 0
    for _ in range(300):
        ticks = [tick(n, (20, failures(random, 20, 0.01))) for n in range(1, 25)]
        accused += said(policy, ticks).outcome is Outcome.FAIL
    assert accused <= 3
