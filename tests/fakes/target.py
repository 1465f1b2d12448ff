"""A deploy target in memory, as strict as the real one: it refuses what that refuses and never skips a state.

`looks_to_start` observations pass before a release is ready. Releases in `dies` crash at start; `crash` kills one
that runs; while `away` is set every call raises `Unreachable`, and with `away_after_apply` once after applying.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release, Running, RunState
from bot.ports.data_plane.targets import Capabilities
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable


@dataclass
class _Run:
    release: Release
    state: RunState = RunState.STARTING
    looks: int = 0
    detail: str = ""
    restarts: int = 0


@dataclass
class _FakeLane:
    desired: Desired | None = None
    abort: HostAbort | None = None
    runs: dict[str, _Run] = field(default_factory=dict)


class FakeTarget:
    needed = "command"  # in every spec

    def __init__(self, *, exclusive: Collection[Lane] = (), looks_to_start: int = 1) -> None:
        self.exclusive = frozenset(exclusive)
        self.looks_to_start = looks_to_start
        self.dies: set[str] = set()  # digests
        self.away = False
        self.away_after_apply = False
        self.applied: list[tuple[Lane, Desired]] = []  # accepted and new; repetitions are not in it
        self.calls: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()  # digest
        self.most_at_once: Counter[Lane] = Counter()
        self._lanes: dict[Lane, _FakeLane] = {}

    @property
    def capabilities(self) -> Capabilities:
        shared = not self.exclusive
        return Capabilities(weights=shared, warm=shared)

    async def observe(self, lane: Lane) -> Observed:
        self._reach("observe")
        if lane not in self._lanes:
            return Observed(0)
        here = self._lanes[lane]
        for run in here.runs.values():
            self._look(lane, run)
        self._reconcile(lane)
        return self._observed(lane)

    async def apply(self, lane: Lane, desired: Desired) -> None:
        self._reach("apply")
        here = self._lanes.get(lane) or _FakeLane()
        self._check(lane, here, desired)
        self._lanes[lane] = here
        if desired != here.desired:
            here.desired, here.abort = desired, None
            self.applied.append((lane, desired))
        self._reconcile(lane)
        if self.away_after_apply:
            self.away_after_apply = False
            raise Unreachable("The answer got lost.")

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        self._reach("abort")
        here = self._lanes.get(lane)
        if here is None or here.desired is None or here.desired.stable is None:
            raise TargetRefused(f"{lane} has no stable release to send the traffic to")
        here.desired = replace(here.desired, generation=here.desired.generation + 1, weight=0)
        here.abort = HostAbort(here.desired.generation, datetime.now(UTC), by, why)
        self._reconcile(lane)
        return self._observed(lane)

    def crash(self, lane: Lane, digest: str, why: str = "exited with code 7") -> None:
        """What runs dies; a stable or warm release will be started again, a candidate will not."""
        run = self._lanes[lane].runs[digest]
        run.state, run.detail = RunState.CRASHED, why

    def running(self, lane: Lane) -> set[str]:
        """Digests of the processes that there are."""
        alive = (RunState.STARTING, RunState.READY)
        return {digest for digest, run in self._lanes[lane].runs.items() if run.state in alive}

    def _reach(self, call: str) -> None:
        self.calls[call] += 1
        if self.away:
            raise Unreachable("The target is away.")

    def _check(self, lane: Lane, here: _FakeLane, desired: Desired) -> None:
        newest = here.desired.generation if here.desired else 0
        if desired.generation < newest or (
            desired.generation == newest and here.desired not in (None, desired)
        ):
            raise StaleGeneration(f"{lane} has seen generation {newest}")
        if not 0 <= desired.weight <= 100 or (desired.weight and desired.candidate is None):
            raise TargetRefused(f"{lane}: a weight of {desired.weight}% needs a candidate")
        if lane in self.exclusive and desired.weight not in (0, 100):
            raise TargetRefused(f"{lane} is exclusive: its weights are 0 and 100, not {desired.weight}")
        for release in (desired.stable, desired.candidate, *desired.warm):
            if release is not None and release.spec and not release.spec.get(self.needed):
                raise TargetRefused(f"{release.service} {release.version} has no {self.needed}")

    def _look(self, lane: Lane, run: _Run) -> None:
        if run.state is RunState.STARTING:
            run.looks += 1
            if run.release.digest in self.dies:
                run.state, run.detail = RunState.CRASHED, "exited with code 1"
            elif run.looks >= self.looks_to_start:
                run.state, run.detail = RunState.READY, ""
        elif run.state is RunState.CRASHED and self._is_kept(lane, run.release.digest):
            run.state, run.looks = RunState.STARTING, 0
            run.restarts += 1
            self.starts[run.release.digest] += 1

    def _is_kept(self, lane: Lane, digest: str) -> bool:
        desired = self._lanes[lane].desired
        assert desired is not None
        if lane in self.exclusive:
            return desired.weight == 0 and desired.stable is not None and desired.stable.digest == digest
        kept = (desired.stable, *desired.warm)
        return any(release is not None and release.digest == digest for release in kept)

    def _wanted(self, lane: Lane) -> dict[str, Release]:
        desired = self._lanes[lane].desired
        assert desired is not None
        named = (desired.stable, desired.candidate, *desired.warm)
        if lane in self.exclusive:
            named = (desired.candidate if desired.weight == 100 else desired.stable,)
        return {release.digest: release for release in named if release is not None}

    def _reconcile(self, lane: Lane) -> None:
        here, wanted = self._lanes[lane], self._wanted(lane)
        serving = {digest for digest in here.runs if self._weight(lane, digest)}
        for digest in [d for d in here.runs if d not in wanted]:
            if lane in self.exclusive or digest not in serving:
                del here.runs[digest]
        for digest, release in wanted.items():
            if digest not in here.runs:
                here.runs[digest] = _Run(release)
                self.starts[digest] += 1
        self.most_at_once[lane] = max(self.most_at_once[lane], len(self.running(lane)))

    def _weight(self, lane: Lane, digest: str) -> int:
        here = self._lanes[lane]
        desired, run = here.desired, here.runs.get(digest)
        assert desired is not None
        if run is None or run.state is not RunState.READY:
            return 0
        candidate = desired.candidate.digest if desired.candidate else None
        ready = candidate in here.runs and here.runs[candidate].state is RunState.READY
        share = desired.weight if ready else 0
        if digest == candidate:
            return share
        return 100 - share if desired.stable is not None and digest == desired.stable.digest else 0

    def _observed(self, lane: Lane) -> Observed:
        here = self._lanes[lane]
        desired = here.desired
        assert desired is not None
        running = [
            Running(
                digest=digest,
                version=run.release.version,
                state=run.state,
                weight=self._weight(lane, digest),
                address=f"http://fake/{digest}" if run.state is RunState.READY else None,
                detail=run.detail,
                restarts=run.restarts,
            )
            for digest, run in here.runs.items()
        ]
        for release in (desired.stable, desired.candidate, *desired.warm):
            if release is not None and release.digest not in {r.digest for r in running}:
                running.append(Running(release.digest, release.version, RunState.STOPPED, 0))
        return Observed(desired.generation, tuple(running), here.abort)
