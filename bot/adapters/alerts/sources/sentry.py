"""Webhooks of an internal integration of Sentry: issue alerts, metric alerts, and issues that are over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from bot.adapters.alerts.sources.delivery import InboundDelivery, Reading, Theirs, parsed
from bot.adapters.alerts.sources.findings import AlertContext, FindingMaker, SaidAlert
from bot.adapters.alerts.sources.kind import alert_source_kind
from bot.adapters.alerts.sources.signed import BodySignature, SignedSettings
from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.values import Text

_SIGNATURE = "Sentry-Hook-Signature"
_METRIC = {"critical": Severity.CRITICAL, "warning": Severity.MEDIUM, "resolved": Severity.MEDIUM}
# The API address of an event has its project's name: …/projects/ORGANIZATION/PROJECT/events/….
_PROJECT = re.compile(r"/projects/[^/]+/([^/]+)/events/")


class SentrySourceSettings(SignedSettings):
    """Webhooks of an internal integration of Sentry. `secret` is its client secret."""

    kind: Literal["sentry"]
    service_label: Text = Field(
        default="project", description="The label that names the service: project, or a tag of the event."
    )
    new_issues: bool = Field(
        default=False, description="Whether every new issue is an alert, not only those of alert rules."
    )


class _Event(Theirs):
    issue_id: str | int
    title: str
    level: str = "error"
    culprit: str | None = None
    datetime_: datetime | None = Field(default=None, alias="datetime")
    environment: str | None = None
    release: str | None = None
    tags: tuple[tuple[str, str | None], ...] | None = None
    url: str = ""
    web_url: str = ""


class _EventData(Theirs):
    event: _Event
    triggered_rule: str = ""


class _EventAlert(Theirs):
    data: _EventData


class _Rule(Theirs):
    id: str | int
    name: str
    environment: str | None = None
    projects: tuple[str, ...] | None = None


class _Metric(Theirs):
    alert_rule: _Rule
    date_detected: datetime | None = None
    date_started: datetime | None = None
    date_closed: datetime | None = None


class _MetricData(Theirs):
    metric_alert: _Metric
    description_text: str = ""
    web_url: str = ""


class _MetricAlert(Theirs):
    action: Literal["critical", "warning", "resolved"]
    data: _MetricData


class _Project(Theirs):
    slug: str


class _Issue(Theirs):
    id: str | int
    title: str
    level: str = "error"
    culprit: str | None = None
    permalink: str | None = None
    web_url: str | None = None
    firstSeen: datetime | None = None  # noqa: N815 - Sentry's name
    project: _Project


class _IssueData(Theirs):
    issue: _Issue


class _IssueChange(Theirs):
    action: str
    data: _IssueData


class SentrySource(BodySignature):
    """Implements `AlertSource`. An issue is one trouble, also when several rules name it."""

    def __init__(self, name: str, settings: SentrySourceSettings, context: AlertContext) -> None:
        super().__init__(settings, _SIGNATURE)
        self._make = FindingMaker(name, settings, context)
        self._new_issues = settings.new_issues
        self._readers: Mapping[str, Callable[[bytes], SaidAlert | None]] = {
            "event_alert": _event,
            "metric_alert": _metric,
            "issue": self._issue,
        }

    def read(self, delivery: InboundDelivery) -> Reading:
        reader = self._readers.get(delivery.header("Sentry-Hook-Resource"))
        said = reader(delivery.body) if reader else None
        findings = [self._make.finding(said, delivery.time)] if said else []
        return Reading(findings, once=delivery.header(_SIGNATURE))

    def _issue(self, body: bytes) -> SaidAlert | None:
        change = parsed(_IssueChange, body)
        issue = change.data.issue
        firing = change.action in ("created", "unresolved")
        over = change.action in ("resolved", "archived", "ignored")
        if not over and not (firing and self._new_issues):
            return None
        return SaidAlert(
            id=f"issue/{issue.id}",
            title=issue.title,
            at=issue.firstSeen if change.action == "created" else None,
            firing=firing,
            labels={"project": issue.project.slug, "level": issue.level},
            severity=severity_of(issue.level) or Severity.MEDIUM,
            text=issue.culprit or "",
            url=issue.web_url or issue.permalink or "",
        )


def _event(body: bytes) -> SaidAlert:
    data = parsed(_EventAlert, body).data
    event = data.event
    project = _PROJECT.search(event.url)
    known = {
        "project": project[1] if project else "",
        "environment": event.environment or "",
        "level": event.level,
        "release": event.release or "",
        "rule": data.triggered_rule,
    }
    known = {name: value for name, value in known.items() if value}
    tags = {name: value for name, value in event.tags or () if value and name not in (*known, "user")}
    return SaidAlert(
        id=f"issue/{event.issue_id}",
        title=event.title,
        at=event.datetime_,
        firing=True,
        labels={**known, **tags},
        severity=severity_of(event.level) or Severity.MEDIUM,
        text=event.culprit or "",
        url=event.web_url,
    )


def _metric(body: bytes) -> SaidAlert:
    alert = parsed(_MetricAlert, body)
    metric, rule = alert.data.metric_alert, alert.data.metric_alert.alert_rule
    firing = alert.action != "resolved"
    projects = rule.projects or ()
    labels = {"environment": rule.environment or "", "project": projects[0] if len(projects) == 1 else ""}
    return SaidAlert(
        id=f"metric/{rule.id}",
        title=rule.name,
        at=(metric.date_detected or metric.date_started) if firing else metric.date_closed,
        firing=firing,
        labels={"rule": rule.name, **{name: value for name, value in labels.items() if value}},
        severity=_METRIC[alert.action],
        text=alert.data.description_text,
        url=alert.data.web_url,
    )


KIND = alert_source_kind(SentrySourceSettings, SentrySource)
