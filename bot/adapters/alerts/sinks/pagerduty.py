"""PagerDuty: one incident for each alert, through its Events API v2."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.http_client import SinkContext, insecure, send, sink_kind
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import HttpUrl, SecretText

_SUMMARY = 1024
_SEVERITIES: Mapping[Severity, str] = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}
_ACTIONS = {
    AlertState.FIRING: "trigger",
    AlertState.ACKNOWLEDGED: "acknowledge",
    AlertState.RESOLVED: "resolve",
}


class PagerdutySettings(SinkSettings):
    """Incidents of a PagerDuty service with an Events API v2 integration."""

    kind: Literal["pagerduty"]
    routing_key: SecretText = Field(description="The integration key: ${NAME}.")
    url: HttpUrl = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where events are sent; change it for the EU: https://events.eu.pagerduty.com/v2/enqueue.",
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from insecure("url", self.url)


class PagerdutySink:
    """Implements `bot.ports.watch.sinks.AlertSink`. The alert's key is the deduplication key throughout."""

    def __init__(self, name: str, settings: PagerdutySettings, context: SinkContext) -> None:
        self._settings = settings
        self._session = context.session

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        return " and ".join(f"{action} an incident in PagerDuty" for action in _actions(alert, known))

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        actions = _actions(alert, known)
        for action in actions:
            await self._send(self._event(alert, action))
        return f"{' and '.join(actions)} accepted."

    async def _send(self, event: Mapping[str, Any]) -> None:
        reply = await send(
            self._session,
            "PagerDuty",
            "POST",
            self._settings.url,
            body=json.dumps(event).encode(),
            headers={"Content-Type": "application/json"},
            timeout_s=self._settings.timeout,
        )
        if reply.status != 202:
            raise reply.refusal("PagerDuty")

    def _event(self, alert: AlertSnapshot, action: str) -> dict[str, Any]:
        event: dict[str, Any] = {
            "routing_key": self._settings.routing_key.reveal(),
            "event_action": action,
            "dedup_key": alert.key,
        }
        if action == "trigger":
            event["payload"] = _payload(alert)
            event["links"] = [{"href": url, "text": name} for name, url in wording.links(alert)]
            event["client"] = "Slipway"
            if alert.url:
                event["client_url"] = alert.url
        return event


def _actions(alert: AlertSnapshot, known: Known | None) -> tuple[str, ...]:
    """An event about an incident that PagerDuty does not know would be dropped: it is triggered first."""
    action = _ACTIONS[alert.state]
    if known is None and alert.state is not AlertState.FIRING:
        return ("trigger", action) if alert.state is AlertState.ACKNOWLEDGED else ()
    return (action,)


def _payload(alert: AlertSnapshot) -> dict[str, Any]:
    of_the_lane = {"component": alert.lane.service, "group": alert.lane.environment} if alert.lane else {}
    said = wording.text(alert)
    return {
        "summary": wording.title(alert)[:_SUMMARY],
        "source": str(alert.lane) if alert.lane else "slipway",
        "severity": _SEVERITIES[alert.severity],
        "timestamp": alert.since.isoformat(),
        **of_the_lane,
        "custom_details": {**dict(wording.details(alert)), **({"Text": said} if said else {})},
    }


KIND = sink_kind(PagerdutySettings, PagerdutySink)
