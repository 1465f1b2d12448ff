"""False alarms and detection of the judge and of four others on the library of traffic models, on the same streams.

`python -m benchmarks.judge.comparison [--model NAME …] [--runs N] [--rates 5 20]`; `--list` names the models.

A limit of 1%, 5 requests a second on the candidate and 20 on stable, a plan of 10 minutes, ticks of 5 s, and an hour of
stable's history before, where a model or an option does not say otherwise. Innocent candidates fail as often as stable:
0.5%, 0.9% or 1% (exactly the limit) of requests. Guilty ones fail 2, 3, 5 or 10 times the limit, stable 0.2 times, from
the start on, or late: from a third of the plan on. Of Flagger and Argo Rollouts the first figure is with their defaults
(threshold 1, failureLimit 0), the second with those of their documentation's example (10, 3).

A false alarm is a rollback within the plan; `at most` is the upper end of the one-sided 95% interval (Clopper-Pearson).
"Held" are innocent candidates that the judge neither rolls back nor passes at the end of the plan. Time to detect
is counted from the change, the mean over the runs that were found, and divided by Wald's bound (`bound_s` in
`traffic/library.py`), the mean over the four multiples. Missed are those not found in 8 times that bound, nor in the
length of a plan; early those rolled back while they were still good.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from math import comb, inf
from random import Random
from statistics import fmean

from benchmarks.judge.contestants import OTHERS, measured_policy, others, slipway
from benchmarks.judge.traffic.library import MODELS, bound_s
from benchmarks.judge.traffic.scenario import Case
from benchmarks.report import Row, show

JUDGE = "judge"
NEW = "new lane"  # the judge without a history
MOST, MOST_BOUND = 0.01, 0.02
# Of independent requests, what the time to detect may be as a multiple of Wald's bound.
GOALS = {False: 1.6, True: 2.2}


@dataclass(frozen=True)
class Task:
    """One case of one model: `runs` streams, numbered from 0."""

    model: str
    case: Case
    runs: int


@dataclass(frozen=True)
class Found:
    """What became of a task: for each judge the second of its rollback in every run, and how many the judge passed."""

    task: Task
    fails_at: dict[str, list[float]]
    passed: int

    @cached_property
    def bound_s(self) -> float:
        """Wald's bound in seconds."""
        return bound_s(MODELS[self.task.model], self.task.case)

    def alarms(self, name: str) -> int:
        """Rollbacks within the plan."""
        return sum(at <= self.task.case.plan_s for at in self.fails_at[name])

    def early(self, name: str) -> int:
        """Rollbacks before the change."""
        return sum(at <= self.task.case.change for at in self.fails_at[name])

    def missed(self, name: str) -> int:
        """Runs without a rollback."""
        return sum(at == inf for at in self.fails_at[name])

    def takes_s(self, name: str) -> float:
        """Mean seconds from the change to the rollback, of runs that were found after it; `inf` without one."""
        change = self.task.case.change
        return _mean([at - change for at in self.fails_at[name] if change < at < inf])


def measured(task: Task) -> Found:
    """All streams of a task, each put before every judge."""
    fails_at: dict[str, list[float]] = {name: [] for name in (JUDGE, NEW, *OTHERS)}
    passed = 0
    for run in range(task.runs):
        scenario = MODELS[task.model].stream(Random(f"{task.model} {task.case} {run}"), task.case)
        mine = slipway(scenario, measured_policy(scenario))
        new = slipway(scenario, measured_policy(scenario, new=True))
        passed += mine.passes
        for name, at in {JUDGE: mine.fails_at, NEW: new.fails_at, **others(scenario)}.items():
            fails_at[name].append(at)
    return Found(task, fails_at, passed)


def upper_bound(found: int, runs: int, confidence: float = 0.95) -> float:
    """Upper end of the one-sided Clopper-Pearson interval: the share at which so few as `found` of `runs` are rare."""
    if found >= runs:
        return 1.0
    low, high = found / runs, 1.0
    for _ in range(50):
        share = (low + high) / 2
        as_few = sum(comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(found + 1))
        low, high = (share, high) if as_few > 1 - confidence else (low, share)
    return high


