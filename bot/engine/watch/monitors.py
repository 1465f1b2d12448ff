"""Monitors: every check of the catalog on its schedule, and what its answers say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.domain.config import Catalog, CheckConfig
from bot.domain.judge.evidence.counters import Signal
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.checks import Monitor, MonitorState, given_up, observe, signals, standing
from bot.engine.tasks import Tasks
from bot.engine.watch.check_schedule import Asked, ask, next_at
from bot.engine.watch.locations.aggregator import Located, LocationAggregator
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.watch.checks import Checks
from bot.ports.watch.findings import Findings
from bot.ports.watch.meter import NoWatchMeter, WatchMeter
from bot.ports.watch.monitors import MonitorKey, MonitorStore

log = structlog.get_logger(__name__)

_GATHER_S = 0.05
_AT_ONCE = 200
_SET_BACK_S = 1.0  # less is a clock that follows another one
_TIDY_S = 3600.0
_KEPT_S = 8 * 86_400.0  # hours of checks, and of those that are judged over a longer time, longer


# Who says it, the signals, and when (unix seconds).
Says = Callable[[Lane, str, Mapping[str, Signal], float], None]


def unsaid(lane: Lane, origin: str, said: Mapping[str, Signal], at: float) -> None:
    """No one listens."""


@dataclass(slots=True)
class _Watched:
    """A monitor of the present catalog. away: whether it could not be asked the last time."""

    check: CheckConfig
    monitor: Monitor
    next_at: float
    away: bool = False


class Monitors:
    """Asks every monitored check of the catalog, spread over its time, and tells what is found.

    One process does this for all (`Controller`), and asks at most `at_once` checks at a time; each check is asked in a
    task of its own. Those with locations are asked there, and their answers gathered. States are saved together every
    `save_s` seconds: what was not saved yet is lost with the process. What fires is told again every `retell_s`
    seconds: a person may have resolved its alert. `term` rises when this process becomes the controller: another one
    may have asked meanwhile. says: is told the signals of each answer.
    """

    def __init__(
        self,
        store: MonitorStore,
        catalog: Callable[[], Catalog],
        checks: Checks,
        findings: Findings,
        clock: Clock,
        *,
        term: Callable[[], int] = lambda: 0,
        says: Says = unsaid,
        save_s: float = 30.0,
        retell_s: float = 900.0,
        at_once: int = _AT_ONCE,
        meter: WatchMeter | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._checks = checks
        self._findings = findings
        self._clock = clock
        self._term = term
        self._says = says
        self._save_s = save_s
        self._retell_s = retell_s
        self._at_once = at_once
        self._meter = meter or NoWatchMeter()
        self._seen_term = -1
        self._seen: Catalog | None = None
        self._now = 0.0
        self._watched: dict[MonitorKey, _Watched] = {}
        self._states: dict[MonitorKey, MonitorState] = {}
        self._unsaved: set[MonitorKey] = set()
        self._gone: set[MonitorKey] = set()
        self._untold: dict[str, Finding] = {}
        self._busy = Tasks[MonitorKey, Asked]()
        self._locations = LocationAggregator(store)
        self._save_at = self._tidy_at = self._retell_at = 0.0

    async def once(self) -> bool:
        """One round: ask what is due, take in what was answered, tell and save."""
        now = self._clock.now().timestamp()
        if self._term() != self._seen_term:
            await self._begin(now)
        if self._catalog() is not self._seen or now < self._now - _SET_BACK_S:
            self._follow(self._catalog(), now)
            self._retell_at = min(self._retell_at, now + self._retell_s)
        self._now = now
        begun = [self._ask(key, watched, now) for key, watched in self._due(now)]
        if begun:
            await asyncio.wait(begun, timeout=_GATHER_S)
        for asked in self._busy.finished():
            self._take(asked)
        answers, silences = await self._locations.once(now)
        for asked in answers:
            self._take(asked)
        self._hear(silences)
        if now >= self._retell_at:
            self._retell_at = now + self._retell_s
            self._tell_again()
        await self._tell()
        await self._forget()
        if now >= self._save_at:
            self._save_at = now + self._save_s
            await self._save()
        if now >= self._tidy_at:
            self._tidy_at = now + (0.0 if await self._store.tidy(now - self._kept_s()) else _TIDY_S)
        return False

    async def stop(self) -> None:
        await self._busy.stop()

    async def _begin(self, now: float) -> None:
        """Go on where the former controller stopped."""
        await self._busy.stop()
        self._states = dict(await self._store.read())
        await self._locations.begin()
        self._watched, self._untold = {}, {}
        self._unsaved, self._gone = set(), set()
        self._seen, self._seen_term = None, self._term()
        self._save_at, self._tidy_at = now + self._save_s, now
        self._retell_at = now + self._retell_s

    def _follow(self, catalog: Catalog, now: float) -> None:
        """Take in another catalog: checks that left it are given up, and what they fired is over."""
        watched: dict[MonitorKey, _Watched] = {}
        located: dict[MonitorKey, Located] = {}
        for lane, config in catalog.lanes.items():
            for check in config.checks:
                if check.monitor is not None:
                    key = MonitorKey(lane, check.name)
                    known = self._watched.get(key)
                    at = next_at(key, check.monitor, now)
                    watched[key] = _Watched(check, check.monitor, min(at, known.next_at) if known else at)
                    watched[key].away = known is not None and known.away
                    if check.monitor.locations:
                        located[key] = Located(check.monitor, check.timeout_s, config.guilds)
        for key in self._states.keys() - watched.keys():
            self._hear(given_up(Monitor(key.lane, key.name), self._states.pop(key), now))
            self._gone.add(key)
        judged = {key: state.last.at for key, state in self._states.items() if state.last is not None}
        self._locations.follow(located, judged, now)
        self._watched, self._seen = watched, catalog

    def _due(self, now: float) -> Sequence[tuple[MonitorKey, _Watched]]:
        """What is to be asked now, the longest overdue first."""
        places = self._at_once - len(self._busy)
        due = [
            (key, one)
            for key, one in self._watched.items()
            if one.next_at <= now and key not in self._busy and not one.monitor.locations
        ]
        return sorted(due, key=lambda each: each[1].next_at)[: max(0, places)]

    def _ask(self, key: MonitorKey, watched: _Watched, now: float) -> asyncio.Task[Asked]:
        watched.next_at = next_at(key, watched.monitor, now)
        work = ask(self._checks, key, watched.check, self._clock)
        return self._busy.start(key, work, f"monitor:{key.lane}:{key.name}")

    def _take(self, asked: Asked) -> None:
        watched = self._watched.get(asked.key)
        if watched is None:
            return  # it left the catalog meanwhile
        away = asked.result is None
        if away is not watched.away:
            event = "monitor_gap" if away else "monitor_resumed"
            log.info(event, lane=str(asked.key.lane), check=asked.key.name, why=asked.why)
        watched.away = away
        self._count(watched, asked)
        state = replace(self._states.get(asked.key) or MonitorState(), seen=asked.seen)
        if asked.result is None:
            if asked.seen:
                self._states[asked.key] = state
                self._unsaved.add(asked.key)
            return
        self._states[asked.key], findings = observe(watched.monitor, state, asked.result)
        self._unsaved.add(asked.key)
        self._hear(findings)
        if watched.monitor.signals:
            self._says(
                asked.key.lane, asked.key.name, signals(watched.monitor, asked.result), asked.result.at
            )

    def _count(self, watched: _Watched, asked: Asked) -> None:
        """What is asked in locations is counted there."""
        if not watched.monitor.locations:
            result = asked.result
            outcome = "gap" if result is None else "passed" if result.passed else "failed"
            self._meter.check(watched.check.settings.kind, outcome, result.seconds if result else 0.0)

    def _hear(self, findings: Sequence[Finding]) -> None:
        """Keep findings to be told; of one trouble, the newest."""
        self._untold |= {finding.fingerprint: finding for finding in findings}

    def _tell_again(self) -> None:
        """What fires, unless news of it wait already."""
        for key, watched in self._watched.items():
            state = self._states.get(key)
            if state is not None and state.firing:
                found = standing(watched.monitor, state)
                self._hear([each for each in found if each.fingerprint not in self._untold])

    async def _tell(self) -> None:
        """Tell all at once. They are kept until they were taken."""
        if self._untold:
            told = dict(self._untold)
            await self._findings.hear(list(told.values()))
            self._untold = {k: finding for k, finding in self._untold.items() if told.get(k) is not finding}

    async def _forget(self) -> None:
        """Delete what left the catalog, once the end of what it fired was taken."""
        gone = self._gone - self._watched.keys()
        if gone:
            await self._store.forget(gone)
            self._unsaved -= gone
        self._gone.clear()

    async def _save(self) -> None:
        unsaved = {key: self._states[key] for key in self._unsaved if key in self._states}
        if not unsaved:
            return
        try:
            await self._store.save(unsaved)
        except Unreachable:
            raise  # they wait for the next round
        except Exception:
            # What cannot be written must not be tried for ever.
            log.exception("monitors_not_saved", monitors=len(unsaved))
        self._unsaved.difference_update(unsaved)

    def _kept_s(self) -> float:
        return max([_KEPT_S, *(one.monitor.rules.over_s + 86_400.0 for one in self._watched.values())])
