"""Webhooks of GitHub: failed workflows and deployments, alerts of code and secret scanning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from bot.adapters.alerts.sources.delivery import InboundDelivery, Reading, Theirs, parsed
from bot.adapters.alerts.sources.findings import AlertContext, FindingMaker, SaidAlert
from bot.adapters.alerts.sources.kind import alert_source_kind
from bot.adapters.alerts.sources.signed import BodySignature, SignedSettings
from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.values import Names, Text

_FAILED = ("failure", "timed_out", "startup_failure")
_BEGINS = ("created", "reopened", "reopened_by_user", "appeared_in_branch", "publicly_leaked")
_ENDS = ("fixed", "closed_by_user", "resolved")


class GithubSourceSettings(SignedSettings):
    """Webhooks of repositories or an organization on GitHub, of content type `application/json`."""

    kind: Literal["github"]
    service_label: Text = Field(
        default="repository", description="The label that names the service: repository, workflow or branch."
    )
    branches: Names | None = Field(
        default=None,
        description="Branches with workflows that must not fail; each default branch by default.",
    )


class _Repository(Theirs):
    name: str
    full_name: str
    default_branch: str = ""


class _Event(Theirs):
    action: str = ""
    repository: _Repository


class _Run(Theirs):
    workflow_id: int
    name: str | None = None
    display_title: str | None = None
    event: str
    head_branch: str | None
    head_sha: str
    conclusion: str | None
    html_url: str
    updated_at: datetime


class _WorkflowRun(_Event):
    workflow_run: _Run


class _Status(Theirs):
    state: str
    environment: str | None = None
    description: str | None = None
    log_url: str | None = None
    target_url: str | None = None
    created_at: datetime


class _Deployment(Theirs):
    environment: str
    ref: str


class _DeploymentStatus(_Event):
    deployment_status: _Status
    deployment: _Deployment


class _Rule(Theirs):
    description: str
    severity: str | None = None


class _CodeAlert(Theirs):
    number: int
    html_url: str
    rule: _Rule


class _CodeScanning(_Event):
    alert: _CodeAlert


class _SecretAlert(Theirs):
    number: int
    html_url: str
    secret_type: str | None = None
    secret_type_display_name: str | None = None
    publicly_leaked: bool | None = None


class _SecretScanning(_Event):
    alert: _SecretAlert


class _Issue(Theirs):
    number: int


class _Issues(_Event):
    issue: _Issue


class GithubSource(BodySignature):
    """Implements `AlertSource`. What begins and ends is known by the same workflow, environment or number."""

    def __init__(self, name: str, settings: GithubSourceSettings, context: AlertContext) -> None:
        super().__init__(settings, "X-Hub-Signature-256", "sha256=")
        self._make = FindingMaker(name, settings, context)
        self._branches = settings.branches
        self._readers: Mapping[str, Callable[[bytes], SaidAlert | None]] = {
            "workflow_run": self._workflow,
            "deployment_status": _deployed,
            "code_scanning_alert": _code,
            "secret_scanning_alert": _secret,
        }

    def read(self, delivery: InboundDelivery) -> Reading:
        if delivery.header("X-GitHub-Event") == "issues":
            return Reading(closed_issues=_closed(delivery.body))
        reader = self._readers.get(delivery.header("X-GitHub-Event"))
        said = reader(delivery.body) if reader else None
        findings = [self._make.finding(said, delivery.time)] if said else []
        # The signature: the id in the headers is not signed.
        return Reading(findings, once=delivery.header("X-Hub-Signature-256"))

    def _workflow(self, body: bytes) -> SaidAlert | None:
        event = parsed(_WorkflowRun, body)
        run, repository = event.workflow_run, event.repository
        failed = run.conclusion in _FAILED
        # A pull request's branch may be of a fork, where anyone chooses its name.
        ours = not run.event.startswith("pull_request")
        branches = self._branches if self._branches is not None else (repository.default_branch,)
        counts = event.action == "completed" and (failed or run.conclusion == "success")
        if not (counts and ours and run.head_branch in branches):
            return None
        name = run.name or "A workflow"
        more = {"workflow": name, "branch": run.head_branch or "", "commit": run.head_sha[:12]}
        return SaidAlert(
            id=f"workflow/{repository.full_name}/{run.workflow_id}/{run.head_branch}",
            title=f"{name} failed on {run.head_branch} of {repository.name}",
            at=run.updated_at,
            firing=failed,
            labels=_labels(repository, **more),
            text=run.display_title or "",
            url=run.html_url,
        )


def _closed(body: bytes) -> Sequence[str]:
    """The issue that was closed. One that is closed and opened again is no news: who asks GitHub sees what it is."""
    event = parsed(_Issues, body)
    name = f"{event.repository.full_name}#{event.issue.number}"
    return (name,) if event.action == "closed" else ()


def _deployed(body: bytes) -> SaidAlert | None:
    event = parsed(_DeploymentStatus, body)
    status, repository = event.deployment_status, event.repository
    failed = status.state in ("failure", "error")
    if not failed and status.state != "success":
        return None
    environment = status.environment or event.deployment.environment
    return SaidAlert(
        id=f"deployment/{repository.full_name}/{environment}",
        title=f"Deployment of {repository.name} to {environment} failed",
        at=status.created_at,
        firing=failed,
        labels=_labels(repository, environment=environment, ref=event.deployment.ref),
        severity=Severity.HIGH,
        text=status.description or "",
        url=status.log_url or status.target_url or "",
    )


def _code(body: bytes) -> SaidAlert | None:
    event = parsed(_CodeScanning, body)
    if event.action not in (*_BEGINS, *_ENDS):
        return None
    alert = event.alert
    return SaidAlert(
        id=f"code-scanning/{event.repository.full_name}/{alert.number}",
        title=f"Code scanning of {event.repository.name}: {alert.rule.description}",
        at=None,
        firing=event.action in _BEGINS,
        labels=_labels(event.repository),
        severity=severity_of(alert.rule.severity or "") or Severity.MEDIUM,
        url=alert.html_url,
    )


def _secret(body: bytes) -> SaidAlert | None:
    event = parsed(_SecretScanning, body)
    if event.action not in (*_BEGINS, *_ENDS):
        return None
    alert = event.alert
    leaked = bool(alert.publicly_leaked) or event.action == "publicly_leaked"
    what = alert.secret_type_display_name or alert.secret_type or "a secret"
    return SaidAlert(
        id=f"secret-scanning/{event.repository.full_name}/{alert.number}",
        title=f"Secret in {event.repository.name}: {what}",
        at=None,
        firing=event.action in _BEGINS,
        labels=_labels(event.repository),
        severity=Severity.CRITICAL if leaked else Severity.HIGH,
        text="It is public. Revoke it." if leaked else "",
        url=alert.html_url,
    )


def _labels(repository: _Repository, **more: str) -> Mapping[str, str]:
    return {"repository": repository.name, "full_name": repository.full_name, **more}


KIND = alert_source_kind(GithubSourceSettings, GithubSource)
