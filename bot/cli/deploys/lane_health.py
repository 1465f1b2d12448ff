"""Health of a lane for terminals, as `slipway status` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.domain.formatting import counted, duration, percent
from bot.domain.phrasebook.latencies import latency_about
from bot.domain.watch.checks import as_share
from bot.domain.watch.rules import DAY_S, WEEK_S

if TYPE_CHECKING:
    from bot.cli.client import Shape

_COVERED = 0.9


def health_lines(lane: Shape) -> Iterator[str]:
    """One line with its figures against their limits, then those of its checks that are not well."""
    figures = " · ".join(_figures(lane)) or "no requests were counted"
    yield f"{'✓' if lane['well'] else '✗'} {figures}"
    for check in lane["checks"]:
        if check["passed"] is False or check["firing"]:
            said = check["said"] or ", ".join(check["firing"])
            yield f"✗ check {check['name']}{' (critical)' if check['critical'] else ''}: {said}"
        elif check.get("places"):  # a server from before there were locations does not say
            yield f"! check {check['name']}: {check['places']}"
    if lane["drift"]:
        yield f"! drift: {lane['drift']}"


def alert_lines(health: Shape, service: str, environment: str) -> Iterator[str]:
    """The open alerts of one lane."""
    for alert in health["alerts"]:
        if (alert["service"], alert["environment"]) == (service, environment):
            measured = f": {alert['value']} (limit {alert['limit']})" if alert["value"] else ""
            owner = f", {alert['owner']} has it" if alert["owner"] else ", no one has it"
            yield f"! alert {alert['id']} ({alert['severity']}): {alert['title']}{measured}{owner}"


def _slowness(slow: Shape) -> str:
    quantile = 1 - slow["allowed"]
    slower = f": {percent(slow['slower'])} slower" if slow["over"] else ""
    if (above_s := slow.get("above_s")) is not None:  # a server from before there were figures does not say
        return f"{latency_about(quantile, above_s, slow['upto_s'], slow['limit_s'])}{slower}"
    side = "above" if slow["over"] else "below"
    return f"p{quantile * 100:.6g} {side} {duration(slow['limit_s'])}{slower}"


def _figures(lane: Shape) -> Iterator[str]:
    if lane["errors"] is not None:
        limit = f" (limit {percent(lane['limit'])})" if lane["limit"] is not None else ""
        yield f"errors {percent(lane['errors'])}{limit}"
    if (slow := lane["latency"]) is not None:
        yield _slowness(slow)
    for name, key, span_s in (("24 h", "24h", DAY_S), ("7 d", "7d", WEEK_S)):
        if (share := lane[f"success_{key}"]) is not None:
            measured_s = lane[f"measured_{key}_s"]
            gap = f" ({duration(measured_s)} measured)" if measured_s < _COVERED * span_s else ""
            yield f"{name} {as_share(share)}{gap}"
    if lane["measured_by"] == "checks":
        yield "by its checks"
    if lane["budget_left"] is not None:
        yield "budget spent" if lane["budget_left"] == 0 else f"budget {percent(lane['budget_left'])}"
    passed = sum(check["passed"] is True for check in lane["checks"])
    if passed:
        yield f"{counted(passed, 'check')} passed"
