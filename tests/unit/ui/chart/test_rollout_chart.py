"""From measurements to what a chart shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.judge.judge import Objective
from bot.engine.api import RolloutView, SeriesPoint
from bot.ui.chart.chart import ChartData, ChartError, Charts
from bot.ui.chart.rollout_chart import CardCharts, chart_data
from tests.support import rollouts


async def measured_view() -> RolloutView:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    rollouts.measured(engine, rollout.id, 100, 1)
    return await engine.view(rollout.id)


async def test_errors_stand_above_latency_with_their_limits() -> None:
    data = chart_data(await measured_view())
    assert data is not None
    assert (data.candidate, data.stable) == ("1.5.0", "1.4.0")
    errors, latency = data.panels
    assert (errors.title, errors.limit, errors.unit) == ("Failed requests", 0.01, "proportion")
    assert [v for _, v in errors.candidate.points] == [0.0, 0.01]
    assert (latency.title, latency.limit, latency.unit) == ("Latency", 2.0, "seconds")
    assert data.begin < data.end


async def test_without_measured_latency_the_share_of_slow_requests_is_drawn() -> None:
    seen = await measured_view()
    blind = [replace(p, candidate_latency_s=None, stable_latency_s=None) for p in seen.series]
    data = chart_data(replace(seen, series=blind))
    assert data is not None
    assert (data.panels[1].title, data.panels[1].limit) == ("Slow requests", 0.01)


async def test_a_look_without_requests_breaks_the_line_and_each_change_of_weight_is_marked() -> None:
    seen = await measured_view()
    first = seen.series[0]
    more = [
        SeriesPoint(first.at + timedelta(seconds=s), weight, {"errors": (total, 0)}, {})
        for s, weight, total in ((0, 5, 10), (5, 5, 0), (10, 25, 10), (15, 25, 10), (20, 100, 10))
    ]
    data = chart_data(replace(seen, series=more))
    assert data is not None
    assert [v for _, v in data.panels[0].candidate.points] == [0.0, None, 0.0, 0.0, 0.0]
    assert [w for _, w in data.weights] == [5, 25, 100]


async def test_too_little_or_nothing_to_draw_is_no_chart() -> None:
    seen = await measured_view()
    assert chart_data(replace(seen, series=seen.series[:1])) is None
    judge = replace(seen.rollout.policy.judge, objectives=())
    policy = replace(seen.rollout.policy, judge=judge)
    assert chart_data(replace(seen, rollout=replace(seen.rollout, policy=policy))) is None
    only = replace(judge, objectives=(Objective("logins", "proportion", 0.1),))
    policy = replace(policy, judge=only)
    data = chart_data(replace(seen, rollout=replace(seen.rollout, policy=policy)))
    assert data is not None and [p.title for p in data.panels] == ["logins"]


async def test_a_chart_that_cannot_be_made_is_none_and_no_error() -> None:
    class Broken(Charts):
        async def render(self, data: ChartData) -> bytes:
            raise ChartError("no")

    charts = CardCharts(Broken())
    assert await charts(await measured_view()) is None
    await charts.close()


async def test_a_real_chart_is_a_png() -> None:
    charts = CardCharts()
    try:
        png = await charts(await measured_view())
    finally:
        await charts.close()
    assert png is not None and png.startswith(b"\x89PNG")
