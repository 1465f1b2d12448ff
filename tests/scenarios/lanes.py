"""What runs in the lanes of a scenario, and who uses it: targets, traffic and checks in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from bot.domain.judge.evidence.counters import CounterReading, Sample
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, RunState
from bot.domain.rollout.steps.verify import HttpCheck
from bot.ports.data_plane.targets import Capabilities
from bot.ports.errors import StaleGeneration, Unreachable
from demo.services.behaviour import VERSIONS, Behaviour, kinds
from tests.fakes.target import FakeTarget
from tests.support.virtual_time import VirtualClock, virtual_loop

OBSERVE_S, APPLY_S, CHECK_S, START_S = 0.01, 0.1, 0.2, 1.0
_SLICE_S = 0.25
_SHARE_WINDOW_S = 3.0
NO_RELEASE = "none"
_BOUNDS = (1.0, 2.0, 5.0)
_FINE_BOUNDS = (0.005, 0.007, 0.01, 0.015, 0.025, 0.035, 0.05, 0.075, 0.1, 0.15)

Tell = Callable[[str, str], None]


class VirtualTarget(FakeTarget):
    """Releases take `START_S` to become ready; a lane can be away for a while."""

    def __init__(self, tell: Tell, exclusive: Collection[Lane]) -> None:
        super().__init__(exclusive=exclusive)
        self._tell = tell
        self._away_until: dict[Lane, float] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    async def observe(self, lane: Lane) -> Observed:
        self._here(lane)
        await asyncio.sleep(OBSERVE_S)
        return await super().observe(lane)

    async def asked(self, lane: Lane) -> Observed:
        """What runs, for a metric source: it does not move on what starts or crashes, as a look at the target does."""
        self._here(lane)
        await asyncio.sleep(OBSERVE_S)
        return self._observed(lane) if lane in self._lanes else Observed(0)

    async def apply(self, lane: Lane, desired: Desired) -> None:
        self._here(lane)
        await asyncio.sleep(APPLY_S)
        before = len(self.applied)
        try:
            await super().apply(lane, desired)
        except StaleGeneration:
            self._tell("target", f"{lane} refuses {ordered(desired)}: it has a newer order")
            raise
        if len(self.applied) > before:
            self._tell("target", f"{lane} → {ordered(desired)}")

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        await super().abort(lane, by, why)
        here = self._lanes[lane]
        assert here.desired is not None
        here.abort = HostAbort(here.desired.generation, VirtualClock().now(), by, why)
        self._tell("target", f"{lane} → {ordered(here.desired)}, by {by} on the machine")
        return await super().observe(lane)

    def leave(self, lane: Lane, seconds: float) -> None:
        self._away_until[lane] = virtual_loop().time() + seconds

    def shares(self, lane: Lane) -> dict[str, float]:
        """Who answers users now, by version; they add up to 1, or to nothing."""
        if lane not in self._lanes:
            return {}
        found = {
            run.release.version: self._weight(lane, d) / 100 for d, run in self._lanes[lane].runs.items()
        }
        return {version: share for version, share in found.items() if share}

    def digest(self, lane: Lane, version: str) -> str | None:
        """Of a release that runs there."""
        runs = self._lanes[lane].runs if lane in self._lanes else {}
        return next((d for d, run in runs.items() if run.release.version == version), None)

    def version(self, lane: Lane, digest: str) -> str:
        """Of a release that runs there; empty when it does not."""
        run = self._lanes[lane].runs.get(digest) if lane in self._lanes else None
        return run.release.version if run is not None else ""

    def _here(self, lane: Lane) -> None:
        if virtual_loop().time() < self._away_until.get(lane, 0.0):
            raise Unreachable("no answer")

    def _look(self, lane: Lane, run: Any) -> None:
        now = virtual_loop().time()
        if run.state is not RunState.STARTING:
            run.ready_at = None
        elif getattr(run, "ready_at", None) is None:
            run.ready_at = now + START_S
        if run.state is not RunState.STARTING or now >= run.ready_at:
            super()._look(lane, run)


def ordered(desired: Desired) -> str:
    """What a target is told, in a line."""
    parts = []
    if desired.stable is not None:
        parts.append(f"{desired.stable.version} {100 - desired.weight}%")
    if desired.candidate is not None:
        parts.append(f"{desired.candidate.version} {desired.weight}%")
    parts += [f"{release.version} kept warm" for release in desired.warm]
    return f"{', '.join(parts)} (generation {desired.generation})"


class VirtualUsers:
    """Steady traffic of the demo's rates, split as the target splits it, answered as the demo's versions answer.

    Also the metric source `router`: it counts what the users ask. `rates`: requests a second, by lane.
    """

    name = "router"
    limit_s = 1.0

    def __init__(self, target: VirtualTarget, rates: Mapping[Lane, float]) -> None:
        self._target = target
        self.rates = rates
        self.errors: dict[tuple[Lane, str], float] = {}
        # `[requests, failures]` of each instance, of which the first has all failures; where they are told apart.
        self._instances: dict[tuple[Lane, str], list[list[float]]] = {}
        self.latencies: dict[tuple[Lane, str], float] = {}
        self._within: defaultdict[tuple[Lane, str], Counter[float]] = defaultdict(Counter)
        self._served_s: Counter[tuple[Lane, str]] = Counter()
        self._asked: defaultdict[tuple[Lane, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._recent: defaultdict[Lane, list[tuple[float, dict[str, float]]]] = defaultdict(list)

    async def ask_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SLICE_S)
            for lane, rate in self.rates.items():
                self._ask(lane, rate * _SLICE_S)

    def _ask(self, lane: Lane, requests: float) -> None:
        now, shares = virtual_loop().time(), self._target.shares(lane) or {NO_RELEASE: 1.0}
        for version, share in shares.items():
            self._served_s[lane, version] += _SLICE_S  # type: ignore[assignment]
            behaviour = VERSIONS.get(version, Behaviour())
            counts = self._asked[lane, version]
            counts[0] += requests * share
            counts[1] += requests * share * self._failing(lane, version, behaviour)
            counts[2] += requests * share * behaviour.slow_share
            for number, instance in enumerate(each := self._instances.get((lane, version), [])):
                instance[0] += requests * share / len(each)
                instance[1] += 0 if number else requests * share * self._failing(lane, version, behaviour)
            usual_s = self.latencies.get((lane, version), behaviour.latency_s)
            for bound in _FINE_BOUNDS:  # the demo's services take 0.6 to 1.6 times as long
                fast = min(1.0, max(0.0, bound / usual_s - 0.6)) * (1 - behaviour.slow_share)
                self._within[lane, version][bound] += requests * share * fast  # type: ignore[assignment]
        recent = self._recent[lane]
        recent.append((now, shares))
        self._recent[lane] = [one for one in recent if one[0] > now - _SHARE_WINDOW_S]

    def _failing(self, lane: Lane, version: str, behaviour: Behaviour) -> float:
        if version == NO_RELEASE:
            return 1.0
        if (lane, version) in self.errors:
            return self.errors[lane, version]
        late = (
            behaviour.degrades_after_s is not None
            and self._served_s[lane, version] >= behaviour.degrades_after_s
        )
        share = max(behaviour.error_rate, behaviour.degraded_error_rate if late else 0.0)
        return max(share, kinds(lane.environment).get(behaviour.fails_kind, 0.0))

    def shares(self, lane: Lane) -> dict[str, float]:
        """Of the answers of the last seconds, by version."""
        found: Counter[str] = Counter()
        for _, shares in self._recent[lane]:
            found.update(shares)  # type: ignore[arg-type]
        whole = sum(found.values())
        return {version: share / whole for version, share in found.items()} if whole else {}

    def counts(self, lane: Lane) -> tuple[dict[str, int], dict[str, int]]:
        """Requests and failures since the beginning, by version."""
        here = {version: counts for (one, version), counts in self._asked.items() if one == lane}
        return {v: int(c[0]) for v, c in here.items()}, {v: int(c[1]) for v, c in here.items()}

    def sicken(self, lane: Lane, version: str, instances: int, share: float) -> None:
        """From now on the version has so many instances, and the first of them fails `share` of its requests."""
        self.errors[lane, version] = share / instances
        self._instances[lane, version] = [[0.0, 0.0] for _ in range(instances)]

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        await self._target.asked(lane)  # raises where the target is away
        return [self._sample(lane, digest) for digest in digests]

    def _sample(self, lane: Lane, digest: str) -> Sample:
        at = VirtualClock().now().timestamp()
        version = self._target.version(lane, digest)
        total, bad, slow = (int(count) for count in self._asked[lane, version])
        within = self._within[lane, version]
        fine = tuple((bound, min(int(within[bound]), total - slow)) for bound in _FINE_BOUNDS)
        buckets = tuple((bound, total - (slow if bound < 3.0 else 0)) for bound in _BOUNDS)
        parts = tuple(
            (f"10.0.0.{3 + number}:8001", int(requests), int(failures))
            for number, (requests, failures) in enumerate(self._instances.get((lane, version), ()))
        )
        ladder = (*fine, *buckets, (float("inf"), total))
        reading = CounterReading(self.name, total, bad, ladder, parts=parts)
        return Sample(at, digest, (reading,))


class VirtualProbe:
    """The metric source `probe`: asks a release at each look whether it is well."""

    name = "probe"
    limit_s = 1.0

    def __init__(self, target: VirtualTarget) -> None:
        self._target = target

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        observed = await self._target.asked(lane)
        return [self._sample(lane, digest, observed) for digest in digests]

    def _sample(self, lane: Lane, digest: str, observed: Observed) -> Sample:
        at, running = VirtualClock().now().timestamp(), observed.of(digest)
        if running is None or running.state is RunState.STOPPED:
            return Sample(at, digest)
        bad = int(running.state is not RunState.READY)
        return Sample(at, digest, (CounterReading("1", 1, bad, ((0.1, 1), (float("inf"), 1)), delta=True),))


class VirtualChecker:
    """Every candidate that answers passes its checks."""

    async def check(self, address: str, check: HttpCheck) -> str | None:
        await asyncio.sleep(CHECK_S)
        return None
