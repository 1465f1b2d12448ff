"""History loop: counts what stable serves between rollouts, tick by tick, and thins what has become old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple
from zlib import crc32

import structlog

from bot.domain.config import LaneConfig
from bot.domain.judge.evidence.counters import Sample
from bot.domain.judge.history.served import LastRead, ServedTick, edges, served
from bot.domain.judge.policy import PolicyError, Rule
from bot.domain.records import LaneRow
from bot.domain.rollout.model import Lane
from bot.domain.watch.rules import measured_latencies
from bot.engine.lanes import Lanes
from bot.engine.loops.latencies import Latencies, gained, latencies
from bot.engine.loops.sampler import Sampler
from bot.engine.tasks import Tasks
from bot.engine.watch.monitors import Says, unsaid
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import Store

log = structlog.get_logger(__name__)

# Who says the signals of metric sources.
SOURCES = "metrics"
_GATHER_S = 0.1
_AT_ONCE = 500
_SHORTEST_S = (
    1.0  # between two looks at a lane, however short its ticks are: loops have rounds of a quarter of this
)
_SET_BACK_S = 1.0  # less is a clock that follows another one
_MOST_WAITING = 20_000  # for a database that is away; the oldest are dropped
THIN_S = 3600.0
# The first time comes soon after a start, for a Slipway that never runs for an hour.
_FIRST_THIN_S = 300.0
# A source that takes long is asked less often, since for some (a large page to parse) the time is this machine's own.
_SHARE = 0.1
# A source that cannot be read is asked at its usual pace twice more, then less and less often.
_PATIENCE, _LONGEST_PAUSE_S = 3, 300.0


@dataclass(slots=True)
class _Serving:
    """A lane that serves `digest`. every_s: its pace. failures: looks in a row that read nothing.

    watched: rules that ask for more counts than the objectives. timed: where its histograms stood.
    """

    config: LaneConfig
    digest: str
    next_at: float
    every_s: float
    watched: tuple[Rule, ...] = ()
    last: LastRead | None = None
    timed: Latencies | None = None
    failures: int = 0


class _Look(NamedTuple):
    state: _Serving
    sample: Sample
    at: float
    took_s: float


def unheard(lane: Lane, tick: ServedTick, release: str) -> None:
    """No one hears it."""
    return


class HistoryLoop:
    """Looks at every lane that serves and is not judged, at the pace and for the policy of its next rollout.

    One process does this for all (`Controller`). Lanes are read in tasks of their own and saved together every `save_s`
    seconds; what was not saved yet is lost with the process. Every `find_s` seconds it looks which lanes there are.
    `term` rises when this process becomes the controller: another one may have counted meanwhile. `heard` is told every
    tick, with the release, and `says` the signals of each look.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        sampler: Sampler,
        clock: Clock,
        *,
        term: Callable[[], int] = lambda: 0,
        heard: Callable[[Lane, ServedTick, str], None] = unheard,
        says: Says = unsaid,
        save_s: float = 30.0,
        find_s: float = 10.0,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._sampler = sampler
        self._clock = clock
        self._term = term
        self._heard, self._says = heard, says
        self._save_s, self._find_s = save_s, find_s
        self._seen_term = -1
        self._now = 0.0
        self._serving: dict[Lane, _Serving] = {}
        self._busy = Tasks[Lane, _Look]()
        self._waiting: list[tuple[Lane, ServedTick]] = []
        self._until: dict[Lane, float] = {}
        self._to_thin: list[Lane] = []
        self._find_at = self._save_at = self._thin_at = 0.0

    async def once(self) -> bool:
        now = self._clock.now().timestamp()
        self._mind_the_clock(now)
        if now >= self._find_at:
            self._find_at = now + self._find_s
            await self._find(now)
        begun = [
            self._busy.start(lane, self._look(state), f"history:{lane}")
            for lane, state in self._serving.items()
            if state.next_at <= now and lane not in self._busy and len(self._busy) < _AT_ONCE
        ]
        if begun:
            await asyncio.wait(begun, timeout=_GATHER_S)
        for look in self._busy.finished():
            self._count(look)
        if now >= self._save_at:
            self._save_at = now + self._save_s
            await self._save()
        await self._thin(now)
        return False

    async def stop(self) -> None:
        await self._busy.stop()

    def add(self, lane: Lane, tick: ServedTick, release: str = "") -> None:
        """Take a tick to be saved, unless a part of its time was counted already, or it is too short to tell anything.

        The judge adds those of its rollouts: when one begins, both loops look at its lane for some seconds.
        release: the digest of what served; empty for the same as before.
        """
        since = round(tick.at - tick.seconds, 3)  # times are whole milliseconds
        if since >= self._until.get(lane, 0.0) and tick.seconds >= _SHORTEST_S / 2:
            self._until[lane] = tick.at
            self._waiting.append((lane, replace(tick, latencies=()) if tick.latencies else tick))
            self._heard(lane, tick, release)

    def _mind_the_clock(self, now: float) -> None:
        """Begin again with a new term, or after the clock was set back."""
        term = self._term()
        if term != self._seen_term or now < self._now - _SET_BACK_S:
            self._serving.clear()
            self._until.clear()
            self._find_at = now
            self._save_at, self._thin_at = now + self._save_s, now + _FIRST_THIN_S
        self._seen_term, self._now = term, now

    async def _find(self, now: float) -> None:
        """Which lanes serve what, of those in which no rollout is judged: there, the judge loop reads stable too."""
        judged = {active.lane for active in await self._store.rollouts.active() if active.judged}
        serving = {}
        for row in await self._store.lanes.lanes():
            config, digest = self._lanes.catalog.lanes.get(row.lane), _served_by(row)
            if config is None or digest is None or row.lane in judged:
                continue
            if config.policy.judge.series and config.metrics:
                known = self._serving.get(row.lane)
                serving[row.lane] = _kept(known, config, digest) or _begun(config, digest, now)
        self._serving = serving

    async def _look(self, state: _Serving) -> _Look:
        began, at = asyncio.get_running_loop().time(), self._clock.now().timestamp()
        try:
            sample = await self._sampler.stable(state.config, state.digest, at)
        except Unreachable as error:
            sample = Sample(at, state.digest, error=str(error))
        except Exception as error:
            sample = Sample(at, state.digest, error=f"{type(error).__name__}: {error}")
        return _Look(state, sample, at, asyncio.get_running_loop().time() - began)

    def _count(self, look: _Look) -> None:
        state, why = look.state, look.sample.error
        before = state.last
        try:
            state.last, tick = self._served(state, look)
        except PolicyError as mistake:
            tick, why = None, str(mistake)
        except Exception as error:
            log.exception("history_not_counted", lane=str(state.config.lane))
            state.last, tick, why = None, None, type(error).__name__
        if tick is not None:
            self.add(
                state.config.lane, replace(tick, latencies=gained(state.timed, look.sample)), state.digest
            )
        if not look.sample.error:
            state.timed = latencies(look.sample)
        if look.sample.signals:
            self._says(state.config.lane, SOURCES, dict(look.sample.signals), look.at)
        read = tick is not None or (state.last is not None and state.last is not before)
        self._tell(state, read, why)
        state.failures = 0 if read else state.failures + 1
        state.every_s = max(_pace_s(state.config), look.took_s / _SHARE)
        # In step with the planned ticks, as the judge's are.
        state.next_at = max(state.next_at + state.every_s, look.at + state.every_s / 2) + _pause_s(state)

    def _served(self, state: _Serving, look: _Look) -> tuple[LastRead | None, ServedTick | None]:
        """What was served, for the lane's rules too, unless its source cannot tell what one of them asks."""
        count = partial(served, state.last, state.config.policy.judge, look.sample, look.at, state.every_s)
        if not state.watched:
            return count()
        try:
            return count(also=state.watched)
        except PolicyError as mistake:
            log.warning("watch_not_counted", lane=str(state.config.lane), why=str(mistake))
            state.watched = ()
            return count()

    def _tell(self, state: _Serving, read: bool, why: str | None) -> None:
        """Log when a gap begins to grow and when it ends, not every look."""
        if read and state.failures >= _PATIENCE:
            log.info("history_resumed", lane=str(state.config.lane))
        elif not read and state.failures + 1 == _PATIENCE:
            log.info("history_gap", lane=str(state.config.lane), why=why or "it has no counts")

    async def _save(self) -> None:
        ticks = self._waiting[-_MOST_WAITING:]
        self._waiting = ticks
        if not ticks:
            return
        try:
            await self._store.served.append(ticks)
        except Unreachable:
            raise  # they wait for the next round
        except Exception:
            # What cannot be written must not be tried for ever.
            log.exception("history_not_saved", ticks=len(ticks))
        self._waiting = []

    async def _thin(self, now: float) -> None:
        """Each hour, thin one lane after the other, one a round, and delete what is too old."""
        if now >= self._thin_at:
            self._thin_at = now + THIN_S
            self._to_thin = list(self._lanes.catalog.lanes)
            await self._store.served.forget(edges(now, 1.0).kept_since)
        elif self._to_thin:
            lane = self._to_thin.pop()
            config = self._lanes.catalog.lanes.get(lane)
            if config is not None and await self._store.served.thin(lane, edges(now, _pace_s(config))):
                self._to_thin.append(lane)