def rows_of(
    names: Sequence[str],
    *,
    innocent: int,
    guilty: int,
    jobs: int,
    independent: int | None = None,
    rates: tuple[float, float] | None = None,
) -> Iterator[Row]:
    """The rows of these models; those of false alarms come first.

    innocent: runs of each model, so that the bound of each is as narrow; its cases share them. guilty: runs of each
    case; independent: of independent requests, which have a goal. Without runs there are no rows.
    rates: mean requests a second of the candidate and of stable, instead of those of each model.
    """
    models = {name: MODELS[name] for name in names}
    if rates is not None:
        models = {
            name: replace(model, candidate_rps=rates[0], stable_rps=rates[1])
            for name, model in models.items()
        }
    alarms = {
        name: [Task(name, case, -(-innocent // len(model.innocent))) for case in model.innocents()]
        for name, model in models.items()
        if innocent
    }
    chases = {
        (name, late): [
            Task(name, case, (independent or guilty) if name == "independent" else guilty)
            for case in model.guilty(late=late)
        ]
        for late in (False, True)
        for name, model in models.items()
        if guilty
    }
    tasks = [task for group in (*alarms.values(), *chases.values()) for task in group]
    found = dict(zip(tasks, _all(tasks, jobs), strict=True))
    for group in alarms.values():
        if group:
            yield _alarm_row([found[task] for task in group])
    for (_, late), group in chases.items():
        if group:
            yield _detection_row([found[task] for task in group], late=late)


def _all(tasks: Sequence[Task], jobs: int) -> list[Found]:
    if jobs == 1:
        return [measured(task) for task in tasks]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(measured, tasks))


def _alarm_row(found: Sequence[Found]) -> Row:
    model = MODELS[found[0].task.model]
    runs = sum(each.task.runs for each in found)
    alarms = [each.alarms(JUDGE) for each in found]
    share, bound = sum(alarms) / runs, upper_bound(sum(alarms), runs)
    levels = "/".join(f"{each.task.case.stable * 100:g}" for each in found)
    held = "/".join(
        f"{1 - (each.passed + n) / each.task.runs:.0%}" for each, n in zip(found, alarms, strict=True)
    )
    counts = "/".join(map(str, alarms))
    return Row(
        f"innocent, {model.says}, {levels}%: {counts} of {found[0].task.runs}, at most {bound:.1%};"
        f" {held} held; new lane {'/'.join(str(each.alarms(NEW)) for each in found)}",
        share * 100,
        "%",
        _beside({name: _share(sum(each.alarms(name) for each in found), runs) for name in OTHERS}),
        goal=f"<= {MOST:.0%}, at most {MOST_BOUND:.0%}",
        ok=share <= MOST and bound <= MOST_BOUND,
    )


def _detection_row(found: Sequence[Found], *, late: bool) -> Row:
    name = found[0].task.model
    model = MODELS[name]
    ratio = _ratio(found, JUDGE)
    times = "/".join(f"{each.task.case.candidate * 100:g}" for each in found)
    taken = "/".join(_seconds(each.takes_s(JUDGE)) for each in found)
    bounds = "/".join(_seconds(each.bound_s) for each in found)
    when = "late" if late else "guilty"
    goal = GOALS[late] if name == "independent" else None
    beside = _beside({other: f"{_times(_ratio(found, other))}{_lost(found, other)}" for other in OTHERS})
    return Row(
        f"{when}, {model.says}, {times}%: {taken} s{_lost(found, JUDGE)};"
        f" new lane {_times(_ratio(found, NEW))}{_lost(found, NEW)}",
        ratio,
        "x",
        f"Wald {bounds} s; {beside}",
        1.0,
        ratio,
        f"<= {goal} x" if goal else "",
        ratio <= goal if goal else None,
    )


def _beside(figures: Mapping[str, str]) -> str:
    """Figures of the others, those of one project side by side: `Argo 80%/47%`."""
    said: dict[str, list[str]] = {}
    for name, figure in figures.items():
        said.setdefault(name.split()[0], []).append(figure)
    return ", ".join(f"{project} {'/'.join(each)}" for project, each in said.items())


def _ratio(found: Sequence[Found], name: str) -> float:
    return _mean([ratio for each in found if (ratio := each.takes_s(name) / each.bound_s) < inf])


def _lost(found: Sequence[Found], name: str) -> str:
    """What of the runs was missed, and what rolled back too early, where there is any."""
    runs = sum(each.task.runs for each in found)
    missed, early = sum(each.missed(name) for each in found), sum(each.early(name) for each in found)
    said = [f"{_share(missed, runs)} missed"] * (missed > 0) + [f"{_share(early, runs)} early"] * (early > 0)
    return f" ({', '.join(said)})" if said else ""


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fmean(known) if known else inf


def _seconds(value: float) -> str:
    return "never" if value == inf else f"{value:.0f}"


def _times(value: float) -> str:
    return "never" if value == inf else f"{value:.1f}x"


def _share(count: int, runs: int) -> str:
    return f"{count / runs:.0%}" if count * 100 >= runs or not count else f"{count / runs:.1%}"


def run(quick: bool = False) -> list[Row]:
    """Every model."""
    if quick:
        return list(rows_of([*MODELS], innocent=30, guilty=3, jobs=2))
    return list(rows_of([*MODELS], innocent=600, guilty=20, jobs=2, independent=150))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge.comparison")
    parser.add_argument("--model", nargs="+", choices=[*MODELS], default=[*MODELS], metavar="NAME")
    parser.add_argument(
        "--runs", type=int, default=600, help="innocent streams of each model, 0 for none (600)"
    )
    parser.add_argument(
        "--guilty-runs", type=int, default=20, help="streams of each guilty case, 0 for none (20)"
    )
    parser.add_argument("--rates", type=float, nargs=2, metavar="N", help="requests a second of both")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--list", action="store_true", help="name the models and end")
    options = parser.parse_args()
    if options.list:
        for name, model in MODELS.items():
            print(f"{name:15} {model.says}")
        return
    rows = rows_of(
        options.model,
        innocent=options.runs,
        guilty=options.guilty_runs,
        jobs=options.jobs,
        rates=tuple(options.rates) if options.rates else None,
    )
    show(rows, __doc__ or "")


if __name__ == "__main__":
    main()
