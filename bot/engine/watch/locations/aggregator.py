"""Aggregator of what locations saw: one answer for each round of a check, and which locations are silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.checks import Monitor
from bot.domain.watch.locations import LocationLook, combined, silence, silent_after_s
from bot.engine.watch.check_schedule import Asked, round_at
from bot.ports.watch.monitors import MonitorKey, MonitorStore, SavedLook

# How long after its time limit a look may come in, and how much earlier than planned another clock may ask.
_LATE_S, _EARLY_S = 5.0, 2.0
# Looks are read again from this long before the newest: a transaction may end after a later one.
_OVERLAP_S = 5.0
# A longer time between two readings is not the locations' silence.
_UNREAD_S = 10.0


class Located(NamedTuple):
    """A monitor with locations. timeout_s: the time limit of its check. guilds: the servers that see its lane."""

    monitor: Monitor
    timeout_s: float
    guilds: tuple[int, ...] = ()


@dataclass(slots=True)
class _Round:
    """The round of a check that is awaited. at: when it was planned (unix seconds)."""

    located: Located
    at: float

    @property
    def since(self) -> float:
        return self.at - min(_EARLY_S, self.located.monitor.every_s / 10)

    @property
    def until(self) -> float:
        return self.at + min(self.located.timeout_s + _LATE_S, self.located.monitor.every_s)


@dataclass(slots=True)
class _Heard:
    """A location. since: when it was first to be heard. silent: as it was told; None: nothing was yet."""

    since: float
    silent: bool | None = None


class LocationAggregator:
    """What the controller knows of locations.

    A round is judged when all of its locations answered, or five seconds after the check's time limit, at the latest
    when the next one begins.
    """

    def __init__(self, store: MonitorStore, *, read_s: float = 1.0) -> None:
        self._store = store
        self._read_s = read_s
        self._rounds: dict[MonitorKey, _Round] = {}
        self._looks: dict[MonitorKey, dict[str, LocationLook]] = {}
        self._newest: dict[str, float] = {}  # of each location
        self._heard: dict[str, _Heard] = {}
        self._gone: set[str] = set()
        self._stale: list[tuple[MonitorKey, str]] = []
        self._saved = self._read_at = self._reading_since = 0.0

    async def begin(self) -> None:
        """Know nothing but what is stored. Raises `Unreachable`."""
        self._rounds, self._looks, self._newest, self._heard = {}, {}, {}, {}
        self._gone, self._stale = set(), []
        self._saved = self._read_at = 0.0
        self._take(await self._store.looks(0.0))

    def follow(
        self, monitors: Mapping[MonitorKey, Located], judged: Mapping[MonitorKey, float], now: float
    ) -> None:
        """Take in another catalog. judged: when each check was last answered (unix seconds), where that is known."""
        self._rounds = {
            key: self._first_round(key, located, judged.get(key, 0.0), now)
            for key, located in monitors.items()
        }
        wanted = {(key, location) for key, each in monitors.items() for location in each.monitor.locations}
        stored = {(key, location) for key, looks in self._looks.items() for location in looks}
        self._stale += stored - wanted
        for key, location in stored - wanted:
            del self._looks[key][location]
        locations = {location for _, location in wanted}
        self._gone = ({location for _, location in stored} | self._heard.keys() | self._gone) - locations
        self._heard = {location: self._heard.get(location) or _Heard(now) for location in locations}

    async def once(self, now: float) -> tuple[Sequence[Asked], Sequence[Finding]]:
        """The rounds that are over, and locations that begin or end to be silent. Raises `Unreachable`."""
        if self._stale:
            await self._store.forget_looks(self._stale)
            self._stale = []
        ended = [self._silence(location, now, now, fires=False) for location in sorted(self._gone)]
        self._gone = set()
        if not self._rounds:
            return [], ended
        if not 0 <= now - self._read_at < self._read_s:
            found = await self._store.looks(self._saved - _OVERLAP_S)
            if not 0 <= now - self._read_at <= _UNREAD_S:
                self._reading_since = now
            self._read_at = now
            self._take(found)
        over = [self._judged(key, one, now) for key, one in self._rounds.items() if self._over(key, one, now)]
        return over, [*ended, *self._silent(now)]

    def _first_round(self, key: MonitorKey, located: Located, judged: float, now: float) -> _Round:
        """The present round, if there is anything of it that was not judged yet; else the next one."""
        known = self._rounds.get(key)
        this = _Round(located, round_at(key, located.monitor, now))
        if known is not None and known.located.monitor.every_s == located.monitor.every_s:
            this.at = known.at
        elif judged >= this.since or not any(
            look.at >= this.since for look in self._looks.get(key, {}).values()
        ):
            this.at += located.monitor.every_s
        return this

    def _take(self, found: Sequence[SavedLook]) -> None:
        for each in found:
            looks = self._looks.setdefault(each.key, {})
            if each.location not in looks or looks[each.location].at < each.look.at:
                looks[each.location] = each.look
            self._newest[each.location] = max(self._newest.get(each.location, 0.0), each.look.at)
            self._saved = max(self._saved, each.saved)

    def _over(self, key: MonitorKey, one: _Round, now: float) -> bool:
        looks = self._looks.get(key, {})
        answered = (name in looks and looks[name].at >= one.since for name in one.located.monitor.locations)
        return now >= one.at and (now >= one.until or all(answered))

    def _judged(self, key: MonitorKey, one: _Round, now: float) -> Asked:
        monitor = one.located.monitor
        result, seen = combined(monitor, self._looks.get(key, {}), one.since)
        at, one.at = one.at, max(one.at + monitor.every_s, round_at(key, monitor, now))
        return Asked(key, at, result, "" if result is not None else "no location could ask it", seen)

    def _silent(self, now: float) -> Iterator[Finding]:
        for location, heard in self._heard.items():
            since = self._newest.get(location, heard.since)
            limit_s = silent_after_s(min(one.monitor.every_s for one in self._asked_by(location)))
            speaks = location in self._newest and now - since < limit_s
            # While nothing could be read, nothing is known of any location.
            silent = now - max(since, self._reading_since) >= limit_s
            if speaks is not silent and heard.silent is not silent:
                heard.silent = silent
                yield self._silence(location, since, now, fires=silent)

    def _silence(self, location: str, since: float, now: float, *, fires: bool) -> Finding:
        asked = self._asked_by(location)
        every_s = min((one.monitor.every_s for one in asked), default=0.0)
        guilds = tuple(sorted({guild for one in asked for guild in one.guilds}))
        return silence(
            location,
            since,
            now,
            checks=len(asked),
            limit_s=silent_after_s(every_s),
            guilds=guilds,
            fires=fires,
        )

    def _asked_by(self, location: str) -> Sequence[Located]:
        return [one.located for one in self._rounds.values() if location in one.located.monitor.locations]
