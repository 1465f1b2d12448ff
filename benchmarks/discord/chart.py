"""Time to draw a chart, and delay of the event loop meanwhile."""

from __future__ import annotations

import asyncio
from random import Random
from statistics import median
from time import perf_counter

from benchmarks.report import Row, show
from bot.ui.chart.chart import ChartData, Charts, ChartSeries, Panel, render


def rollout(points: int) -> ChartData:
    """A rollout of `points` ticks, every 5 s, that goes bad in the middle."""
    random = Random(points)

    def line(low: float, high: float, after: float) -> ChartSeries:
        values = ((low if 2 * n < points else after) + (high - low) * random.random() for n in range(points))
        return ChartSeries(tuple((n * 5.0, value) for n, value in enumerate(values)))

    errors = Panel("Failed requests", line(0.002, 0.006, 0.05), line(0.002, 0.005, 0.002), 0.01)
    slow = Panel("p99 latency", line(0.6, 0.9, 0.8), line(0.6, 0.8, 0.6), 2.0, "seconds")
    changes = tuple(
        (share * points * 5.0, weight) for share, weight in ((0.0, 5.0), (0.3, 25.0), (0.6, 50.0))
    )
    return ChartData("1.5.1", "1.4.0", (errors, slow), changes, 0.0, points * 5.0)


async def measure(times: int) -> tuple[list[float], list[float]]:
    """(seconds of each chart in order, seconds by which a timer of 1 ms was late meanwhile, sorted)."""
    charts, took, late = Charts(), [], []
    drawing = True

    async def watch() -> None:
        while drawing:
            begun = perf_counter()
            await asyncio.sleep(0.001)
            late.append(perf_counter() - begun - 0.001)

    watch = asyncio.create_task(watch())
    try:
        for number in range(times):
            begun = perf_counter()
            await charts.render(rollout(120 if number % 2 else 720))
            took.append(perf_counter() - begun)
            await asyncio.sleep(0.005)
    finally:
        drawing = False
        await watch
        await charts.close()
    return took, sorted(late)


def run(quick: bool = False) -> list[Row]:
    """Measure charts of 120 and 720 ticks in turn."""
    took, late = asyncio.run(measure(40 if quick else 200))
    begun = perf_counter()
    for _ in range(5):
        render(rollout(720))
    inside = (perf_counter() - begun) / 5
    p99 = sorted(took)[int(0.99 * (len(took) - 1))]
    worst = late[int(0.99 * (len(late) - 1))]
    p50, beside = median(took), "drawn in the loop itself"
    return [
        Row("chart, p50", p50 * 1e3, "ms", "goal", 150.0, p50 / 0.15, "<= 150 ms", p50 <= 0.15),
        Row("chart, p99", p99 * 1e3, "ms", "goal", 150.0, p99 / 0.15, "<= 150 ms", p99 <= 0.15),
        Row("first chart (starts the process)", took[0] * 1e3, "ms"),
        Row("event loop delay meanwhile, p99", worst * 1e3, "ms", beside, inside * 1e3, worst / inside),
    ]


if __name__ == "__main__":
    show(run(), __doc__ or "")
