"""Firing alerts as signals of plain rules: `any P1 alert firing`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import aiohttp

from bot.adapters.metrics.context import MetricContext, metric_kind
from bot.adapters.metrics.prometheus.api import (
    FiringAlert,
    UnreadableError,
    alertmanager_alerts,
    prometheus_alerts,
)
from bot.adapters.metrics.prometheus.settings import AlertsSettings
from bot.adapters.metrics.rules import RuleSubject
from bot.adapters.metrics.shared_answers import SharedAnswers
from bot.domain.judge.evidence.ticks import Sample, Signal
from bot.domain.rollout.model import Lane

_SIGNAL = "alert"
_ALERTS = {"alertmanager": alertmanager_alerts, "prometheus": prometheus_alerts}


class AlertSignals:
    """Metric source without counters: says for each severity whether an alert of the lane fires."""

    def __init__(
        self, name: str, settings: AlertsSettings, session: aiohttp.ClientSession, answers: SharedAnswers
    ) -> None:
        self._name = name
        self._settings = settings
        self._access = settings.access
        self._session = session
        self._answers = answers

    @property
    def name(self) -> str:
        return self._name

    @property
    def limit_s(self) -> float:
        return self._settings.timeout

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        try:
            found = await self._answers.get(
                (self._access, self._settings.server),
                self._settings.every,
                lambda: _ALERTS[self._settings.server](self._session, self._access),
            )
        except UnreadableError as problem:
            why = f"{self._name}: {problem}"
            signals = tuple((name, Signal(None, why)) for name in (_SIGNAL, *self._named()))
            return [Sample(time.time(), digest, error=why, signals=signals) for digest in digests]
        signals = tuple(self._signals([one for one in found if self._about(one, lane)]))
        return [Sample(time.time(), digest, signals=signals) for digest in digests]

    def _about(self, alert: FiringAlert, lane: Lane) -> bool:
        subject = RuleSubject(lane, "", "")
        return all(alert.labels.get(n, "") == subject.fill(v) for n, v in self._settings.labels.items())

    def _signals(self, alerts: Sequence[FiringAlert]) -> Iterator[tuple[str, Signal]]:
        yield _SIGNAL, _firing(alerts)
        label = self._settings.severity_label
        for severity, name in zip(self._settings.severities, self._named(), strict=True):
            values = self._settings.severities[severity]
            yield name, _firing([one for one in alerts if one.labels.get(label) in values])

    def _named(self) -> list[str]:
        return [f"{_SIGNAL}:{severity}" for severity in self._settings.severities]


def _firing(alerts: Sequence[FiringAlert]) -> Signal:
    """The newest of the alerts: one that was there before a rollout says nothing about it."""
    if not alerts:
        return Signal(False)
    newest = max(alerts, key=lambda alert: alert.since)
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    name = " ".join(newest.labels.get("alertname", "an alert").split())[:60]
    return Signal(True, f"{name} fires{more}", since=newest.since)


def make_alerts(name: str, settings: AlertsSettings, context: MetricContext) -> AlertSignals:
    return AlertSignals(name, settings, context.session, context.answers)


KIND = metric_kind(AlertsSettings, make_alerts)
