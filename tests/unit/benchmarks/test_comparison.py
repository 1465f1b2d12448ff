"""The comparison: its bounds, its counts, and the same figures from the same seeds."""

from __future__ import annotations

from dataclasses import replace
from math import comb, inf

import pytest

from benchmarks.judge import comparison
from benchmarks.judge.comparison import Found, Task, measured, rows_of, upper_bound
from benchmarks.judge.contestants import OTHERS
from benchmarks.judge.traffic.library import MODELS

pytestmark = pytest.mark.simulation
JUDGES = ("judge", "new lane", *OTHERS)


def test_none_of_300_is_at_most_one_percent() -> None:
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300), abs=1e-9)
    assert upper_bound(0, 300) < 0.01
    assert upper_bound(6, 600) < 0.02 < upper_bound(7, 600)
    assert upper_bound(5, 5) == 1.0


@pytest.mark.parametrize(("found", "runs"), [(1, 60), (7, 100), (99, 100)])
def test_at_the_upper_bound_so_few_happen_once_in_twenty(found: int, runs: int) -> None:
    p = upper_bound(found, runs)
    assert sum(comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in range(found + 1)) == pytest.approx(0.05)


def test_a_task_has_the_same_figures_each_time() -> None:
    task = Task("runs-8", next(MODELS["runs-8"].innocents()), 3)
    first = measured(task)
    assert first == measured(task)
    assert set(first.fails_at) == set(JUDGES)
    assert all(len(times) == 3 for times in first.fails_at.values())
    assert first.fails_at == {
        name: times[:3] for name, times in measured(replace(task, runs=4)).fails_at.items()
    }


def test_a_detection_counts_from_the_change_and_only_what_was_found() -> None:
    case = next(MODELS["independent"].guilty(late=True))
    found = Found(Task("independent", case, 4), {"judge": [100.0, 300.0, 500.0, inf]}, 0)
    assert case.change == 200
    assert (found.early("judge"), found.missed("judge"), found.alarms("judge")) == (1, 1, 3)
    assert found.takes_s("judge") == 200
    assert found.bound_s == pytest.approx(235.3, abs=0.5)


def test_rows_give_counts_bounds_and_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(task: Task) -> Found:
        times = {name: [10.0] * task.runs for name in JUDGES}
        times["Argo 3"] = [inf] * task.runs
        if not task.case.guilty:
            times["judge"] = [inf] * (task.runs - 1) + [10.0]
        held = {0.009: 20, 0.01: 50}.get(task.case.candidate, 0)
        return Found(task, times, 0 if task.case.guilty else task.runs - 1 - held)

    monkeypatch.setattr(comparison, "measured", known)
    innocent, guilty, late = rows_of(["independent"], innocent=600, guilty=4, jobs=1)
    assert innocent.what == (
        "innocent, independent requests, 0.5/0.9/1%: 1/1/1 of 200, at most 1.3%; 0%/10%/25% held;"
        " new lane 200/200/200"
    )
    assert (innocent.value, innocent.ok) == (0.5, True)
    assert innocent.compared_with == "Kayenta 100%, Flagger 100%/100%, Argo 100%/0%, threshold 100%"
    assert guilty.what == "guilty, independent requests, 2/3/5/10%: 10/10/10/10 s; new lane 0.6x"
    assert guilty.compared_with.startswith("Wald 235/70/22/6 s; Kayenta ")
    assert "Argo " in guilty.compared_with
    assert "never (100% missed)" in guilty.compared_with
    assert guilty.ok is True
    assert late.what == (
        "late, independent requests, 2/3/5/10%: never/never/never/never s (100% early); new lane never (100% early)"
    )
    assert late.ok is False


def test_each_model_has_as_many_innocent_streams_whatever_its_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Task] = []

    def known(task: Task) -> Found:
        asked.append(task)
        return Found(task, {name: [inf] * task.runs for name in JUDGES}, task.runs)

    monkeypatch.setattr(comparison, "measured", known)
    rows = list(rows_of(["independent", "drift-far"], innocent=600, guilty=0, jobs=1))
    assert [(task.model, task.runs) for task in asked] == [("independent", 200)] * 3 + [("drift-far", 600)]
    assert all("at most 0.5%" in row.what for row in rows)


def test_two_processes_find_what_one_does() -> None:
    one, two = (list(rows_of(["drift-far", "leak-both"], innocent=2, guilty=1, jobs=jobs)) for jobs in (1, 2))
    assert one == two
    assert len(one) == 2


def test_other_rates_reach_the_streams_and_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Task] = []

    def known(task: Task) -> Found:
        asked.append(task)
        return Found(task, {name: [inf] * task.runs for name in JUDGES}, 0)

    monkeypatch.setattr(comparison, "measured", known)
    rows = list(rows_of(["independent"], innocent=1, guilty=1, jobs=1, rates=(10.0, 10.0)))
    assert {(task.case.candidate_rps, task.case.stable_rps) for task in asked} == {(10.0, 10.0)}
    assert rows[1].compared_with.startswith("Wald 118/35/11/3 s; ")


def test_without_runs_there_are_no_rows() -> None:
    none, some = (
        [row.what for row in rows_of(["drift-far", "tiny"], innocent=n, guilty=0, jobs=1)] for n in (0, 1)
    )
    assert none == []
    assert [what.split(",")[0] for what in some] == ["innocent", "innocent"]
