"""Direct delivery to sinks of what cannot be recorded as an alert, because the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Finding
from bot.engine.tasks import Tasks
from bot.engine.watch.alerts.sinks import Sinks, retry_in_s
from bot.ports.errors import Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known

log = structlog.get_logger(__name__)

_GATHER_S = 0.05


class _Told(NamedTuple):
    key: tuple[str, str]
    known: Known | None
    away: Unreachable | None = None


@dataclass(slots=True)
class _Row:
    """What a sink knows of a finding, and when it is tried again (unix seconds)."""

    snapshot: AlertSnapshot
    known: Known | None = None
    wanted: AlertState = AlertState.FIRING
    attempts: int = 0
    due_at: float = 0.0


class DirectDelivery:
    """Each sink is told by itself, again until it takes it, and told the end once the finding is recorded or over.

    What sinks know is kept in memory: a process that ends leaves their entries open, and the next one goes on with
    the same key.
    """

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks
        self._rows: dict[tuple[str, str], _Row] = {}
        self._busy = Tasks[tuple[str, str], _Told]()

    async def tell(self, findings: Sequence[Finding], at: float) -> None:
        """findings: all that fire and cannot be recorded now; what was told and is not among them is over.

        at: the present time (unix seconds).
        """
        for told in self._busy.finished():
            self._take(told, at)
        self._want(findings)
        for key, row in list(self._rows.items()):
            sink, _ = key
            if key in self._busy or row.due_at > at:
                continue
            if row.known is None and row.wanted is AlertState.RESOLVED:
                del self._rows[key]  # it was never told
            elif row.known is None or row.known.state is not row.wanted:
                self._busy.start(key, self._deliver(key, row, at), f"sink:{sink}")
            elif row.wanted is AlertState.RESOLVED:
                del self._rows[key]
        await self._busy.wait(_GATHER_S)

    async def stop(self) -> None:
        await self._busy.stop()

    def _want(self, findings: Sequence[Finding]) -> None:
        firing = {finding.fingerprint: finding for finding in findings}
        for sink in self._sinks.names:
            for fingerprint, finding in firing.items():
                key, snapshot = (sink, fingerprint), _snapshot(finding)
                row = self._rows.get(key)
                if row is not None:
                    row.snapshot, row.wanted = snapshot, AlertState.FIRING
                elif self._sinks.is_news(sink, snapshot, None):
                    self._rows[key] = _Row(snapshot)
        for (_, fingerprint), row in self._rows.items():
            if fingerprint not in firing:
                row.wanted = AlertState.RESOLVED

    async def _deliver(self, key: tuple[str, str], row: _Row, at: float) -> _Told:
        snapshot = row.snapshot
        if row.wanted is AlertState.RESOLVED:
            snapshot = replace(snapshot, state=AlertState.RESOLVED, at=datetime.fromtimestamp(at, UTC))
        try:
            await self._sinks.deliver(key[0], snapshot, row.known)
        except Unreachable as away:
            return _Told(key, row.known, away)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("sink_failed", sink=key[0], exc_info=error)
            return _Told(key, row.known, Unreachable(f"unexpected error ({type(error).__name__})"))
        # Refused or a dry run: as good as told, since another try is of no use.
        return _Told(key, Known(snapshot.state, snapshot.severity))

    def _take(self, told: _Told, at: float) -> None:
        row = self._rows.get(told.key)
        if row is None:
            return
        if told.away is not None:
            row.attempts += 1
            row.due_at = at + retry_in_s(row.attempts, told.away)
            if row.attempts == 1:
                log.warning("sink_away", sink=told.key[0], why=str(told.away))
            return
        row.known, row.attempts, row.due_at = told.known, 0, 0.0


def _snapshot(finding: Finding) -> AlertSnapshot:
    """With the same key as long as the finding has its fingerprint; numbers of alerts come from the database."""
    return AlertSnapshot(
        id=0,
        key=f"slipway-{finding.fingerprint}".replace("/", "-")[:100],
        severity=finding.severity,
        title=finding.title,
        state=AlertState.FIRING,
        since=finding.at,
        at=finding.at,
        text=finding.text,
        value=finding.value,
        limit=finding.limit,
    )
