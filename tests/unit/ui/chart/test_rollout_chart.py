"""From measurements to what a chart shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.judge.judge import Objective
from bot.domain.rollout.events import Acted
from bot.domain.rollout.model import Action, Phase
from bot.engine.api import RolloutView, SeriesPoint
from bot.ui.chart.chart import ChartData, ChartError, Charts
from bot.ui.chart.rollout_chart import CardCharts, chart_data
from tests.support import rollouts
from tests.support.actors import LEAD


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
    # Rates over the last minute: 1 of the 300 requests of both looks.
    assert [v for _, v in errors.candidate.points] == [0.0, 1 / 300]
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


async def test_a_quick_rollback_shows_its_failure_the_verdict_and_nothing_after_the_end() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    running = chart_data(await engine.view(rollout.id))
    assert running is None  # one look is no line yet
    failed = rollouts.measured(engine, rollout.id, 40, 20)
    assert failed.phase is Phase.ROLLING_BACK
    decided = engine.clock.now().timestamp()
    rollouts.forward(engine, 4.0)
    over = rollouts.serving(engine, rollout.id)
    data = chart_data(await engine.view(rollout.id))
    assert over.phase is Phase.ROLLED_BACK and over.ended_at is not None and data is not None
    # The rate that the card's sentence gives: 20 of 240.
    assert data.panels[0].candidate.points[-1] == (decided, 20 / 240)
    assert "(20 of 240)" in over.outcome
    assert (data.verdict, data.ended) == ((decided, "FAIL"), True)
    assert data.end == over.ended_at.timestamp() == decided + 4.0


async def test_one_look_is_enough_for_a_rollout_that_is_over() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    ordered = engine.happen(rollout.id, Acted(Action.ROLL_BACK, LEAD, engine.clock.now(), reason="why"))
    assert ordered.phase is Phase.ROLLING_BACK
    rollouts.serving(engine, rollout.id)
    data = chart_data(await engine.view(rollout.id))
    assert data is not None and data.verdict is not None
    assert data.verdict[1] == "rollback"


async def test_a_success_is_marked_at_its_end() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    for _ in range(20):
        if rollouts.measured(engine, rollout.id).phase is Phase.SHIFTING:
            rollouts.serving(engine, rollout.id)
        if engine.rollouts[rollout.id].phase.final:
            break
    data = chart_data(await engine.view(rollout.id))
    assert engine.rollouts[rollout.id].phase is Phase.SUCCEEDED and data is not None
    assert data.verdict == (data.end, "PASS")


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


async def test_a_chart_that_cannot_be_made_now_is_an_error_and_one_of_nothing_is_none() -> None:
    class FailingCharts(Charts):
        async def render(self, data: ChartData) -> bytes:
            raise ChartError("no")

    charts = CardCharts(FailingCharts())
    seen = await measured_view()
    with pytest.raises(ChartError):
        await charts(seen)
    assert await charts(replace(seen, series=[])) is None
    await charts.close()


async def test_a_real_chart_is_a_png() -> None:
    charts = CardCharts()
    try:
        png = await charts(await measured_view())
    finally:
        await charts.close()
    assert png is not None and png.startswith(b"\x89PNG")
