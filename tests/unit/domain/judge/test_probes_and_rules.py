"""What `slipway plan suggest` says where a probe or plain rules judge."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.judge.history.planning import needed_s
from bot.domain.judge.history.probes_and_rules import probe_lines, rule_lines
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.judge.rules import parse_rule

ALIVE = JudgePolicy((Objective("errors", "errors", 0.1),), min_requests=10, tick_s=1.0)


def rules(*texts: str, **more: int) -> JudgePolicy:
    return JudgePolicy(rules=tuple(map(parse_rule, texts)), **more)


def test_a_probe_says_what_it_finds_and_how_soon() -> None:
    lines = probe_lines(ALIVE, None, exclusive=True)
    assert (
        lines[0] == "Probes judge here: about 1 probe a second, whatever share of the traffic a release has."
    )
    some, broken = (needed_s(ALIVE, ALIVE.objectives[0], rate, 1.0) for rate in (0.5, 0.99))
    assert broken < some < 120
    assert lines[1] == f"  a release that fails 50% of them is found after about {some:.0f} s"
    assert lines[2] == f"  a release that fails 99% of them is found after about {broken:.0f} s"
    assert lines[3] == "A soak needs 10 probes to pass, which takes 60 s."
    assert "not what fails for some users" in lines[4]
    assert lines[-1] == "Suggested: [{verify: /healthz}, {shift: 100}, {observe: 1m}]"


def test_more_instances_give_more_probes_and_a_shared_lane_a_first_shift() -> None:
    one, four = (probe_lines(ALIVE, looks_s, exclusive=False) for looks_s in (1.0, 4.0))
    assert four[0].startswith("Probes judge here: about 4 probes a second")
    assert four[1] < one[1]
    assert one[-1] == "Suggested: [{verify: /healthz}, {shift: 5}, {soak: 1m}, {shift: 100}, {observe: 30m}]"


def test_too_few_probes_ask_for_a_shorter_tick() -> None:
    rare = replace(ALIVE, tick_s=60.0, objectives=(Objective("errors", "errors", 0.001),), min_requests=100)
    assert probe_lines(rare, None, exclusive=False)[-1] == (
        "No soak within 1 h finds the first: a shorter tick: gives more probes."
    )
    assert probe_lines(rules("health check failing for 30s"), None, exclusive=False) == ()


def test_rules_say_from_which_share_on_they_can_decide() -> None:
    policy = rules("error_rate > 5% over 5m with at least 200 requests", "health check failing for 30s")
    lines = rule_lines(policy, 10.0, exclusive=False)
    assert lines[0] == (
        "This lane has about 10 requests a second."
        " Only plain rules judge here, without a stated chance of a false alarm:"
    )
    assert lines[1].endswith(": from 10% of the traffic on (200 requests in 5 min)")
    assert lines[2] == "  health check failing for 30s: after 30 s, whatever the traffic"
    assert lines[3] == "A soak needs 50 requests to pass, whatever the rules say."
    assert "errors: 1%" in lines[4]
    assert (
        lines[-1] == "Suggested: [{verify: /healthz}, {shift: 10}, {soak: 10m}, {shift: 100}, {observe: 30m}]"
    )
    at_once = rule_lines(policy, 10.0, exclusive=True)
    assert at_once[-1] == "Suggested: [{verify: /healthz}, {shift: 100}, {observe: 10m}]"


def test_a_soak_of_rules_has_the_requests_that_it_needs() -> None:
    policy = rules("any alert firing", min_requests=600)
    assert rule_lines(policy, 1.0, exclusive=True)[1] == "  any alert firing: at once, whatever the traffic"
    assert rule_lines(policy, 1.0, exclusive=True)[-1].endswith("{observe: 10m}]")
    assert rule_lines(policy, 1 / 60, exclusive=True)[-1].startswith("No soak within 1 h has enough requests")


def test_rules_with_too_few_requests_never_decide() -> None:
    lines = rule_lines(rules("error_rate > 5% over 1m"), 1 / 60, exclusive=False)
    assert lines[1] == "  error_rate > 5% over 1m: never (20 requests in 60 s)"
    assert lines[-1].startswith("No share has enough requests for every rule")


def test_of_a_lane_without_a_history_no_soak_is_suggested() -> None:
    lines = rule_lines(rules("error_rate > 5% over 5m"), None, exclusive=False)
    assert lines[0] == "Only plain rules judge here, without a stated chance of a false alarm:"
    assert lines[1] == "  error_rate > 5% over 5m: from 20 requests in 5 min on"
    assert lines[-1] == "How many requests this lane has is not known, so no soak is suggested."


def test_a_policy_that_enforces_nothing_says_so() -> None:
    shown = JudgePolicy(rules=(parse_rule("error_rate > 5% over 5m", enforce=False),))
    assert rule_lines(shown, 10.0, exclusive=False) == (
        "Its policy has no enforced objective and no enforced rule: only checks and time can judge here.",
    )
