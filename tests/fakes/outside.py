"""Discord, metrics, checks, releases and sinks in memory, as strict as what they stand for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.domain.judge.evidence.ticks import CounterReading, Sample
from bot.domain.records import Active
from bot.domain.rollout.model import Lane, Release
from bot.domain.rollout.steps import HttpCheck
from bot.domain.watch.alerts.alert import AlertState
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, Notice, UndeliveredError, UnpostedError
from bot.ports.watch.sinks import AlertSnapshot, Known


@dataclass
class FakeAnnouncer:
    """Posts once for each key, as a nonce does. While `away`, every call raises `Unreachable`."""

    away: bool = False
    broken: set[str] = field(default_factory=set)  # texts that no attempt can post
    cards: Counter[int] = field(default_factory=Counter)
    lines: dict[str, tuple[int, str]] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    alerts: dict[str, Announcement] = field(default_factory=dict)
    written: dict[str, Announcement] = field(default_factory=dict)
    refusing: set[int] = field(default_factory=set)  # people who accept no direct messages
    closed: set[str] = field(default_factory=set)  # channels that take no calls
    calls: Counter[str] = field(default_factory=Counter)
    refreshed: dict[int, int] = field(default_factory=dict)  # rollout -> newest version shown

    async def refresh(self, active: Sequence[Active]) -> None:
        self.refreshed.update({one.id: one.version for one in active if one.judged})

    async def draw_card(self, rollout_id: int) -> None:
        self._reach("draw_card")
        self.cards[rollout_id] += 1

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None:
        self._reach(key)
        if text in self.broken:
            raise ValueError("Discord refuses this text")
        self.lines.setdefault(key, (rollout_id, text))

    async def notify(self, notice: Notice) -> None:
        assert len(notice.key) <= 25, "a nonce has at most 25 characters"
        self._reach(notice.key)
        self.notices.setdefault(notice.key, notice)

    async def alert(self, alert: Announcement) -> None:
        assert len(alert.key) <= 24, "a nonce has at most 25 characters"
        self._reach(alert.key)
        if alert.channel in self.closed:
            raise UnpostedError(f"#{alert.channel}: Missing Access")
        self.alerts.setdefault(alert.key, alert)

    async def direct(self, message: Announcement) -> None:
        assert len(message.key) <= 24, "a nonce has at most 25 characters"
        self._reach(message.key)
        if message.direct_to in self.refusing:
            raise UndeliveredError(f"Person {message.direct_to}", "Cannot send messages to this user")
        self.written.setdefault(message.key, message)

    def log(self, rollout_id: int) -> list[str]:
        """The thread's lines in the order in which they were posted."""
        return [text for owner, text in self.lines.values() if owner == rollout_id]

    def heard(self, what: str) -> list[Notice]:
        return [notice for notice in self.notices.values() if notice.what == what]

    def _reach(self, call: str) -> None:
        self.calls[call] += 1
        if self.away:
            raise Unreachable("Discord is away")


@dataclass
class FakeMetrics:
    """A source with counters that grow by `rate` requests a look, of which `bad` (a proportion, by digest) fail.

    looks: how often it was asked; compared: for both releases of a rollout. Between rollouts a lane has but one.
    """

    name: str = "router"
    limit_s: float = 1.0
    rate: int = 100
    bad: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    away: bool = False
    looks: Counter[Lane] = field(default_factory=Counter)
    compared: Counter[Lane] = field(default_factory=Counter)
    _totals: Counter[str] = field(default_factory=Counter)
    _bad: Counter[str] = field(default_factory=Counter)

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        self.looks[lane] += 1
        self.compared[lane] += len(digests) > 1
        if self.away:
            raise Unreachable("the metrics are away")
        at = datetime.now(UTC).timestamp()
        return [self._one(f"{lane}:{digest}", digest, at) for digest in digests]

    def _one(self, key: str, digest: str, at: float) -> Sample:
        if self.error is not None:
            return Sample(at, digest, error=self.error)
        self._totals[key] += self.rate
        self._bad[key] += round(self.rate * self.bad.get(digest, 0.0))
        total, bad = self._totals[key], self._bad[key]
        buckets = ((0.1, total // 2), (1.0, total), (float("inf"), total))
        return Sample(at, digest, (CounterReading("router", total, bad, buckets),))


@dataclass
class FakeChecker:
    """Says what `findings` has for a path. Refuses addresses that are none."""

    findings: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def check(self, address: str, check: HttpCheck) -> str | None:
        assert address.startswith("http://"), address
        self.asked.append((address, check.path))
        return self.findings.get(check.path)


@dataclass
class FakeReleases:
    """The releases of services, the same everywhere."""

    known: Mapping[str, Sequence[Release]]
    away: bool = False

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        if self.away:
            raise Unreachable("the registry is away")
        return self.known[service]

    async def pinned(self, release: Release, environment: str) -> Release:
        return release


@dataclass
class FakeSink:
    """Implements `bot.ports.watch.sinks.AlertSink`; keeps what it was told.

    error: raised instead; hangs: no answer until it is set; silent: it has nothing to say.
    """

    error: Exception | None = None
    hangs: asyncio.Event | None = None
    silent: bool = False
    told: list[AlertSnapshot] = field(default_factory=list)
    tries: int = 0

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        return "" if self.silent else f"say {alert.state}"

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        self.tries += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.error is not None:
            raise self.error
        self.told.append(alert)
        return ""

    @property
    def states(self) -> list[AlertState]:
        """Of the alerts, in the order in which it was told."""
        return [alert.state for alert in self.told]
