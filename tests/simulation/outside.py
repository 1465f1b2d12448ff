"""Targets, traffic and metric sources of the simulated lanes, and how a process reaches them."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.domain.judge.evidence.counters import CounterReading, Sample
from bot.domain.records import Active
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release
from bot.domain.rollout.steps import HttpCheck
from bot.ports.data_plane.targets import Capabilities
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, Notice
from tests.fakes.outside import FakeAnnouncer
from tests.fakes.target import FakeTarget
from tests.simulation.wire import Caller, Link, at_once
from tests.support.virtual_time import VirtualClock

RATE = 200.0  # requests a second, in every lane
_BAD = 0.3


class SimulatedTarget(FakeTarget):
    """One lane's target, with the users of the lane. `watch` is told of everything that it accepts."""

    def __init__(
        self, lane: Lane, link: Link, *, exclusive: bool, watch: Callable[[Lane, Desired], None]
    ) -> None:
        super().__init__(exclusive={lane} if exclusive else ())
        self.lane = lane
        self.link = link
        self.traffic = Traffic(self)
        self._watch = watch

    async def observe(self, lane: Lane) -> Observed:
        self.traffic.flows()
        return await super().observe(lane)

    async def apply(self, lane: Lane, desired: Desired) -> None:
        self.traffic.flows()
        before = len(self.applied)
        await super().apply(lane, desired)
        if len(self.applied) > before:
            self._watch(lane, desired)

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        self.traffic.flows()
        await super().abort(lane, by, why)
        here = self._lanes[lane]
        assert here.desired is not None
        here.abort = HostAbort(here.desired.generation, VirtualClock().now(), by, why)
        return self._observed(lane)

    def crash(self, lane: Lane, digest: str, why: str = "exited with code 7") -> None:
        self.traffic.flows()
        if digest in self.running(lane):
            super().crash(lane, digest, why)

    def weights(self) -> dict[str, int]:
        """Who has traffic now, as users see it."""
        if self.lane not in self._lanes:
            return {}
        found = {digest: self._weight(self.lane, digest) for digest in self._lanes[self.lane].runs}
        return {digest: weight for digest, weight in found.items() if weight}

    @property
    def desired(self) -> Desired | None:
        return self._lanes[self.lane].desired if self.lane in self._lanes else None

    @property
    def generation(self) -> int:
        return self.desired.generation if self.desired else 0


class Traffic:
    """Users of one lane: a steady rate, split as the target splits it; a share of the answers is bad."""

    def __init__(self, target: SimulatedTarget) -> None:
        self._target = target
        self._at = 0.0
        self._bad: dict[str, float] = {}  # by digest: share of its answers
        self._outage = 0.0  # share of all answers that is bad, from every release: a common dependency
        self._was_bad: dict[str, float] = {}  # until when
        self._bad_since: dict[str, float] = {}
        self._out_until = 0.0
        self._counts: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def flows(self) -> None:
        """Bring the counters up to now. To be called before anything changes."""
        now = asyncio.get_running_loop().time()
        passed_s, self._at = now - self._at, now
        for digest, weight in self._target.weights().items():
            requests = RATE * passed_s * weight / 100
            counts = self._counts[digest]
            counts[0] += requests
            counts[1] += requests * max(self._bad.get(digest, 0.0), self._outage)

    def fails(self, digest: str, share: float) -> None:
        """So many of its answers are bad from now on."""
        self.flows()
        now = self._at
        if self._bad.get(digest):
            self._was_bad[digest] = now
        self._bad[digest] = share
        if share >= _BAD:
            self._bad_since.setdefault(digest, now)
        else:
            self._bad_since.pop(digest, None)

    def fails_everywhere(self, share: float) -> None:
        self.flows()
        if self._outage:
            self._out_until = self._at
        self._outage = share

    def innocent(self, digest: str, since: float) -> bool:
        """None of its answers was bad since then."""
        clean = not self._bad.get(digest) and self._was_bad.get(digest, -1.0) < since
        return clean and not self._outage and self._out_until < since

    def guilty(self, digest: str, since: float) -> bool:
        """A good part of its answers was bad all the time since then."""
        return self._bad_since.get(digest, float("inf")) <= since

    def restart(self) -> None:
        """The router restarts: all its counters start over."""
        self.flows()
        self._counts.clear()

    def sample(self, digests: Sequence[str]) -> list[Sample]:
        self.flows()
        at = VirtualClock().now().timestamp()
        return [self._sample(at, digest) for digest in digests]

    def _sample(self, at: float, digest: str) -> Sample:
        total, bad = (int(count) for count in self._counts[digest])
        buckets = ((0.1, total), (1.0, total), (float("inf"), total))
        return Sample(at, digest, (CounterReading("router", total, bad, buckets),))


