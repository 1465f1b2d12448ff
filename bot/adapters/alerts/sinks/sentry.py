"""Sentry: an event for each alert that begins or gets worse, made by `sentry-sdk` and sent to one DSN."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bot import __version__
from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.http_client import SinkContext, insecure, send, sink_kind
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import SecretText

if TYPE_CHECKING:
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.types import Event

_CLIENT = f"slipway/{__version__}"
_LEVELS: Mapping[Severity, Any] = {
    Severity.CRITICAL: "fatal",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}


class SentrySinkSettings(SinkSettings):
    """Events of a project of Sentry. An issue is closed there: events cannot end one."""

    kind: Literal["sentry"]
    dsn: SecretText = Field(description="The project's DSN: ${NAME}.")

    def problems(self) -> Iterator[SettingsProblem]:
        from sentry_sdk.utils import BadDsn, Dsn

        try:
            Dsn(self.dsn.reveal())
        except (BadDsn, ValueError):
            yield SettingsProblem(
                ("dsn",), "is no DSN of Sentry.", "Client Keys (DSN) in the project's settings."
            )
            return
        yield from insecure("dsn", self.dsn.reveal())


class SentrySink:
    """Implements `bot.ports.watch.sinks.AlertSink`."""

    def __init__(self, name: str, settings: SentrySinkSettings, context: SinkContext) -> None:
        self._settings = settings
        self._session = context.session

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        worse = known is None or alert.severity.rank < known.severity.rank
        if not worse or alert.state is AlertState.RESOLVED:
            return ""
        return f"send an event of level {_LEVELS[alert.severity]} to Sentry"

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        from sentry_sdk.consts import EndpointType
        from sentry_sdk.utils import Dsn

        if not self.says(alert, known):
            return "nothing to say."
        access = Dsn(self._settings.dsn.reveal()).to_auth(_CLIENT)
        envelope = self._maker.envelope(_event(alert))
        reply = await send(
            self._session,
            "Sentry",
            "POST",
            access.get_api_url(EndpointType.ENVELOPE),
            body=envelope.serialize(),
            headers={
                "Content-Type": "application/x-sentry-envelope",
                "X-Sentry-Auth": access.to_header(),
                "User-Agent": _CLIENT,
            },
            timeout_s=self._settings.timeout,
        )
        if reply.status != 200:
            raise reply.refusal("Sentry")
        return "event taken."

    @cached_property
    def _maker(self) -> _Maker:
        return _Maker(self._settings.dsn.reveal())


class _Maker:
    """Makes envelopes as the SDK does, and sends none of them."""

    def __init__(self, dsn: str) -> None:
        from sentry_sdk import Client
        from sentry_sdk.transport import Transport

        kept: list[Envelope] = []

        class Keeping(Transport):
            def capture_envelope(self, envelope: Envelope) -> None:
                kept.append(envelope)

        self._kept = kept
        # Nothing of this process goes along: no integrations, no sessions, no names of the machine.
        self._client = Client(
            dsn=dsn,
            transport=Keeping(),
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            send_client_reports=False,
            include_local_variables=False,
            attach_stacktrace=False,
            max_breadcrumbs=0,
            server_name="slipway",
            release=f"slipway@{__version__}",
            environment="production",
        )

    def envelope(self, event: Event) -> Envelope:
        from sentry_sdk import Scope

        self._client.capture_event(event, scope=Scope(client=self._client))
        return self._kept.pop()


def _event(alert: AlertSnapshot) -> Event:
    # Sentry takes each id once, so an event that is sent again is no second one.
    named = f"{alert.key}/{alert.severity}/{int(alert.since.timestamp())}"
    tags = {"severity": str(alert.severity)}
    event: Event = {
        "event_id": hashlib.sha256(named.encode()).hexdigest()[:32],
        "level": _LEVELS[alert.severity],
        "logger": "slipway",
        "timestamp": alert.since,
        "fingerprint": ["slipway", alert.key],
        "logentry": {"formatted": wording.title(alert)},
        "extra": {
            **dict(wording.details(alert)),
            **dict(wording.links(alert)),
            "Text": wording.text(alert),
        },
    }
    if alert.lane is not None:
        event["environment"] = alert.lane.environment
        tags["service"] = alert.lane.service
    event["tags"] = tags
    return event


KIND = sink_kind(SentrySinkSettings, SentrySink)
