"""Alert sources of a catalog as it is written, and what other programs send to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.adapters.alerts.sources.delivery import AlertSource, InboundDelivery
from bot.adapters.alerts.sources.receiver import Receiver
from bot.adapters.signing import SIGNATURE, TIMESTAMP, of_body, signature
from bot.composition.adapters import make_alert_sources
from bot.ports.watch.findings import Findings
from tests.support.catalog_files import SOUND, check, write

SECRET = "a-secret-of-alert-sources-with-enough-characters"
NOW = 1_795_359_600.0  # 2026-11-22 15:00 UTC
ENVIRON = {"ALERT_SECRET": SECRET}
SOURCES = """\
alert_sources:
  prometheus: {kind: alertmanager, token: "${ALERT_SECRET}", environments: {prod: production}}
  basic: {kind: alertmanager, user: am, password: "${ALERT_SECRET}"}
  sentry: {kind: sentry, secret: "${ALERT_SECRET}", services: {checkout-web: checkout}}
  eager: {kind: sentry, secret: "${ALERT_SECRET}", new_issues: true}
  github: {kind: github, secret: "${ALERT_SECRET}"}
  own: {kind: generic, secret: "${ALERT_SECRET}"}
"""


def sources(
    folder: Path, written: str = SOURCES, redact: Callable[[str], str] = str
) -> Mapping[str, AlertSource]:
    """The alert sources of a catalog with the lanes checkout/staging and checkout/production."""
    found, mistakes = check(write(folder / "catalog", all=SOUND + written), ENVIRON)
    assert not mistakes, mistakes
    return make_alert_sources(lambda: found, redact)


def receiver(folder: Path, findings: Findings, **more: Any) -> Receiver:
    return Receiver(sources(folder), findings, **{"now": lambda: NOW, **more})


def delivery(body: bytes | Mapping[str, Any], **headers: str) -> InboundDelivery:
    """Names of headers have `_` for `-`."""
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return InboundDelivery(named, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


def bearer(secret: str = SECRET) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def basic(user: str = "am", password: str = SECRET) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def by_github(event: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-github-event": event, "x-hub-signature-256": f"sha256={of_body(secret, body)}"}


def by_sentry(resource: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"sentry-hook-resource": resource, "sentry-hook-signature": of_body(secret, body)}


def by_us(body: bytes, secret: str = SECRET, at: float = NOW) -> dict[str, str]:
    timestamp = str(int(at))
    return {TIMESTAMP.lower(): timestamp, SIGNATURE.lower(): signature(secret, timestamp, body)}


def alertmanager_alert(**over: Any) -> dict[str, Any]:
    """One alert of a webhook of an Alertmanager."""
    return {
        "status": "firing",
        "labels": {
            "alertname": "HighErrorRate",
            "service": "checkout",
            "environment": "production",
            "severity": "page",
        },
        "annotations": {
            "summary": "checkout fails",
            "description": "5% of requests fail.",
            "value": "5%",
            "limit": "1%",
            "runbook_url": "https://runbooks.example.com/errors",
        },
        "startsAt": "2026-11-22T14:52:26.739266876Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": "9f3c2d0a1b4e5f60",
    } | over


def alertmanager_body(*alerts: Mapping[str, Any], **over: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "slipway",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts) or [alertmanager_alert()],
    } | over