@dataclass
class SimulatedSource:
    """A metric source with one way to each lane. `broken`: what it raises there."""

    targets: Mapping[Lane, SimulatedTarget]
    links: Mapping[Lane, Link]
    broken: dict[Lane, Exception] = field(default_factory=dict)

    def read(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        if lane in self.broken:
            raise self.broken[lane]
        return self.targets[lane].traffic.sample(digests)


class SimulatedAnnouncer(FakeAnnouncer):
    """Posts once for each key, as a nonce does."""


# ---- as one process reaches them ------------------------------------------------------------------------------------


class LinkedTarget:
    """Implements `DeployTarget` for one process."""

    def __init__(self, caller: Caller, target: SimulatedTarget) -> None:
        self._caller = caller
        self._target = target

    @property
    def capabilities(self) -> Capabilities:
        return self._target.capabilities

    async def observe(self, lane: Lane) -> Observed:
        target = self._target
        return await target.link.call(self._caller, lambda: at_once(target.observe(lane)))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        target = self._target
        await target.link.call(self._caller, lambda: at_once(target.apply(lane, desired)))

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        target = self._target
        return await target.link.call(self._caller, lambda: at_once(target.abort(lane, by, why)))


class LinkedSource:
    """Implements `MetricSource` for one process."""

    name = "router"
    limit_s = 2.0

    def __init__(self, caller: Caller, source: SimulatedSource) -> None:
        self._caller = caller
        self._source = source

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        return await self._source.links[lane].call(self._caller, lambda: self._source.read(lane, digests))


class LinkedChecker:
    """Implements `Checker` for one process. `failing`: digests that do not pass."""

    def __init__(self, caller: Caller, link: Link, failing: set[str]) -> None:
        self._caller = caller
        self._link = link
        self._failing = failing

    async def check(self, address: str, check: HttpCheck) -> str | None:
        def answer() -> str | None:
            digest = address.rsplit("/", 1)[-1]
            return f"{check.path} answered 503" if digest in self._failing else None

        return await self._link.call(self._caller, answer)


class LinkedAnnouncer:
    """Implements `Announcer` for one process."""

    def __init__(self, caller: Caller, link: Link, announcer: FakeAnnouncer) -> None:
        self._caller = caller
        self._link = link
        self._announcer = announcer

    async def _post(self, post: Callable[[], Any]) -> None:
        await self._link.call(self._caller, lambda: at_once(post()))

    async def draw_card(self, rollout_id: int) -> None:
        await self._post(lambda: self._announcer.draw_card(rollout_id))

    async def refresh(self, active: Sequence[Active]) -> None:
        await self._post(lambda: self._announcer.refresh(active))

    async def log_line(self, rollout_id: int, key: str, text: str, at: Any) -> None:
        await self._post(lambda: self._announcer.log_line(rollout_id, key, text, at))

    async def notify(self, notice: Notice) -> None:
        await self._post(lambda: self._announcer.notify(notice))

    async def alert(self, alert: Announcement) -> None:
        await self._post(lambda: self._announcer.alert(alert))

    async def direct(self, message: Announcement) -> None:
        await self._post(lambda: self._announcer.direct(message))


@dataclass
class LinkedReleases:
    """Implements `ReleaseSource` for one process."""

    caller: Caller
    link: Link
    known: Mapping[str, Sequence[Release]]

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        return await self.link.call(self.caller, lambda: self.known[service])

    async def pinned(self, release: Release, environment: str) -> Release:
        return release


def raising(rng: random.Random) -> Exception:
    """What a metric source may raise: being away, or a bug."""
    return rng.choice([Unreachable("the metrics are away"), KeyError("data"), ValueError("not a number")])
