"""Delivery of alerts to sinks: which of them has news, one delivery at a time, and what became of it.

Each sink is told by itself, as a piece of work of its own: the outbox or a row carries the sink's name, the newest
snapshot of the alert, and what the sink knew. So one that fails or hangs delays no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import structlog

from bot.domain.config import SinkConfig
from bot.domain.formatting import duration
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Phase
from bot.domain.watch.alerts.alert import Alert, AlertState, Suspect
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.watch.sinks import AlertSink, AlertSnapshot, Known

_log = structlog.get_logger(__name__)

_FIRST_S, _LONGEST_S = 2.0, 300.0
# Further troubles of an alert that its text names.
_OTHERS = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one delivery.

    outcome: `told`; `nothing` to tell; `dry_run`: the sink is not enabled; `refused`: another try is of no use; `gone`:
    the catalog has no such sink. sentence: the same for people. known: what the sink knows from now on, to be kept.
    """

    sink: str
    outcome: Literal["told", "nothing", "dry_run", "refused", "gone"]
    sentence: str
    known: Known | None


class Sinks:
    """The sinks of the present catalog. made: them by name."""

    def __init__(
        self, configured: Callable[[], Mapping[str, SinkConfig]], made: Mapping[str, AlertSink]
    ) -> None:
        self._configured = configured
        self._made = made

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._configured())

    def is_news(self, sink: str, alert: AlertSnapshot, known: Known | None) -> bool:
        """Whether the sink has to be told. known: what it knows of the alert.

        A sink hears of an alert that has, or had when it was told, one of its severities: its beginning, each change
        of its state, and when it gets worse. While it is silent, that waits.
        """
        config = self._configured().get(sink)
        if config is None or not _is_news(alert, known):
            return False
        return known is not None or alert.severity in config.severities

    async def deliver(self, sink: str, alert: AlertSnapshot, known: Known | None = None) -> Delivery:
        """Tell one sink. Give the newest snapshot: an older one would open again what is over.

        Deliveries of one alert to one sink must not run side by side. Raises `Unreachable`: again in `retry_in_s`.
        """
        config = self._configured().get(sink)
        if config is None:
            return Delivery(sink, "gone", f"{sink}: the catalog has no such sink.", known)
        does = self._made[sink].says(alert, known)
        if not does:
            return Delivery(sink, "nothing", f"{sink}: nothing to tell.", known)
        if not config.enabled:
            _log.info("sink_dry_run", sink=sink, alert=alert.id, would=does)
            return Delivery(sink, "dry_run", f"{sink} is not enabled. It would {does}.", known)
        return await self._told(sink, config, alert, known)

    async def try_out(self, sink: str, alert: AlertSnapshot, known: Known | None = None) -> Delivery:
        """Tell one sink, also one that is not enabled. Raises `Unreachable`, KeyError."""
        return await self._told(sink, self._configured()[sink], alert, known)

    async def _told(
        self, sink: str, config: SinkConfig, alert: AlertSnapshot, known: Known | None
    ) -> Delivery:
        try:
            async with asyncio.timeout(config.timeout_s):
                said = await self._made[sink].deliver(alert, known)
        except SinkRefused as refusal:
            _log.warning("sink_refused", sink=sink, alert=alert.id, why=str(refusal))
            return Delivery(sink, "refused", f"{sink}: {refusal}", known)
        except TimeoutError:
            raise Unreachable(f"{sink} did not take it within {duration(config.timeout_s)}") from None
        except Unreachable:
            raise
        except Exception as error:
            _log.error("sink_failed", sink=sink, alert=alert.id, exc_info=error)
            sentence = f"{sink}: an unexpected error ({type(error).__name__}); the log has the details."
            return Delivery(sink, "refused", sentence, known)
        sentence = f"{sink}: {said}" if said else f"{sink}: told."
        return Delivery(sink, "told", sentence, Known(alert.state, alert.severity))


def snapshot_of(
    alert: Alert, *, url: str = "", at: datetime | None = None, last: RolloutSummary | None = None
) -> AlertSnapshot:
    """The alert as sinks are told it. url: its message in Discord. at: when it became what it is, if that is known
    better than from the alert itself. last: the newest rollout of its lane that changed what runs, or does so now; the
    alert's suspect goes before it.
    """
    finding = alert.first.finding
    firing = [each.finding.title for each in alert.firing if each is not alert.first]
    others = [f"And: {title}" for title in firing[:_OTHERS]]
    others += [f"And {len(firing) - _OTHERS} more."] if len(firing) > _OTHERS else []
    return AlertSnapshot(
        id=alert.id,
        # With the time: a database that lost commits gives a number again.
        key=f"slipway-{alert.id}-{int(alert.opened_at.timestamp())}",
        severity=alert.severity,
        title=finding.title,
        state=alert.state,
        since=min(trouble.since for trouble in alert.troubles),
        at=at or alert.ended_at or alert.acknowledged_at or alert.opened_at,
        lane=alert.lane,
        text="\n".join(filter(None, (finding.text, *others))),
        value=finding.value,
        limit=finding.limit,
        url=url,
        runbook=finding.runbook,
        acknowledged_by=alert.owner.name if alert.owner else "",
        last_deploy=_suspected(alert.suspect) if alert.suspect else _deployed(last) if last else "",
        suspected=alert.suspect is not None,
        silent=alert.silenced_until is not None,
    )


def _suspected(suspect: Suspect) -> str:
    when = "going on" if suspect.going_on else _stamped(suspect.at)
    return f"{suspect.from_version} to {suspect.to_version} by {suspect.by}, {when}"


def _deployed(last: RolloutSummary) -> str:
    what = f"{last.from_version} to {last.to_version}" if last.from_version else last.to_version
    when = "going on" if last.ended_at is None else _stamped(last.ended_at)
    ended = (
        "" if last.ended_at is None or last.phase == Phase.SUCCEEDED else f", {last.phase.replace('_', ' ')}"
    )
    return f"{what} by {last.requester}, {when}{ended}"


def _stamped(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def retry_in_s(attempts: int, error: Unreachable) -> float:
    """Seconds until a delivery is tried again that failed `attempts` times (≥ 1): 2, 4, 8 … up to 5 minutes, and
    not before the sink wants it.
    """
    pause = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempts - 1, 10))
    return max(pause, error.again_s) if isinstance(error, RateLimited) else pause


def _is_news(alert: AlertSnapshot, known: Known | None) -> bool:
    if alert.silent and alert.state is AlertState.FIRING:
        return False  # sinks call people too
    if known is None:
        return alert.state is not AlertState.RESOLVED
    worse = alert.severity.rank < known.severity.rank
    return alert.state is not known.state or (worse and alert.state is not AlertState.RESOLVED)