def _served_by(row: LaneRow) -> str | None:
    """The release that has the lane's traffic or a part of it, and is no candidate."""
    desired = row.desired
    if desired.stable is None or (desired.candidate is not None and desired.weight >= 100):
        return None
    return desired.stable.digest


def _kept(known: _Serving | None, config: LaneConfig, digest: str) -> _Serving | None:
    """What was known of the lane, unless it serves or counts something else now."""
    if known is None or known.digest != digest:
        return None
    if known.config is not config:
        before, now = known.config, config
        same_rules = before.watch.rules == now.watch.rules
        if before.policy.judge != now.policy.judge or before.bound != now.bound or not same_rules:
            return None
        known.config = config
    return known


def _begun(config: LaneConfig, digest: str, now: float) -> _Serving:
    """Lanes begin at different times within a tick, so that they are not all read at once."""
    every_s = _pace_s(config)
    first_at = now + every_s * (crc32(str(config.lane).encode()) % 1000) / 1000
    return _Serving(config, digest, first_at, every_s, _counted_rules(config))


def _counted_rules(config: LaneConfig) -> tuple[Rule, ...]:
    """Rules on requests of the policy, which a backtest replays, and of the lane's alerts; each name once."""
    of_policy = (rule for rule in config.policy.judge.rules if rule.signal is None)
    rules = (*of_policy, *measured_latencies(config.watch.rules))
    return tuple({rule.name: rule for rule in rules}.values())


def _pace_s(config: LaneConfig) -> float:
    return max(config.policy.tick_s, _SHORTEST_S)


def _pause_s(state: _Serving) -> float:
    doublings = min(state.failures - _PATIENCE, 20)
    return min(_LONGEST_PAUSE_S, state.every_s * 2**doublings) if doublings >= 0 else 0.0
