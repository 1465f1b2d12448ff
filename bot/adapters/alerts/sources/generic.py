"""Alerts as signed JSON, from programs of one's own: HMAC-SHA256 over timestamp and body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from bot.adapters import signing
from bot.adapters.alerts.sources.delivery import BadDelivery, InboundDelivery, Reading, Theirs, parsed
from bot.adapters.alerts.sources.findings import AlertContext, FindingMaker, SaidAlert
from bot.adapters.alerts.sources.kind import alert_source_kind
from bot.adapters.alerts.sources.signed import SignedSettings
from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.kinds import SettingsProblem
from bot.values import Duration

_MOST = 1000


class GenericSettings(SignedSettings):
    """Alerts as JSON, signed as Slipway signs its own webhooks."""

    kind: Literal["generic"]
    window: Duration = Field(
        default=signing.TOLERANCE_S,
        description="How old a delivery may be; within it, each is taken once. 5m by default.",
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        if self.window > 3600:
            yield SettingsProblem(("window",), "must be at most 1h: so long each delivery is remembered.")


class _Alert(Theirs, extra="forbid"):
    fingerprint: str = Field(min_length=1, max_length=1000)
    title: str = Field(min_length=1)
    state: Literal["firing", "resolved"] = "firing"
    severity: str = ""
    service: str = ""
    environment: str = ""
    at: datetime | None = None
    text: str = ""
    value: str = ""
    limit: str = ""
    runbook: str = ""
    url: str = ""
    labels: Mapping[str, str] = {}


class _Delivery(Theirs, extra="forbid"):
    id: str = Field(default="", max_length=200)
    alerts: tuple[_Alert, ...] = Field(max_length=_MOST)


class GenericSource:
    """Implements `AlertSource`."""

    def __init__(self, name: str, settings: GenericSettings, context: AlertContext) -> None:
        self._make = FindingMaker(name, settings, context)
        self._settings = settings

    def stranger(self, headers: Mapping[str, str]) -> str:
        missing = [name for name in (signing.TIMESTAMP, signing.SIGNATURE) if not headers.get(name.lower())]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing." if missing else ""

    def forged(self, delivery: InboundDelivery) -> str:
        timestamp, signed = delivery.header(signing.TIMESTAMP), delivery.header(signing.SIGNATURE)
        secret = self._settings.secret.reveal()
        return signing.problem(
            secret, timestamp, signed, delivery.body, delivery.at, tolerance_s=self._settings.window
        )

    def read(self, delivery: InboundDelivery) -> Reading:
        found = parsed(_Delivery, delivery.body)
        unknown = [
            n for n, one in enumerate(found.alerts) if one.severity and severity_of(one.severity) is None
        ]
        if unknown:
            places = ", ".join(f"alerts[{n}].severity" for n in unknown[:20])
            raise BadDelivery(f"Not a severity: {places}. Known: critical, high, medium, low.")
        findings = [self._make.finding(self._said(alert), delivery.time) for alert in found.alerts]
        # The id stays when a delivery is signed again after no answer came.
        return Reading(findings, once=found.id or delivery.header(signing.SIGNATURE))

    def _said(self, alert: _Alert) -> SaidAlert:
        settings = self._settings
        named = {
            settings.service_label: alert.service,
            settings.environment_label: alert.environment,
            **dict.fromkeys(settings.severity_labels[:1], alert.severity),
        }
        return SaidAlert(
            id=alert.fingerprint,
            title=alert.title,
            at=alert.at,
            firing=alert.state == "firing",
            labels={**{name: value for name, value in named.items() if value}, **alert.labels},
            severity=severity_of(alert.severity) or Severity.MEDIUM,
            text=alert.text,
            value=alert.value,
            limit=alert.limit,
            runbook=alert.runbook,
            url=alert.url,
        )


KIND = alert_source_kind(GenericSettings, GenericSource)
