"""Chart of an alert on a lane: what the lane served against its limits, before the alert and since."""

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
    """Draws the chart of an alert; None where no requests of its lane are kept. Raises ChartError, `Unreachable`."""

    def __init__(
        self, charts: Charts, served: ServedStore, catalog: Callable[[], Catalog], clock: Clock
    ) -> None:
        self._charts = charts
        self._served = served
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, alert: Alert) -> bytes | None:
        config = self._catalog().lanes.get(alert.lane) if alert.lane is not None else None
        if config is None:
            return None
        now, found = self._clock.now().timestamp(), charted(alert, config)
        over_s = found[1].over_s if found is not None else 0.0
        begin, _ = span(alert, over_s, now)
        ticks = await self._served.read(config.lane, begin - over_s)
        data = alert_chart(alert, config, ticks, now)
        return await self._charts.draw(served_svg(data)) if data is not None else None


def charted(alert: Alert, config: LaneConfig) -> tuple[Trouble, Rule] | None:
    """The trouble of a rule, with the broken condition that has the shortest window; None without one."""
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


def span(alert: Alert, over_s: float, now: float) -> tuple[float, float]:
    """Begin and end of the chart (unix seconds). over_s: the window of what it shows."""
    end = alert.ended_at.timestamp() if alert.ended_at is not None else now
    before = min(max(_BEFORE_S, over_s), _MOST_BEFORE_S)
    return max(_since(alert) - before, end - _MOST_S), end


def alert_chart(
    alert: Alert, config: LaneConfig, ticks: Sequence[ServedTick], now: float
) -> ServedChart | None:
    """From what the lane served, at `now` (unix seconds); None where nothing of it was counted.

    An alert of a rule shows what the rule measures. Others, of monitors and other programs, show how the lane did.
    """
    found = charted(alert, config)
    begin, end = span(alert, found[1].over_s if found is not None else 0.0, now)
    ticks = [tick for tick in ticks if tick.at <= end]
    if found is None:
        shown = [errors_panel(ticks, error_limit(config.policy.judge)), *_beside(None, config, ticks)]
    else:
        value = _measured(alert, *found, ticks, end)
        shown = [value, *_beside(found[1], config, ticks)] if counted(value) else []
    panels = tuple(one for one in shown if counted(one))
    if not panels:
        return None
    marks = [(at, word) for at, word in _marks(alert) if begin <= at <= end]
    return ServedChart(str(config.lane), panels, begin, end, _since(alert), "alert", tuple(marks))


def _measured(
    alert: Alert, trouble: Trouble, condition: Rule, ticks: Sequence[ServedTick], end: float
) -> Panel:
    value = rule_panel(ticks, condition)
    newest = _SHARE.match(trouble.finding.value)
    if newest and trouble.over_at is None and not alert.over:
        # What is kept is half a minute old, and the card says a newer value.
        return ending_in(value, end, float(newest[1]) / 100)
    return value


def _since(alert: Alert) -> float:
    return min(trouble.since for trouble in alert.troubles).timestamp()


def _beside(condition: Rule | None, config: LaneConfig, ticks: Sequence[ServedTick]) -> Iterator[Panel]:
    """The other of errors and latency, by the minute."""
    if condition is not None and condition.metric == "latency":
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
