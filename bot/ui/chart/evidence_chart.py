"""Chart of an opened verdict: the evidence over time."""

from __future__ import annotations

from bot.domain.judge.judge import Outcome
from bot.domain.judge.why import Why
from bot.engine.api import OpenedVerdict
from bot.ui import escaping
from bot.ui.chart.chart import Charts
from bot.ui.chart.evidence_svg import EvidenceChart, EvidencePanel, evidence_svg

_VERSION = 40


class EvidenceCharts:
    """Draws the charts of opened verdicts."""

    def __init__(self, charts: Charts) -> None:
        self._charts = charts

    async def __call__(self, opened: OpenedVerdict) -> bytes | None:
        """The PNG, or None when there is nothing to draw. Raises ChartError when it cannot be drawn now."""
        data = evidence_chart(opened)
        return await self._charts.draw(evidence_svg(data)) if data is not None else None


def evidence_chart(opened: OpenedVerdict) -> EvidenceChart | None:
    """None when no test of an objective has seen anything."""
    why, rollout = opened.why, opened.rollout
    if not why.lines or not any(value is not None for line in why.lines for _, value in line.points):
        return None
    blocks = why.blocks
    return EvidenceChart(
        escaping.name(rollout.candidate.version, _VERSION),
        tuple(EvidencePanel(line.label, line.needed, line.points, line.left_out) for line in why.lines[:2]),
        blocks[0].since,
        blocks[-1].until,
        rollout.phase.final,
        _decided(why),
    )


def _decided(why: Why) -> tuple[float, str] | None:
    if why.at is None or why.outcome is None:
        return None
    if why.outcome is Outcome.INSUFFICIENT:
        return (why.at, "hold") if why.hold else None
    return why.at, str(why.outcome)
