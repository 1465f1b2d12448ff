"""What other programs send, read into findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.alerts.sources.delivery import AlertSource, BadDelivery
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding, Severity
from tests.fakes.github import webhook
from tests.support.alert_sources import (
    NOW,
    alertmanager_alert,
    alertmanager_body,
    basic,
    bearer,
    by_github,
    by_sentry,
    by_us,
    delivery,
    sources,
)

PRODUCTION = Lane("checkout", "production")
GUILD = 1459747831315891395
AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def known(tmp_path: Path) -> Mapping[str, AlertSource]:
    return sources(tmp_path)


def one(source: AlertSource, body: Mapping[str, Any], **headers: str) -> Finding:
    (found,) = source.read(delivery(body, **headers)).findings
    return found


def sentry(resource: str) -> dict[str, str]:
    return {"sentry_hook_resource": resource}


def github(event: str) -> dict[str, str]:
    return {"x_github_event": event}


# ---- Alertmanager ------------------------------------------------------------------------------------------


def test_an_alert_of_an_alertmanager_becomes_a_finding_of_its_lane(known: Mapping[str, AlertSource]) -> None:
    assert one(known["prometheus"], alertmanager_body()) == Finding(
        fingerprint="prometheus/9f3c2d0a1b4e5f60",
        source="prometheus",
        title="checkout fails",
        at=datetime(2026, 11, 22, 14, 52, 26, 739266, tzinfo=UTC),
        severity=Severity.CRITICAL,
        lane=PRODUCTION,
        text="5% of requests fail.",
        value="5%",
        limit="1%",
        runbook="https://runbooks.example.com/errors",
        url="http://prometheus.example.com/graph?g0.expr=up",
        labels=alertmanager_alert()["labels"],
    )


def test_its_end_has_the_same_fingerprint_and_the_time_of_the_end(known: Mapping[str, AlertSource]) -> None:
    over = alertmanager_alert(status="resolved", endsAt="2026-11-22T14:58:00Z")
    begins, ends = (
        known["prometheus"]
        .read(delivery(alertmanager_body(alertmanager_alert(), over, status="resolved")))
        .findings
    )
    assert begins.fingerprint == ends.fingerprint
    assert (begins.firing, ends.firing) == (True, False)
    assert ends.at == datetime(2026, 11, 22, 14, 58, tzinfo=UTC)


def test_the_same_alert_of_two_sources_is_two_troubles(known: Mapping[str, AlertSource]) -> None:
    body = alertmanager_body()
    assert one(known["prometheus"], body).fingerprint != one(known["basic"], body).fingerprint


@pytest.mark.parametrize(
    ("labels", "lane", "guilds"),
    [
        ({"service": "checkout", "environment": "staging"}, Lane("checkout", "staging"), ()),
        ({"service": "checkout", "environment": "prod"}, PRODUCTION, ()),
        ({"service": "checkout"}, None, (GUILD,)),
        ({"service": "chekout", "environment": "production"}, None, (GUILD,)),
        ({}, None, (GUILD,)),
    ],
)
def test_labels_name_the_lane_and_alerts_of_no_lane_go_to_the_source_s_servers(
    known: Mapping[str, AlertSource], labels: dict[str, str], lane: Lane | None, guilds: tuple[int, ...]
) -> None:
    found = one(known["prometheus"], alertmanager_body(alertmanager_alert(labels=labels)))
    assert (found.lane, found.guilds) == (lane, guilds)


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        ({"severity": "critical"}, Severity.CRITICAL),
        ({"severity": "P2"}, Severity.HIGH),
        ({"severity": "unheard of", "priority": "p1"}, Severity.CRITICAL),
        ({"priority": "warning"}, Severity.MEDIUM),
        ({"severity": "info", "priority": "p1"}, Severity.LOW),
        ({}, Severity.MEDIUM),
    ],
)
def test_the_first_known_word_is_the_severity(
    known: Mapping[str, AlertSource], labels: dict[str, str], severity: Severity
) -> None:
    assert one(known["prometheus"], alertmanager_body(alertmanager_alert(labels=labels))).severity == severity


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "2026-11-22T15:00:01Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_is_the_time_of_the_delivery(known: Mapping[str, AlertSource], at: str) -> None:
    assert one(known["prometheus"], alertmanager_body(alertmanager_alert(startsAt=at))).at == AT


def test_every_mistake_of_a_delivery_is_said_at_once_and_nothing_of_it_quoted(
    known: Mapping[str, AlertSource],
) -> None:
    bad = alertmanager_body(
        alertmanager_alert(labels={"a": 1}, status="hunter2"), {"labels": {}}, version="3"
    )
    with pytest.raises(BadDelivery) as said:
        known["prometheus"].read(delivery(bad))
    sentence = str(said.value)
    for place in (
        "version: should be '4'",
        "alerts[0].status: should be 'firing' or 'resolved'",
        "alerts[0].labels.a: should be a valid string",
        "alerts[1].startsAt: is missing",
        "alerts[1].fingerprint: is missing",
    ):
        assert place in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN,"])
def test_a_body_that_is_not_json_is_said_to_be_none(known: Mapping[str, AlertSource], body: bytes) -> None:
    for name, headers in (
        ("prometheus", {}),
        ("own", {}),
        ("sentry", sentry("issue")),
        ("github", github("workflow_run")),
    ):
        with pytest.raises(BadDelivery, match="not JSON"):
            known[name].read(delivery(body, **headers))


def test_a_list_of_mistakes_ends(known: Mapping[str, AlertSource]) -> None:
    with pytest.raises(BadDelivery, match=r"and 80 more\.$"):
        known["prometheus"].read(delivery(alertmanager_body(*[{} for _ in range(25)])))


def test_an_alertmanager_is_admitted_by_its_token_or_its_password(known: Mapping[str, AlertSource]) -> None:
    token, password = known["prometheus"], known["basic"]
    assert token.stranger(bearer()) == "" and password.stranger(basic()) == ""
    strangers = (
        {},
        bearer("wrong"),
        basic(),
        {"authorization": "Bearer"},
        {"authorization": "Bearer \u00e9\ud800"},
    )
    assert all(token.stranger(headers) for headers in strangers)
    assert all(
        password.stranger(headers) for headers in (bearer(), basic("other"), basic(password="wrong"), {})
    )


# ---- generic -----------------------------------------------------------------------------------------------


def test_an_alert_of_one_s_own_says_what_it_wants(known: Mapping[str, AlertSource]) -> None:
    found = one(
        known["own"],
        {
            "alerts": [
                {
                    "fingerprint": "backup",
                    "title": "No backup since yesterday",
                    "severity": "high",
                    "service": "checkout",
                    "environment": "production",
                    "at": "2026-11-22T14:00:00Z",
                    "text": "The last one failed.",
                    "labels": {"host": "db-1"},
                }
            ]
        },
    )
    assert (found.fingerprint, found.severity, found.lane, found.firing) == (
        "own/backup",
        Severity.HIGH,
        PRODUCTION,
        True,
    )
    assert found.labels["host"] == "db-1"
    assert found.at == datetime(2026, 11, 22, 14, tzinfo=UTC)


def test_the_end_of_one_s_own_alert_needs_its_name_only(known: Mapping[str, AlertSource]) -> None:
    found = one(
        known["own"], {"alerts": [{"fingerprint": "backup", "title": "Backup is there", "state": "resolved"}]}
    )
    assert (found.firing, found.at, found.severity) == (False, AT, Severity.MEDIUM)


def test_a_mistyped_key_or_severity_is_a_mistake(known: Mapping[str, AlertSource]) -> None:
    alert = {"fingerprint": "x", "title": "x"}
    with pytest.raises(BadDelivery, match=r"alerts\[0\].severty"):
        known["own"].read(delivery({"alerts": [alert | {"severty": "high"}]}))
    with pytest.raises(BadDelivery, match=r"Not a severity: alerts\[1\].severity"):
        known["own"].read(delivery({"alerts": [alert, alert | {"severity": "very"}]}))


def test_a_signature_holds_for_five_minutes_and_for_this_body(known: Mapping[str, AlertSource]) -> None:
    body = b'{"alerts": []}'
    source = known["own"]

    def forged(headers: dict[str, str], said: bytes = body) -> str:
        return source.forged(delivery(said, **headers))

    assert forged(by_us(body)) == "" and forged(by_us(body, at=NOW - 300)) == ""
    assert "more than 300 s" in forged(by_us(body, at=NOW - 301))
    assert "more than 300 s" in forged(by_us(body, at=NOW + 301))
    assert "does not match" in forged(by_us(body), b'{"alerts":[]}')
    assert "does not match" in forged(by_us(body, secret="other"))
    assert "missing" in source.stranger({})


# ---- GitHub ------------------------------------------------------------------------------------------------

REPOSITORY = {"name": "checkout", "full_name": "acme/checkout", "default_branch": "main"}
STRANGE = {"name": "other", "full_name": "acme/other", "default_branch": "main"}


def run(conclusion: str | None, **over: Any) -> dict[str, Any]:
    said = {
        "name": "CI",
        "conclusion": conclusion,
        "head_branch": "main",
        "event": "push",
        "workflow_id": 7,
        "updated_at": "2026-11-22T14:50:00Z",
        "status": "completed",
    }
    return webhook(
        "workflow-run-completed", action="completed", repository=REPOSITORY, workflow_run=said | over
    )


def test_a_workflow_that_fails_on_the_default_branch_fires_until_it_succeeds(
    known: Mapping[str, AlertSource],
) -> None:
    failed = one(known["github"], run("failure"), **github("workflow_run"))
    assert failed.title == "CI failed on main of checkout"
    assert failed.at == datetime(2026, 11, 22, 14, 50, tzinfo=UTC)
    over = one(known["github"], run("success"), **github("workflow_run"))
    assert (failed.firing, over.firing) == (True, False)
    assert failed.fingerprint == over.fingerprint == "github/workflow/acme/checkout/7/main"


@pytest.mark.parametrize(
    "over",
    [
        {"conclusion": "cancelled"},
        {"conclusion": "skipped"},
        {"conclusion": None},
        {"head_branch": "feature"},
        {"head_branch": None},
        {"event": "pull_request"},  # a fork's branch may be called main
        {"event": "pull_request_target"},
    ],
)
def test_other_workflows_are_no_alert(known: Mapping[str, AlertSource], over: dict[str, Any]) -> None:
    body = run(**{"conclusion": "failure"} | over)
    assert not known["github"].read(delivery(body, **github("workflow_run"))).findings


@pytest.mark.parametrize(("state", "firing"), [("failure", True), ("error", True), ("success", False)])
def test_a_deployment_is_of_its_lane(known: Mapping[str, AlertSource], state: str, firing: bool) -> None:
    body = webhook(
        "deployment-status-created",
        repository=REPOSITORY,
        deployment={"environment": "production", "payload": {}},
        deployment_status={
            "state": state,
            "environment": "production",
            "description": "no space left",
            "created_at": "2026-11-22T14:50:00Z",
        },
    )
    found = one(known["github"], body, **github("deployment_status"))
    assert (found.firing, found.lane, found.severity) == (firing, PRODUCTION, Severity.HIGH)
    assert found.fingerprint == "github/deployment/acme/checkout/production"
    assert found.text == "no space left"


def test_alerts_of_scanning_begin_and_end(known: Mapping[str, AlertSource]) -> None:
    begins, ends = (
        one(
            known["github"],
            webhook(
                f"code-scanning-alert-{what}",
                repository=STRANGE,
                alert={"number": 4, "rule": {"description": "SQL injection", "severity": "error"}},
            ),
            **github("code_scanning_alert"),
        )
        for what in ("created", "fixed")
    )
    assert begins.fingerprint == ends.fingerprint and (begins.firing, ends.firing) == (True, False)
    assert begins.severity == Severity.HIGH and begins.title == "Code scanning of other: SQL injection"
    assert (begins.lane, begins.guilds) == (None, (GUILD,))
    begins, ends = (
        one(
            known["github"],
            webhook(
                f"secret-scanning-alert-{what}",
                repository=STRANGE,
                alert={
                    "number": 4,
                    "html_url": "https://github.com/acme/other/security/secret-scanning/4",
                    "secret_type_display_name": "Discord Bot Token",
                    "publicly_leaked": True,
                },
            ),
            **github("secret_scanning_alert"),
        )
        for what in ("created", "resolved")
    )
    assert begins.fingerprint == ends.fingerprint and (begins.firing, ends.firing) == (True, False)
    assert begins.severity == Severity.CRITICAL and "Discord Bot Token" in begins.title


def test_a_ping_is_welcome_and_no_alert(known: Mapping[str, AlertSource]) -> None:
    for event in ("ping", "push", ""):
        assert not known["github"].read(delivery(webhook("ping"), **github(event))).findings


def test_signatures_of_github_and_sentry_are_over_the_body(known: Mapping[str, AlertSource]) -> None:
    body = b"{}"
    for source, signed in (
        (known["github"], lambda *of: by_github("ping", *of)),
        (known["sentry"], lambda *of: by_sentry("issue", *of)),
    ):
        assert source.stranger(signed(body)) == "" and "missing" in source.stranger({})
        assert source.forged(delivery(body, **signed(body))) == ""
        assert "does not match" in source.forged(delivery(b"{ }", **signed(body)))
        assert "does not match" in source.forged(delivery(body, **signed(body, "other")))


# ---- Sentry ------------------------------------------------------------------------------------------------


def event_alert(**over: Any) -> dict[str, Any]:
    event = {
        "event_id": "e4874d664c3540c1a32eab185f12c5ab",
        "issue_id": "1117540176",
        "level": "fatal",
        "culprit": "pay(cart)",
        "datetime": "2026-11-22T14:59:00.677000Z",
        "environment": "production",
        "project": 1,
        "release": "checkout@1.4.0",
        "tags": [
            ["browser", "Firefox"],
            ["environment", "staging"],
            ["user", "ip:192.0.2.7"],
            ["empty", None],
        ],
        "title": "ReferenceError: heck is not defined",
        "url": "https://sentry.io/api/0/projects/acme/checkout-web/events/e4874d664c3540c1a32eab185f12c5ab/",
        "web_url": "https://sentry.io/organizations/acme/issues/1117540176/events/e48/",
    }
    return {
        "action": "triggered",
        "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        "data": {"event": event | over, "triggered_rule": "New trouble"},
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
    }


def issue(action: str, **over: Any) -> dict[str, Any]:
    said = {
        "id": "1117540176",
        "title": "ReferenceError: heck is not defined",
        "level": "error",
        "culprit": "pay(cart)",
        "firstSeen": "2026-11-22T14:30:00Z",
        "permalink": None,
        "project": {"id": "1", "name": "Checkout", "slug": "checkout-web", "platform": ""},
        "status": "unresolved",
    }
    return {"action": action, "data": {"issue": said | over}}


def test_an_issue_alert_of_sentry_is_of_the_event_s_lane(known: Mapping[str, AlertSource]) -> None:
    found = one(known["sentry"], event_alert(), **sentry("event_alert"))
    assert (found.lane, found.severity, found.firing) == (PRODUCTION, Severity.CRITICAL, True)
    assert found.fingerprint == "sentry/issue/1117540176"
    assert found.at == datetime(2026, 11, 22, 14, 59, 0, 677000, tzinfo=UTC)
    assert found.labels == {
        "project": "checkout-web",
        "environment": "production",
        "level": "fatal",
        "release": "checkout@1.4.0",
        "rule": "New trouble",
        "browser": "Firefox",
    }


@pytest.mark.parametrize("action", ["resolved", "archived", "ignored"])
def test_an_issue_that_is_over_ends_what_an_alert_rule_began(
    known: Mapping[str, AlertSource], action: str
) -> None:
    begun = one(known["sentry"], event_alert(), **sentry("event_alert"))
    over = one(known["sentry"], issue(action), **sentry("issue"))
    assert over.fingerprint == begun.fingerprint and not over.firing


def test_new_issues_are_alerts_where_the_catalog_says_so(known: Mapping[str, AlertSource]) -> None:
    for action, when in (("created", datetime(2026, 11, 22, 14, 30, tzinfo=UTC)), ("unresolved", AT)):
        assert not known["sentry"].read(delivery(issue(action), **sentry("issue"))).findings
        found = one(known["eager"], issue(action), **sentry("issue"))
        assert (found.firing, found.at, found.severity) == (True, when, Severity.HIGH)
    assert not known["eager"].read(delivery(issue("assigned"), **sentry("issue"))).findings
    assert not known["eager"].read(delivery(issue("created"), **sentry("installation"))).findings


@pytest.mark.parametrize(
    ("action", "firing", "severity"),
    [
        ("critical", True, Severity.CRITICAL),
        ("warning", True, Severity.MEDIUM),
        ("resolved", False, Severity.MEDIUM),
    ],
)
def test_a_metric_alert_is_its_rule(
    known: Mapping[str, AlertSource], action: str, firing: bool, severity: Severity
) -> None:
    body = {
        "action": action,
        "data": {
            "description_text": "1000 events in the last 10 minutes",
            "description_title": "Critical: Too many errors",
            "metric_alert": {
                "alert_rule": {
                    "id": "7",
                    "name": "Too many errors",
                    "environment": "production",
                    "projects": ["checkout-web"],
                },
                "date_closed": None,
                "date_detected": "2026-11-22T14:40:00Z",
                "identifier": "1",
            },
            "web_url": "https://sentry.io/organizations/acme/alerts/1/",
        },
    }
    found = one(known["sentry"], body, **sentry("metric_alert"))
    assert (found.firing, found.severity, found.lane) == (firing, severity, PRODUCTION)
    assert found.fingerprint == "sentry/metric/7"
    assert found.at == (datetime(2026, 11, 22, 14, 40, tzinfo=UTC) if firing else AT)


def test_what_sentry_lacks_is_said(known: Mapping[str, AlertSource]) -> None:
    body = event_alert()
    del body["data"]["event"]["title"]
    with pytest.raises(BadDelivery, match=r"data\.event\.title: is missing"):
        known["sentry"].read(delivery(json.dumps(body).encode(), **sentry("event_alert")))
