"""Everything that runs by itself: the outboxes, the timers, the judge's clock, the reconciler, the tidying up."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from bot.domain.config import Catalog
from bot.engine.announcing import Announcing
from bot.engine.calling import Calling
from bot.engine.executing import Executing, given_up
from bot.engine.looping import Leading, Loop
from bot.engine.metering import NoMeter
from bot.engine.outbox import Outbox, Pace, Probe, no_probe
from bot.engine.places import Places
from bot.engine.reconciling import Reconciling
from bot.engine.sampling import Sampling
from bot.engine.stepping import MESSAGE_KINDS, MESSAGES, ORDER_KINDS, ORDERS, TICKS, Stepping
from bot.engine.ticking import Ticking
from bot.engine.timing import Timing
from bot.ports import (
    Announcer,
    Checker,
    Clock,
    CommandsSync,
    DeployTarget,
    Meter,
    MetricSource,
    ReleaseSource,
    Store,
    Waker,
)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often each loop looks by itself, in seconds; wake-ups come on top."""

    orders_s: float = 0.25
    messages_s: float = 0.25
    gather_s: float = (
        0.03  # what is told to people waits so long for more of it; they have their answer already
    )
    timers_s: float = 0.25
    ticks_s: float = 0.1
    reconcile_s: float = 3.0
    tidy_s: float = 600.0
    gauge_s: float = 5.0
    watch_s: float = 1.0
    lead_s: float = 1.5  # a leader that dies is followed after this long
    keep_samples: timedelta = timedelta(days=30)
    keep_effects: timedelta = timedelta(days=2)
    orders: Pace = field(default_factory=Pace)
    messages: Pace = field(default_factory=lambda: Pace(at_once=16))


class Worker:
    """Does what the engine records. Several may run, in one process or many: leases and fences keep them apart.

    targets, metrics: by the names that the catalog gives them. probe: awaited before and after every effect.
    watch: one round of what else is looked after, once a second, by one process for all.
    commands: what plans with slash commands in them need.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        *,
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        metrics: Mapping[str, MetricSource],
        checker: Checker,
        announcer: Announcer,
        clock: Clock,
        waker: Waker,
        meter: Meter | None = None,
        probe: Probe = no_probe,
        rhythm: Rhythm | None = None,
        watch: Callable[[], Awaitable[bool]] | None = None,
        commands: CommandsSync | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._waker = waker
        self._meter = meter or NoMeter()
        self._rhythm = rhythm or Rhythm()
        self._watch = watch
        self._leading = Leading(store.housekeeping, _owner(), self._rhythm.lead_s)
        stepping = Stepping(store, clock, waker, self._meter)
        places = Places(store, catalog, targets, releases, clock)
        self._sampling = Sampling(places, metrics)
        self._ticking = Ticking(store, self._sampling, stepping, clock=clock, meter=self._meter)
        calling = Calling(catalog)
        self._reconciling = Reconciling(store, places, stepping, waker, calling)
        self._timing = Timing(store.timers, stepping, clock)
        outbox = partial(
            Outbox,
            effects=store.effects,
            clock=clock,
            waker=waker,
            meter=self._meter,
            probe=probe,
            calling=calling,
        )
        self._orders = outbox(
            ORDERS,
            sorted(ORDER_KINDS),
            Executing(store, places, stepping, checker, commands),
            pace=self._rhythm.orders,
            give_up=lambda claim, why: given_up(claim, why, clock.now()),
        )
        self._messages = outbox(
            MESSAGES,
            sorted(MESSAGE_KINDS),
            Announcing(announcer, store.effects),
            pace=self._rhythm.messages,
        )

    async def run(self) -> None:
        """Runs until cancelled; leaves leases behind that others take over."""
        try:
            async with asyncio.TaskGroup() as group:
                for loop in self._loops():
                    group.create_task(loop.run(self._waker), name=f"loop:{loop.name}")
        finally:
            await self._orders.stop()
            await self._messages.stop()

    def _loops(self) -> tuple[Loop, ...]:
        rhythm, only = self._rhythm, self._leading.only
        return (
            Loop("orders", self._orders.once, rhythm.orders_s, ORDERS),
            Loop("orders_leases", self._orders.renew, rhythm.orders_s),
            Loop("messages", self._messages.once, rhythm.messages_s, MESSAGES, rhythm.gather_s),
            Loop("messages_leases", self._messages.renew, rhythm.messages_s),
            Loop("timers", self._timing.once, rhythm.timers_s),
            Loop("ticks", only("ticks", self._ticking.once), rhythm.ticks_s, TICKS),
            Loop("reconcile", only("reconcile", self._reconciling.once), rhythm.reconcile_s),
            Loop("tidy", only("tidy", self._tidy), rhythm.tidy_s),
            Loop("gauges", self._gauge, rhythm.gauge_s),
            *([Loop("watch", only("watch", self._watch), rhythm.watch_s)] if self._watch else []),
        )

    async def _tidy(self) -> bool:
        now = self._clock.now()
        rhythm = self._rhythm
        return await self._store.housekeeping.tidy(now - rhythm.keep_samples, now - rhythm.keep_effects)

    async def _gauge(self) -> bool:
        self._meter.rollouts(await self._store.housekeeping.phases())
        self._meter.effect_queue(*await self._store.housekeeping.queue())
        return False


def _owner() -> str:
    """A name that no other process has, and that people can place."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
