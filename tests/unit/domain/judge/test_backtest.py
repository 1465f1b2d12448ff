"""The judge replayed on a lane's own history, and the soaks that its traffic needs."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from random import Random

import pytest

from bot.domain.judge.history.backtest import Backtest, Fault, backtest
from bot.domain.judge.history.dependence import calibrated
from bot.domain.judge.history.planning import SHARES, needed_s, suggested
from bot.domain.judge.policy import JudgePolicy
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


def test_too_little_history_or_nothing_to_judge_gives_none() -> None:
    assert backtest(POLICY, ticks_of(independent(Random(1), count=359)), 0.1) is None
    assert backtest(POLICY, ticks_of(independent(Random(1), 0.005, 400), seconds=60.0), 0.1) is None
    assert backtest(JudgePolicy(), ticks_of(independent(Random(1))), 0.1) is None


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
        " one by 2% is mostly not found within 10 min. 0 false alarms in 300 replays of 24 h of stable."
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
