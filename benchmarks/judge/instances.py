"""Sick instances of a candidate: how often equal ones are called sick, and how soon a sick one is found.

5 requests a second on all instances together, a plan of 10 minutes, ticks of 5 s, a limit of 1%. Equal instances fail
0.9% of their requests each, a sick one so many that the candidate as a whole fails 0.9%, and the others 0.05%: a
candidate that keeps its limit. Users who are broken fail all of their 20 requests, one every 3 s, on one instance; the
judge that has the lane's history takes a minute as one event there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf
from random import Random
from statistics import fmean

from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Retries, Runs, Visits
from benchmarks.judge.traffic.scenario import LIMIT, TICK_S
from benchmarks.report import Row, show
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.judge import JudgePolicy, Objective
from bot.domain.judge.statistics.instances import Instances, advance_instances, sick

PLAN_S, RPS = 600, 5.0
RATE, WELL = 0.009, 0.0005
POLICY = JudgePolicy((Objective("errors", "errors", LIMIT),), planned_ticks=PLAN_S // TICK_S)
MEASURED = replace(POLICY, burst_s=60.0, planned_ticks=PLAN_S // 60)
INSTANCES = (2, 4, 10)
USERS = Visits(20, 3)
KINDS: dict[str, Failures] = {
    "independent": INDEPENDENT,
    "in runs of 8": Runs(8),
    "retried after 1, 2, 4, 8 s": Retries(),
    "bad users, 8 requests": Visits(8, 1),
}


def ticks(random: Random, rates: Sequence[float], failures: Failures) -> Iterator[Tick]:
    """Ticks of a plan in which each instance has an equal part of the requests, and fails at its own rate."""
    rps = [RPS / len(rates)] * PLAN_S
    each = [failures.serve(random, rps, [rate] * PLAN_S) for rate in rates]
    for end in range(TICK_S, PLAN_S + 1, TICK_S):
        did = [instance[end - TICK_S : end] for instance in each]
        counts = [Counts(sum(n for n, _ in one), sum(b for _, b in one)) for one in did]
        yield Tick(float(end), float(TICK_S), {}, instances={f"i{n}": c for n, c in enumerate(counts)})


def first_sick(ticks: Iterable[Tick], policy: JudgePolicy = POLICY) -> tuple[float, list[str]]:
    """Second at which an instance is first called sick, and which are then; inf for never."""
    state = Instances()
    for tick in ticks:
        state = advance_instances(state, policy, tick)
        if ill := sick(state, policy):
            return tick.at, [one.name for one in ill]
    return inf, []


def _alarms(runs: int, instances: int, failures: Failures, policy: JudgePolicy = POLICY) -> float:
    """Share of plans in which one of equal instances is called sick, in per cent."""
    plans = (ticks(Random(seed), [RATE] * instances, failures) for seed in range(runs))
    return 100 * sum(first_sick(plan, policy)[0] < inf for plan in plans) / runs


def run(quick: bool = False) -> list[Row]:
    """False alarms by kind of failure, bad users with and without history, and the time to find 1 of 2, 4, 10."""
    runs, rows = 12 if quick else 300, []
    for name, failures in KINDS.items():
        shares = [_alarms(runs, instances, failures) for instances in INSTANCES]
        said = "/".join(f"{share:.1f}" for share in shares)
        goal, worst = 100 * POLICY.alpha, max(shares)
        rows.append(
            Row(
                f"equal instances called sick, {name}: of 2/4/10 {said}%",
                worst,
                "%",
                goal="<= 1%",
                ok=worst <= goal,
            )
        )
    for name, policy in (("no history", POLICY), ("history measured", MEASURED)):
        shares = [_alarms(runs, instances, USERS, policy) for instances in INSTANCES]
        said = "/".join(f"{share:.1f}" for share in shares)
        rows.append(
            Row(f"bad users stay on an instance for a minute, {name}: of 2/4/10 {said}%", fmean(shares), "%")
        )
    for instances in INSTANCES:
        rates = [RATE * instances, *[WELL] * (instances - 1)]
        found = [first_sick(ticks(Random(seed), rates, INDEPENDENT))[0] for seed in range(runs // 3)]
        known = [at for at in found if at < inf]
        missed = 100 - 100 * len(known) / len(found)
        rows.append(
            Row(f"1 of {instances} sick, {missed:.0f}% missed: found after", fmean(known or [inf]), "s")
        )
    return rows


if __name__ == "__main__":
    show(run(), __doc__ or "")
