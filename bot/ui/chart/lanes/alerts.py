"""Chart of an alert about what a lane serves: the value against its limit, before the alert and since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from bot.domain.config import Catalog, LaneConfig
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import Rule
from bot.domain.watch.alerts.alert import Alert, Trouble
from bot.domain.watch.rules import RULES, error_limit, watched
from bot.ports.coordination import Clock
from bot.ports.store import ServedStore
from bot.ui.chart.chart import Charts
from bot.ui.chart.data import Panel
from bot.ui.chart.lanes.served import (
    ServedChart,
    counted,
    ending_in,
    errors_panel,
    rule_panel,
    served_svg,
    slow_panel,
)

# What is shown of the time before an alert, at least and at most, and of a long alert at most.
_BEFORE_S, _MOST_BEFORE_S, _MOST_S = 1800.0, 6 * 3600.0, 86_400.0
_SHARE = re.compile(r"([0-9.]+)%")


class AlertCharts:
    """Draws the chart of an alert; None for those of which no requests are kept. Raises ChartError, `Unreachable`."""

    def __init__(
        self, charts: Charts, served: ServedStore, catalog: Callable[[], Catalog], clock: Clock
    ) -> None:
        self._charts = charts
        self._served = served
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, alert: Alert) -> bytes | None:
        config = self._catalog().lanes.get(alert.lane) if alert.lane is not None else None
        found = charted(alert, config) if config is not None else None
        if config is None or found is None:
            return None
        now, condition = self._clock.now().timestamp(), found[1]
        begin, _ = span(alert, condition, now)
        ticks = await self._served.read(config.lane, begin - condition.over_s)
        data = alert_chart(alert, config, ticks, now)
        return await self._charts.draw(served_svg(data)) if data is not None else None


def charted(alert: Alert, config: LaneConfig) -> tuple[Trouble, Rule] | None:
    """The trouble that a chart can show, with the broken condition that has the shortest window; None without one."""
    for trouble in (alert.first, *alert.troubles):
        finding = trouble.finding
        if finding.source != RULES:
            continue
        named = {f"{RULES}/{config.lane}/{rule.name}"[:100]: rule for rule in config.watch.rules}
        rule = named.get(finding.fingerprint)
        conditions = [one for one in rule.conditions if watched(one) is not None] if rule is not None else []
        said = [one for one in conditions if one.name in finding.text] or conditions
        if said:
            return trouble, min(said, key=lambda one: one.over_s)
    return None


def span(alert: Alert, condition: Rule, now: float) -> tuple[float, float]:
    """Begin and end of the chart (unix seconds)."""
    end = alert.ended_at.timestamp() if alert.ended_at is not None else now
    before = min(max(_BEFORE_S, condition.over_s), _MOST_BEFORE_S)
    return max(_since(alert) - before, end - _MOST_S), end


def alert_chart(
    alert: Alert, config: LaneConfig, ticks: Sequence[ServedTick], now: float
) -> ServedChart | None:
    """From what the lane served, at `now` (unix seconds); None where nothing of it was counted."""
    found = charted(alert, config)
    if found is None:
        return None
    trouble, condition = found
    begin, end = span(alert, condition, now)
    ticks = [tick for tick in ticks if tick.at <= end]
    value = rule_panel(ticks, condition)
    newest = _SHARE.match(trouble.finding.value)
    if newest and trouble.over_at is None and not alert.over:
        # What is kept is half a minute old, and the card says a newer value.
        value = ending_in(value, end, float(newest[1]) / 100)
    if not counted(value):
        return None
    panels = [value, *(one for one in _beside(condition, config, ticks) if counted(one))]
    marks = [(at, word) for at, word in _marks(alert) if begin <= at <= end]
    return ServedChart(str(config.lane), tuple(panels), begin, end, _since(alert), "alert", tuple(marks))


def _since(alert: Alert) -> float:
    return min(trouble.since for trouble in alert.troubles).timestamp()


def _beside(condition: Rule, config: LaneConfig, ticks: Sequence[ServedTick]) -> Iterator[Panel]:
    """The other of errors and latency, by the minute."""
    if condition.metric == "latency":
        yield errors_panel(ticks, error_limit(config.policy.judge))
        return
    conditions = (one for rule in config.watch.rules for one in rule.conditions)
    slow = next((one for one in conditions if one.quantile is not None), None)
    if slow is not None and slow.quantile is not None:
        yield slow_panel(ticks, slow.limit, round(1 - slow.quantile, 12))


def _marks(alert: Alert) -> Iterator[tuple[float, str]]:
    if alert.suspect is not None:
        yield alert.suspect.at.timestamp(), "deploy"
    yield _since(alert), "alert"
