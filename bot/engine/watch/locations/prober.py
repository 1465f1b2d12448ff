"""Prober of one location: asks its checks, and saves what it sees for the controller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.domain.config import Catalog, CheckConfig
from bot.domain.watch.checks import Monitor
from bot.domain.watch.locations import LocationLook
from bot.engine.tasks import Tasks
from bot.engine.watch.check_schedule import Asked, ask, next_at
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.watch.checks import Checks
from bot.ports.watch.meter import NoWatchMeter, WatchMeter
from bot.ports.watch.monitors import MonitorKey, MonitorStore

log = structlog.get_logger(__name__)

_GATHER_S = 0.05
_AT_ONCE = 200
_SET_BACK_S = 1.0  # less is a clock that follows another one


@dataclass(slots=True)
class _Planned:
    check: CheckConfig
    monitor: Monitor
    next_at: float


class LocationProber:
    """Asks every monitored check that names `location`, at the moments of its period that all locations share.

    One process of a location does this (`Lease`). Looks are saved together every `save_s` seconds; while the database
    is away, the newest of each check waits.
    """

    def __init__(
        self,
        store: MonitorStore,
        catalog: Callable[[], Catalog],
        checks: Checks,
        clock: Clock,
        location: str,
        *,
        save_s: float = 1.0,
        at_once: int = _AT_ONCE,
        meter: WatchMeter | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._checks = checks
        self._clock = clock
        self._location = location
        self._save_s = save_s
        self._at_once = at_once
        self._meter = meter or NoWatchMeter()
        self._seen: Catalog | None = None
        self._now = 0.0
        self._planned: dict[MonitorKey, _Planned] = {}
        self._busy = Tasks[MonitorKey, Asked]()
        self._unsaved: dict[MonitorKey, LocationLook] = {}
        self._save_at = 0.0

    async def once(self) -> bool:
        """One round: ask what is due, and save what was answered. Raises `Unreachable`: looks wait for the next one."""
        now = self._clock.now().timestamp()
        if self._catalog() is not self._seen or now < self._now - _SET_BACK_S:
            self._follow(self._catalog(), now)
        self._now = now
        begun = [self._ask(key, planned, now) for key, planned in self._due(now)]
        if begun:
            await asyncio.wait(begun, timeout=_GATHER_S)
        for asked in self._busy.finished():
            self._take(asked)
        if self._unsaved and (now >= self._save_at or now < self._save_at - self._save_s):
            self._save_at = now + self._save_s
            await self._save()
        return False

    async def stop(self) -> None:
        await self._busy.stop()

    def _follow(self, catalog: Catalog, now: float) -> None:
        planned: dict[MonitorKey, _Planned] = {}
        for lane, config in catalog.lanes.items():
            for check in config.checks:
                monitor = check.monitor
                if monitor is not None and self._location in monitor.locations:
                    key = MonitorKey(lane, check.name)
                    planned[key] = _Planned(check, monitor, next_at(key, monitor, now))
        self._planned, self._seen = planned, catalog
        if not planned:
            log.warning("location_without_checks", location=self._location)

    def _due(self, now: float) -> list[tuple[MonitorKey, _Planned]]:
        """What is to be asked now, the longest overdue first."""
        places = self._at_once - len(self._busy)
        due = [
            (key, one) for key, one in self._planned.items() if one.next_at <= now and key not in self._busy
        ]
        return sorted(due, key=lambda each: each[1].next_at)[: max(0, places)]

    def _ask(self, key: MonitorKey, planned: _Planned, now: float) -> asyncio.Task[Asked]:
        planned.next_at = next_at(key, planned.monitor, now)
        work = ask(self._checks, key, planned.check, self._clock)
        return self._busy.start(key, work, f"look:{key.lane}:{key.name}")

    def _take(self, asked: Asked) -> None:
        planned = self._planned.get(asked.key)
        if planned is None:
            return  # it left the catalog meanwhile
        kind, result = planned.check.settings.kind, asked.result
        if result is None:
            log.info("look_gap", lane=str(asked.key.lane), check=asked.key.name, why=asked.why)
            self._meter.check(kind, "gap", 0.0)
        else:
            self._meter.check(kind, "passed" if result.passed else "failed", result.seconds)
        self._unsaved[asked.key] = LocationLook(asked.at, result)

    async def _save(self) -> None:
        unsaved = dict(self._unsaved)
        try:
            await self._store.save_looks(self._location, unsaved)
        except Unreachable:
            raise
        except Exception:
            # What cannot be written must not be tried for ever.
            log.exception("looks_not_saved", looks=len(unsaved))
        self._unsaved = {key: look for key, look in self._unsaved.items() if unsaved.get(key) is not look}
