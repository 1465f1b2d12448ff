"""Webhooks of an Alertmanager, version 4 of the format. It cannot sign: a token or a password admits it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import structlog
from pydantic import Field

from bot.adapters.alerts.sources.delivery import InboundDelivery, Reading, Theirs, parsed
from bot.adapters.alerts.sources.findings import AlertContext, FindingMaker, SaidAlert
from bot.adapters.alerts.sources.kind import alert_source_kind
from bot.adapters.alerts.sources.signed import too_short
from bot.adapters.signing import same
from bot.kinds import AlertSourceSettings, SettingsProblem
from bot.values import SecretText, Text

_log = structlog.get_logger(__name__)


class AlertmanagerSettings(AlertSourceSettings):
    """Alerts of a Prometheus Alertmanager: its `webhook_configs` point to `/alerts/NAME`."""

    kind: Literal["alertmanager"]
    token: SecretText | None = Field(
        default=None, description="For bearer authentication: ${NAME}; 16 characters or more."
    )
    user: Text | None = Field(default=None, description="For basic authentication.")
    password: SecretText | None = Field(default=None, description="For basic authentication: ${NAME}.")

    def problems(self) -> Iterator[SettingsProblem]:
        if (self.token is None) == (self.password is None):
            yield SettingsProblem((), "an Alertmanager is admitted by either token or user and password.")
        if (self.user is None) != (self.password is None):
            yield SettingsProblem((), "user and password belong together.")
        for key, secret in (("token", self.token), ("password", self.password)):
            if secret is not None:
                yield from too_short(key, secret)


class _Alert(Theirs):
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = {}
    startsAt: datetime  # noqa: N815 - the Alertmanager's names
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    fingerprint: str = Field(min_length=1)


class _Webhook(Theirs):
    version: Literal["4"]
    truncatedAlerts: int = 0  # noqa: N815
    alerts: tuple[_Alert, ...]


class AlertmanagerSource:
    """Implements `AlertSource`. Each alert of a group is a finding, by the Alertmanager's own fingerprint."""

    def __init__(self, name: str, settings: AlertmanagerSettings, context: AlertContext) -> None:
        self._name = name
        self._make = FindingMaker(name, settings, context)
        if settings.token is not None:
            self._expected = ("bearer", settings.token.reveal())
        else:
            password = settings.password.reveal() if settings.password else ""
            pair = f"{settings.user}:{password}".encode()
            self._expected = ("basic", base64.b64encode(pair).decode())

    def stranger(self, headers: Mapping[str, str]) -> str:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected, secret = self._expected
        # Compared even if the scheme is wrong, to reveal nothing.
        if same(secret, given.strip()) and scheme.lower() == expected:
            return ""
        return f"Send the {expected} credentials of this alert source in Authorization."

    def forged(self, delivery: InboundDelivery) -> str:
        return ""

    def read(self, delivery: InboundDelivery) -> Reading:
        """May be taken any number of times: what still fires is repeated on purpose."""
        webhook = parsed(_Webhook, delivery.body)
        if webhook.truncatedAlerts:
            # Beyond its `max_alerts`: nothing here can get them.
            _log.warning("alerts_truncated", source=self._name, left_out=webhook.truncatedAlerts)
        return Reading([self._make.finding(_said(alert), delivery.time) for alert in webhook.alerts])


def _said(alert: _Alert) -> SaidAlert:
    notes = alert.annotations
    firing = alert.status == "firing"
    return SaidAlert(
        id=alert.fingerprint,
        title=notes.get("summary") or notes.get("title") or alert.labels.get("alertname", ""),
        at=alert.startsAt if firing else alert.endsAt,
        firing=firing,
        labels=alert.labels,
        text=notes.get("description") or notes.get("message", ""),
        value=notes.get("value", ""),
        limit=notes.get("limit") or notes.get("threshold", ""),
        runbook=notes.get("runbook_url", ""),
        url=alert.generatorURL,
    )


KIND = alert_source_kind(AlertmanagerSettings, AlertmanagerSource)
