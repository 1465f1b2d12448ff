"""Health as the API answers it."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.watch.alerts.alert import Alert, AlertState
from bot.domain.watch.checks import Seen
from bot.domain.watch.health import CheckHealth, LaneHealth, Latency, ServerHealth, Serving
from bot.web.api import models
from bot.web.api.formatting import lock, plain


def health(found: ServerHealth) -> models.HealthInfo:
    return models.HealthInfo(
        well=not found.alerts and all(lane.well for lane in found.lanes),
        lanes=[_lane_health(lane) for lane in found.lanes],
        alerts=[_alert(alert) for alert in found.alerts],
    )


def _lane_health(found: LaneHealth) -> models.LaneHealthInfo:
    return models.LaneHealthInfo(
        service=found.lane.service,
        environment=found.lane.environment,
        well=found.well,
        errors=found.errors,
        limit=found.limit,
        latency=_latency(found.latency) if found.latency else None,
        success_24h=found.day.share if found.day else None,
        success_7d=found.week.share if found.week else None,
        measured_24h_s=found.day.measured_s if found.day else 0.0,
        measured_7d_s=found.week.measured_s if found.week else 0.0,
        measured_by=("checks" if found.by_checks else "requests") if found.week else None,
        budget_left=found.budget,
        measured_at=_time(found.at) if found.at else None,
        checks=[_check_health(check) for check in found.checks],
        release=_serving(found.serving) if found.serving else None,
        rollout=found.active.id if found.active else None,
        lock=lock(found.lock) if found.lock else None,
        drift=plain(found.drift),
    )


def _latency(found: Latency) -> models.LatencyInfo:
    return models.LatencyInfo(
        limit_s=found.limit_s,
        slower=found.slow,
        allowed=found.allowed,
        over=found.over,
        above_s=found.lies.above_s if found.lies else None,
        upto_s=found.lies.upto_s if found.lies else None,
    )


def _check_health(found: CheckHealth) -> models.CheckHealthInfo:
    last = found.last
    return models.CheckHealthInfo(
        name=found.name,
        critical=found.critical,
        passed=last.passed if last else None,
        said=plain(last.said) if last else "",
        asked_at=_time(last.at) if last else None,
        seconds=last.seconds if last else None,
        p95_s=found.p95_s,
        limit_s=found.limit_s,
        passed_24h=found.day.share if found.day else None,
        passed_7d=found.week.share if found.week else None,
        firing=list(found.firing),
        locations=[_location(seen) for seen in found.seen],
        places=plain(found.places),
    )


def _location(seen: Seen) -> models.LocationInfo:
    result = seen.result
    return models.LocationInfo(
        location=seen.location,
        passed=result.passed if result else None,
        said=plain(result.said) if result else "",
        asked_at=_time(result.at) if result else None,
        seconds=result.seconds if result else None,
    )


def _serving(found: Serving) -> models.ServingInfo:
    return models.ServingInfo(version=found.version, since=found.since, by=found.by, rollout=found.rollout_id)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _alert(alert: Alert) -> models.AlertInfo:
    finding = alert.first.finding
    return models.AlertInfo(
        id=alert.id,
        severity=alert.severity.value,
        state="firing" if alert.state is AlertState.FIRING else "acknowledged",
        title=plain(finding.title),
        value=finding.value,
        limit=finding.limit,
        service=alert.lane.service if alert.lane else None,
        environment=alert.lane.environment if alert.lane else None,
        since=alert.first.since,
        owner=alert.owner.name if alert.owner else None,
        silenced_until=alert.silenced_until,
        suspect_rollout=alert.suspect.rollout_id if alert.suspect else None,
    )
