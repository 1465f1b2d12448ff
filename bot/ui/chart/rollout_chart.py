"""Chart of a rollout's measurements: error rate and latency of both releases, with limits and weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from bot.domain.judge.judge import Objective, Outcome
from bot.domain.rollout.model import Phase
from bot.engine.api import RolloutView, SeriesPoint
from bot.ui import escaping
from bot.ui.chart.chart import ChartData, Charts, ChartSeries, Panel, pooled

Value = Callable[[SeriesPoint], float | None]
_VERSION = 40
_DECIDED = frozenset({Phase.ROLLING_BACK, Phase.HALTED, Phase.SUCCEEDED})


class CardCharts:
    """Renders the chart of a card."""

    def __init__(self, charts: Charts | None = None) -> None:
        self._charts = charts or Charts()

    async def __call__(self, seen: RolloutView) -> bytes | None:
        """The PNG, or None when there is nothing to draw. Raises ChartError when it cannot be drawn now."""
        data = chart_data(seen)
        return await self._charts.render(data) if data is not None else None

    async def close(self) -> None:
        await asyncio.shield(self._charts.close())


def chart_data(seen: RolloutView) -> ChartData | None:
    """None without an objective, or with too few measurements: two, and one when the rollout is over."""
    points, rollout = seen.series, seen.rollout
    final = rollout.phase.final
    panels = tuple(_panels(rollout.policy.judge.objectives, points))[:2]
    if len(points) < (1 if final else 2) or not panels:
        return None
    times = [p.at.timestamp() for p in points]
    stable = escaping.name(rollout.stable.version, _VERSION) if rollout.stable else None
    return ChartData(
        escaping.name(rollout.candidate.version, _VERSION),
        stable,
        panels,
        _weights(points),
        times[0],
        max(times[-1], rollout.ended_at.timestamp() if final and rollout.ended_at else times[-1]),
        ended=final,
        verdict=_verdict(seen),
    )


def _verdict(seen: RolloutView) -> tuple[float, str] | None:
    """The decision after which nothing is judged, and its word."""
    rollout = seen.rollout
    decided = (
        t for t in reversed(seen.transitions) if t.to_phase in _DECIDED and t.from_phase not in _DECIDED
    )
    last = next(decided, None)
    if last is None or not (rollout.phase.final or rollout.phase in _DECIDED):
        return None
    if last.to_phase == Phase.SUCCEEDED:
        return last.at.timestamp(), "PASS"
    failed = rollout.verdict is not None and rollout.verdict.outcome is Outcome.FAIL
    return last.at.timestamp(), "FAIL" if failed else "rollback"


def _panels(objectives: Sequence[Objective], points: Sequence[SeriesPoint]) -> Iterator[Panel]:
    """Errors above latency. Another kind of objective only when one of these is missing."""
    order = {"errors": 0, "latency": 1, "proportion": 2}
    shown: set[str] = set()
    for objective in sorted(objectives, key=lambda o: (order[o.kind], not o.enforce)):
        if objective.kind in shown and objective.kind != "proportion":
            continue
        shown.add(objective.kind)
        yield _latency(objective, points) if objective.kind == "latency" else _share(objective, points)


def _share(objective: Objective, points: Sequence[SeriesPoint]) -> Panel:
    def of(release: Callable[[SeriesPoint], Mapping[str, tuple[int, int]]]) -> ChartSeries:
        counts = ((p.at.timestamp(), release(p).get(objective.name)) for p in points)
        return pooled((at, found if found and found[0] else None) for at, found in counts)

    title = "Failed requests" if objective.kind == "errors" else escaping.name(objective.name, 30)
    return Panel(
        title,
        of(lambda p: p.candidate),
        of(lambda p: p.stable),
        objective.limit,
    )


def _latency(objective: Objective, points: Sequence[SeriesPoint]) -> Panel:
    """In seconds if a quantile was measured, otherwise the share of slow requests."""
    if all(p.candidate_latency_s is None and p.stable_latency_s is None for p in points):
        share = _share(objective, points)
        return Panel("Slow requests", share.candidate, share.stable, share.limit)
    return Panel(
        "Latency",
        _series(points, lambda p: p.candidate_latency_s),
        _series(points, lambda p: p.stable_latency_s),
        objective.threshold_s,
        "seconds",
    )


def _series(points: Sequence[SeriesPoint], value: Value) -> ChartSeries:
    return ChartSeries(tuple((p.at.timestamp(), value(p)) for p in points))


def _weights(points: Sequence[SeriesPoint]) -> tuple[tuple[float, float], ...]:
    first = [(points[0].at.timestamp(), float(points[0].weight))]
    changes = [(b.at.timestamp(), float(b.weight)) for a, b in pairwise(points) if a.weight != b.weight]
    return tuple(first + changes)
