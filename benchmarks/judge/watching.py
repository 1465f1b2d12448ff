"""The rules that lanes are watched by: alerts on healthy traffic, and how soon a sick service is told.

Healthy lanes have 20 requests a second, of which 0.5% fail, with a limit of 1%: half of their error budget. A week of
each kind of failure is played, after half a week that is not counted. A sick lane fails half of its requests from some
second of a tick on, after an hour in which it was well. The time that reading and posting take is not part of it:
`tests/e2e/test_alerts.py` prints the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from benchmarks.judge.traffic.requests import INDEPENDENT, Failures, Retries, Runs, Visits
from benchmarks.report import Row, show
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.rules import WatchState, advance_watch

LIMIT, RATE, RPS, TICK_S = 0.01, 0.005, 20.0, 5
DAY_S = 86_400
POLICY = JudgePolicy((Objective("errors", "errors", LIMIT),))
RULES = tuple(rule for rule in default_rules(POLICY) if rule.after_deploy_s is None)
KINDS: dict[str, Failures] = {
    "independent": INDEPENDENT,
    "in runs of 8": Runs(8),
    "retried after 1, 2, 4, 8 s": Retries(),
    "bad users, 8 requests": Visits(8, 1),
    "bad users, 20 requests, one every 3 s": Visits(20, 3),
}
GOAL_S = 15.0


def ticks(random: Random, failures: Failures, seconds: int, rate: float, rps: float) -> Iterator[ServedTick]:
    """Ticks of traffic that fails at this rate, drawn an hour at a time."""
    for began in range(0, seconds, 3600):
        served = failures.serve(random, [rps] * 3600, [rate] * 3600)
        for end in range(TICK_S, 3601, TICK_S):
            did = served[end - TICK_S : end]
            counts = Counts(sum(n for n, _ in did), sum(b for _, b in did))
            yield ServedTick(float(began + end), float(TICK_S), {"errors": counts})


def alarms(seed: int, failures: Failures, days: float) -> Counter[Severity]:
    """How often each severity was told in so many days, after half as many that are not counted."""
    state, told = WatchState(), Counter[Severity]()
    warm_s = days * DAY_S / 2
    for tick in ticks(Random(seed), failures, round(1.5 * days * DAY_S), RATE, RPS):
        state, news = advance_watch(RULES, state, tick)
        told.update(said.rule.severity for said in news if said.firing and tick.at > warm_s)
    return told


def delay_s(seed: int, rps: float) -> float:
    """Seconds from when half of the requests fail until a rule fires, at the end of a tick."""
    random = Random(seed)
    sick_at = 3600 + random.uniform(0, TICK_S)
    state = WatchState()
    for tick in ticks(random, INDEPENDENT, 3600, RATE, rps):
        state, _ = advance_watch(RULES, state, tick)
    at = 3600
    while not state.firing:
        at += TICK_S
        total = bad = 0
        for _ in range(round(rps * TICK_S)):
            share = 0.5 if at - random.uniform(0, TICK_S) > sick_at else RATE
            total, bad = total + 1, bad + (random.random() < share)
        state, _ = advance_watch(
            RULES, state, ServedTick(float(at), float(TICK_S), {"errors": Counts(total, bad)})
        )
    return at - sick_at


def run(quick: bool = False) -> list[Row]:
    """Alerts that call people a week, by kind of failure, and delays by rate of requests."""
    days, lanes, runs = (0.25, 1, 10) if quick else (7.0, 1, 200)
    rows = []
    for name, failures in KINDS.items():
        told: Counter[Severity] = sum((alarms(seed, failures, days) for seed in range(lanes)), Counter())
        calls = told[Severity.CRITICAL] + told[Severity.HIGH]
        others = sum(told.values()) - calls
        rows.append(
            Row(
                f"healthy traffic, {name}: calls in {days:g} days ({others} notices)",
                float(calls),
                "",
                goal="0",
                ok=calls == 0,
            )
        )
    for rps in (20.0, 5.0, 1.0):
        delays = sorted(delay_s(seed, rps) for seed in range(runs))
        worst = delays[-1]
        goal = {"goal": f"< {GOAL_S:g} s", "ok": worst < GOAL_S} if rps == RPS else {}
        rows.append(
            Row(
                f"half of {rps:g} requests a second fail: told after, median {delays[len(delays) // 2]:.1f} s, worst",
                worst,
                "s",
                **goal,  # type: ignore[arg-type]
            )
        )
    return rows


if __name__ == "__main__":
    show(run(quick=True))
