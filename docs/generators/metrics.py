"""Reference of the metrics, from what the program registers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from bot.adapters.targets.hosted.host.prometheus import RELEASE_METRICS
from bot.adapters.telemetry import Telemetry
from bot.adapters.telemetry.metrics import MOST_VALUES, MetricDescription
from bot.adapters.telemetry.watch_metrics import MOST_LANES
from docs.generators.markdown import code, table

HEAD = ("metric", "kind", "labels", "meaning")
INTRODUCTION = f"""
# Metrics

This page is made from the code by `make reference`. Times are in seconds, shares between 0 and 1. Labels are bounded:
one with more than {MOST_VALUES} values uses `other` for the rest, and lanes beyond the first {MOST_LANES} have no
series. A histogram has the series `_bucket`, `_sum` and `_count`.
[Rules and dashboards](../how-to/monitoring-slipway.md) that use these metrics are in the repository.
"""
BOT = """
Served by the bot at `GET /metrics`, beside `process_…` and `python_info`: CPU, memory and descriptors of the process.
What concerns all processes (`slipway_rollouts`, `slipway_effects_pending`, `slipway_effects_oldest_seconds`,
`slipway_alerts_open`) is the same in each: take `max`, not `sum`. Figures of lanes come from the process that watches
them.
"""
HOST = """
Served by the host at the port in `targets.X.metrics`: the router's own counts.
"""


def page() -> str:
    """Every metric of the bot and of the host."""
    bot = Telemetry(CollectorRegistry()).described
    parts = [
        INTRODUCTION.strip(),
        "## The bot",
        BOT.strip(),
        table(HEAD, _rows(bot)),
        "## The host",
        HOST.strip(),
        table(HEAD, _rows(RELEASE_METRICS)),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(metrics: Iterable[MetricDescription]) -> list[tuple[str, ...]]:
    return [(code(m.name), m.kind, ", ".join(map(code, m.labels)), m.what) for m in metrics]
