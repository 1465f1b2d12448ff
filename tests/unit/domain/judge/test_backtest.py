"""The judge replayed on a lane's own history, and the soaks that its traffic needs."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from random import Random

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.backtest import Backtest, Fault, RuleAlarms, backtest, why_not
from bot.domain.judge.history.dependence import calibrated
from bot.domain.judge.history.planning import SHARES, needed_s, strictest, suggested
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy
from bot.domain.judge.rules import parse_rule
from tests.support.rules.judging import ERRORS, SLOW
from tests.support.rules.served import in_runs, independent, ticks_of

POLICY = JudgePolicy((ERRORS,))


def replayed(
    bad: list[int], share: float = 0.25, replays: int = 60, policy: JudgePolicy = POLICY
) -> Backtest:
    ticks = ticks_of(bad)
    found = backtest(calibrated(policy, ticks, 20 * share), ticks, share, replays=replays)
    assert found is not None
    return found


def test_good_history_has_no_false_alarms_and_larger_faults_are_found_sooner() -> None:
    found = replayed(independent(Random(1)))
    assert (found.alarms, found.replays, found.history_s, found.plan_s) == (0, 60, 3600.0, 600.0)
    by_rate = {fault.rate: fault.found_s for fault in found.faults}
    assert set(by_rate) == {0.02, 0.05, 0.10}
    assert by_rate[0.10] is not None and by_rate[0.05] is not None and by_rate[0.10] < by_rate[0.05] < 120


def test_bursts_that_come_whole_raise_no_false_alarms_once_they_are_measured() -> None:
    bad = in_runs(Random(2), 8, 0.009)
    assert replayed(bad).alarms == 0
    one_by_one = replace(POLICY, phi=1.0)
    ticks = ticks_of(bad)
    found = backtest(one_by_one, ticks, 0.25, replays=60)
    assert found is not None and found.alarms > 20 and found.too_many


def test_a_smaller_share_of_the_traffic_takes_longer() -> None:
    bad = independent(Random(3))
    small, large = ({f.rate: f.found_s or inf for f in replayed(bad, share).faults} for share in (0.02, 0.5))
    assert all(small[rate] > large[rate] for rate in small)


def test_the_same_seed_gives_the_same_result() -> None:
    ticks = ticks_of(independent(Random(4)))
    assert backtest(POLICY, ticks, 0.1, replays=10) == backtest(POLICY, ticks, 0.1, replays=10)


def test_by_default_it_is_replayed_300_times() -> None:
    ticks = ticks_of(independent(Random(4)))
    found = backtest(POLICY, ticks, 0.1)
    assert found is not None and found.replays == 300
    assert found == backtest(POLICY, ticks, 0.1, replays=300, seed=1)


def test_only_measurements_of_about_the_planned_length_are_replayed() -> None:
    """Half a tick more or less will do."""
    good = ticks_of([0] * 400)
    for seconds, taken in ((2.4, 400), (2.5, 500), (7.5, 500), (7.6, 400)):
        more = ticks_of([0] * 100, seconds=seconds, start=2000.0)
        found = backtest(POLICY, [*good, *more], 0.1, replays=2)
        assert found is not None and found.history_s == taken * 5.0


def test_360_measurements_are_enough() -> None:
    found = backtest(POLICY, ticks_of([0] * 360), 0.1, replays=2)
    assert found is not None and (found.history_s, found.share) == (1800.0, 0.1)


@pytest.mark.parametrize(("planned", "burst_s", "plan_s"), [(1, 5.0, 5.0), (3, 5.0, 15.0), (3, 20.0, 60.0)])
def test_a_replay_is_as_long_as_the_plan(planned: int, burst_s: float, plan_s: float) -> None:
    policy = replace(POLICY, planned_ticks=planned, burst_s=burst_s)
    found = backtest(policy, ticks_of([0] * 400), 0.1, replays=2)
    assert found is not None and found.plan_s == plan_s


def test_what_rises_is_the_rate_of_errors() -> None:
    """The first objective is another one; a limit of 50% on errors hides the rise."""
    ticks = [
        replace(tick, counts=dict.fromkeys(("p99", "errors"), tick.counts["errors"]))
        for tick in ticks_of([0] * 400)
    ]
    for errors, is_found in ((ERRORS, True), (replace(ERRORS, limit=0.5), False)):
        found = backtest(JudgePolicy((SLOW, errors)), ticks, 0.25, replays=2)
        assert found is not None and (found.faults[-1].found_s is not None) is is_found


def test_too_little_history_or_nothing_to_judge_gives_none() -> None:
    assert backtest(POLICY, ticks_of(independent(Random(1), count=359)), 0.1) is None
    assert backtest(POLICY, ticks_of(independent(Random(1), 0.005, 400), seconds=60.0), 0.1) is None
    assert backtest(JudgePolicy(), ticks_of(independent(Random(1))), 0.1) is None


def test_false_alarms_of_plain_rules_are_counted_and_named() -> None:
    tiny, generous = map(
        parse_rule, ("error_rate > 1% over 1m", "error_rate > 5% over 5m with at least 200 requests")
    )
    bad = independent(Random(6), 0.005)
    found = replayed(bad, policy=replace(POLICY, rules=(tiny, generous)))
    assert found.alarms > 20 and found.too_many
    assert found.rules == (RuleAlarms(tiny.name, found.alarms), RuleAlarms(generous.name, 0))
    assert (
        f"{found.alarms} false alarms ({found.alarms} by the rule error_rate > 1% over 1m) in"
        in found.sentence()
    )
    shown = replace(POLICY, rules=(replace(tiny, enforce=False), generous))
    assert replayed(bad, policy=shown).rules == (RuleAlarms(generous.name, 0),)
    assert replayed(bad, policy=shown).alarms == 0


def test_a_policy_of_rules_alone_is_replayed_and_finds_faults() -> None:
    rules = JudgePolicy(rules=(parse_rule("error_rate > 3% over 1m"),))
    found = backtest(rules, ticks_of(independent(Random(7))), 0.5, replays=20)
    assert found is not None and found.alarms == 0
    assert found.faults[-1].found_s is not None and found.faults[-1].found_s <= 60


def test_an_objective_and_a_rule_count_the_same_requests() -> None:
    same = replace(POLICY, rules=(parse_rule("error_rate > 50% over 5m"),))
    ticks = ticks_of(independent(Random(8)))
    without, with_rule = (backtest(policy, ticks, 0.25, replays=20) for policy in (POLICY, same))
    assert without is not None and with_rule is not None
    assert with_rule.faults == without.faults


def test_rules_that_the_history_says_nothing_of_are_named() -> None:
    rules = ("p99 > 5s for 2m", "gateway disconnected for 2m", "error_rate > 50% over 5m")
    found = replayed(independent(Random(1)), policy=replace(POLICY, rules=tuple(map(parse_rule, rules))))
    assert found.left_out == rules[:2] and [each.rule for each in found.rules] == [rules[2]]
    assert found.sentence().endswith(
        " Not in that history, so not replayed: p99 > 5s for 2m; gateway disconnected for 2m."
    )


def test_a_candidate_with_all_of_the_traffic_is_replayed_without_a_stable() -> None:
    random = Random(2)
    both = independent(random, count=240) + independent(random, 0.08, 120) + independent(random, count=360)
    rule = replace(POLICY, objectives=(), rules=(parse_rule("error_rate > 5% over 1m"),))
    beside, alone = (backtest(rule, ticks_of(both), share, replays=40) for share in (0.5, 1.0))
    assert beside is not None and alone is not None
    assert alone.alarms > 5 > beside.alarms  # beside stable, common trouble acquits
    assert alone.sentence().startswith("With 100% of this lane's traffic")


def test_why_nothing_can_be_replayed_is_said() -> None:
    ticks = ticks_of(independent(Random(1)))
    assert why_not(POLICY, ticks, 0.1) == ""
    assert why_not(JudgePolicy(), ticks, 0.1) == "its policy has no objective and no rule on requests"
    signals = JudgePolicy(rules=(parse_rule("health check failing for 30s"),))
    assert why_not(signals, ticks, 0.1) == "its policy has no objective and no rule on requests"
    assert why_not(POLICY, ticks, None) == "its plan shifts no traffic"
    assert why_not(POLICY, (), 0.1) == "nothing that it served was counted in the last 24 h"
    assert why_not(POLICY, ticks[:120], 0.1) == (
        "only 10 min of its history can be used, and 30 min of stable are needed"
    )
    slow = [ServedTick(tick.at, 5.0, {"latency>9s": Counts(10, 0)}) for tick in ticks]
    assert why_not(POLICY, slow, 0.1).startswith("only 0 s of its history")


def test_a_plan_longer_than_half_of_the_history_is_replayed_in_part() -> None:
    found = backtest(replace(POLICY, planned_ticks=721), ticks_of(independent(Random(1))), 0.1, replays=5)
    assert found is not None and found.plan_s == 1800.0


def test_much_traffic_is_shared_out_as_well() -> None:
    many = [ten * 100 for ten in independent(Random(5))]
    ticks = [
        replace(tick, counts={"errors": replace(tick.counts["errors"], total=10_000)})
        for tick in ticks_of(many)
    ]
    found = backtest(POLICY, ticks, 0.1, replays=20)
    assert found is not None and found.alarms == 0 and found.faults[-1].found_s is not None


def test_it_is_said_in_a_sentence() -> None:
    faults = (Fault(0.02, None), Fault(0.05, 60.0), Fault(0.1, 15.0))
    found = Backtest(300, 0, faults, 0.05, 86_400.0, 600.0)
    assert found.sentence() == (
        "With 5% of this lane's traffic, a rise of errors by 5% in about 60 s, 10% in about 15 s is found;"
        " one by 2% is mostly not found within 10 min. 0 false alarms in 300 replays of this lane's own"
        " history, 24 h of stable."
    )
    assert (
        "one by 2% or 5% is mostly not"
        in replace(found, faults=(Fault(0.02, None), Fault(0.05, None), Fault(0.1, 5.0))).sentence()
    )
    nothing = replace(found, faults=(Fault(0.02, None),), alarms=1).sentence()
    assert nothing.startswith(
        "With 5% of this lane's traffic, a rise of errors by 2% is mostly not found within 10 min. 1 false alarm in"
    )


@pytest.mark.parametrize(
    ("alarms", "replays", "too_many"), [(1, 50, False), (2, 50, True), (3, 300, False), (4, 300, True)]
)
def test_a_single_false_alarm_is_no_finding(alarms: int, replays: int, too_many: bool) -> None:
    assert Backtest(replays, alarms, (), 0.1, 3600.0, 600.0).too_many is too_many


def test_soaks_are_as_long_as_the_traffic_needs() -> None:
    found = suggested(POLICY, 20.0)
    assert found is not None and found.rate == 0.05 and [soak.share for soak in found.soaks] == list(SHARES)
    needed = [soak.needed_s for soak in found.soaks]
    assert needed == sorted(needed, reverse=True)
    assert [soak.share for soak in found.steps] == [0.05, 0.25]
    lines = found.lines()
    assert lines[0] == "This lane has about 20 requests a second. To find an error rate of 5%:"
    assert lines[-1].startswith("Suggested: [{verify: /healthz}, {shift: 5}, {soak: ")


def test_the_strictest_enforced_objective_says_how_long_soaks_are() -> None:
    watched, strict, loose = (
        replace(ERRORS, name="watched", limit=0.001, enforce=False),
        replace(ERRORS, name="strict", limit=0.01),
        replace(ERRORS, name="loose", limit=0.05),
    )
    for order in ((watched, strict, loose), (loose, watched, strict)):
        assert strictest(JudgePolicy(order)) is strict
    assert strictest(JudgePolicy((watched,))) is None


def test_a_request_a_minute_cannot_be_judged_by_its_errors() -> None:
    found = suggested(POLICY, 1 / 60)
    assert found is not None and found.steps == ()
    assert found.lines()[0].startswith("This lane has about 1 request a minute.")
    assert (
        found.lines()[-1]
        == "No share gives the evidence within 1 h: only checks, signals and time can judge here."
    )


def test_the_needed_time_is_bounded_by_floor_and_limit() -> None:
    assert needed_s(POLICY, ERRORS, 0.01, 20.0) == needed_s(POLICY, ERRORS, 0.05, 0.0) == inf
    assert needed_s(replace(POLICY, min_requests=6000), ERRORS, 0.5, 10.0) == 600.0
    one_by_one = needed_s(replace(POLICY, phi=1.0), ERRORS, 0.05, 5.0)
    assert one_by_one < needed_s(replace(POLICY, phi=3.0), ERRORS, 0.05, 5.0)
    assert suggested(JudgePolicy((replace(SLOW, enforce=False),)), 20.0) is None
    given = suggested(POLICY, 20.0, rate=0.1)
    assert given is not None and given.rate == 0.1
