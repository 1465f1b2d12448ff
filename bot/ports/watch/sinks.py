"""Sinks of alerts: what is told of them beside Discord."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity


@dataclass(frozen=True, slots=True)
class AlertSnapshot:
    """An alert as sinks are told it. Texts are of any content, as long as those of findings.

    key: the same from its beginning to its end, and no other alert's (≤ 100 characters of ASCII). since: when it
    began. at: when it became what it is now. url: its message in Discord. acknowledged_by and last_deploy: as people
    read them; empty where there is none. suspected: whether the last deploy is a plausible cause. silent: no one is to
    be called for it now.
    """

    id: int
    key: str
    severity: Severity
    title: str
    state: AlertState
    since: datetime
    at: datetime
    lane: Lane | None = None
    text: str = ""
    value: str = ""
    limit: str = ""
    url: str = ""
    runbook: str = ""
    acknowledged_by: str = ""
    last_deploy: str = ""
    suspected: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a sink knows of an alert: what it was told last."""

    state: AlertState
    severity: Severity


class AlertSink(Protocol):
    """One entry of `sinks:`. Whether there is news for it is decided before: see `bot.engine.watch.alerts.sinks`."""

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        """What `deliver` does, after "would", such as `open an issue in acme/ops`; empty when that is nothing."""
        ...

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        """Tell it, and return what the other side said of it, for people; may be empty.

        It may be called again when it is not known whether it was told: to repeat it is better than to leave it out.
        Raises `Unreachable`, `RateLimited`: try again; `SinkRefused`: do not.
        """
        ...
