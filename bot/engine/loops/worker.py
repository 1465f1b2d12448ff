"""Worker: outboxes, timers, judge, reconciler and cleanup, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal

from bot.domain.config import Catalog
from bot.engine.effects.executor import Executor, carriers, given_up
from bot.engine.effects.notifications import LaneAlerts, NotificationHandler, Undelivered
from bot.engine.effects.outbox import Outbox, OutboxLimits, Probe, no_probe
from bot.engine.lanes import AdaptersByName, Lanes
from bot.engine.loops.history_loop import HistoryLoop, unheard
from bot.engine.loops.judge_loop import JudgeLoop
from bot.engine.loops.lease import CONTROLLER, Lease, process_name
from bot.engine.loops.loops import AfterCrowd, Loop, Rounds
from bot.engine.loops.reconciler import SETTLED_S, Reconciler
from bot.engine.loops.sampler import Sampler
from bot.engine.loops.timers import TimerLoop
from bot.engine.reports.service import ReportService
from bot.engine.reports.weekly import DayCounter, WeeklyReports
from bot.engine.stepper import MESSAGE_KINDS, MESSAGES, ORDERS, TICKS, Kept, Stepper, order_kinds
from bot.engine.watch.alerts.service import ALERTS, INCIDENTS, Alerts
from bot.engine.watch.alerts.sink_dispatcher import SinkDispatcher
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.alerts.suspects import Suspects
from bot.engine.watch.incidents.regressions import Regressions
from bot.engine.watch.incidents.service import Incidents
from bot.engine.watch.lane_watcher import LaneWatcher
from bot.engine.watch.locations.prober import LocationProber
from bot.engine.watch.monitors import Monitors, unsaid
from bot.engine.watch.oncall.calendars import CalendarLoop
from bot.engine.watch.oncall.handover import HandOvers
from bot.engine.watch.oncall.pages import PageLoop
from bot.engine.watch.oncall.service import OnCall
from bot.engine.watch.presence import PresenceLoop
from bot.ports.appcommands import AppCommandsSync
from bot.ports.changes import ChangeSource
from bot.ports.coordination import Clock, Waker
from bot.ports.data_plane.bindings import BoundAdapters
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.runs import Runner
from bot.ports.data_plane.targets import Checker, DeployTarget
from bot.ports.members import Members
from bot.ports.meter import Meter, NoMeter
from bot.ports.notifications import Announcer
from bot.ports.releases import ReleaseSource
from bot.ports.store import Store
from bot.ports.watch.checks import Checks
from bot.ports.watch.oncall import CalendarReader

# What a process does: everything, only what goes to Discord, everything else, or only checks of its location.
Role = Literal["all", "gateway", "worker", "location"]


_ENGINE = ("engine",)


@dataclass(frozen=True, slots=True)
class LoopIntervals:
    """How often each loop polls, in seconds, beside wake-ups."""

    orders_s: float = 0.25
    messages_s: float = 0.25
    numbers_s: float = 1.0
    gather_s: float = (
        0.03  # notifications wait this long, so that one round takes several; presses were answered before
    )
    courtesy_s: float = 2.0
    timers_s: float = 0.25
    ticks_s: float = 0.1
    history_s: float = 0.25
    history_saved_s: float = 30.0
    history_lanes_s: float = 10.0  # a thousand rows take a part of a second
    monitors_s: float = 0.25
    monitors_saved_s: float = 30.0
    reconcile_s: float = 3.0
    settled_s: float = SETTLED_S
    tidy_s: float = 600.0
    gauge_s: float = 5.0
    watch_s: float = 1.0
    alerts_s: float = 0.25
    incidents_s: float = 1.0
    sinks_s: float = 0.5
    on_call_s: float = 2.0
    calendars_s: float = 5.0
    reports_s: float = 15.0
    presences_s: float = 15.0
    lead_s: float = 1.5  # another process takes over a dead leader's work after this long
    keep_samples: timedelta = timedelta(days=30)
    keep_effects: timedelta = timedelta(days=2)
    keep_records: timedelta = timedelta(days=400)  # as long as the days of reports, which look back 180 days
    orders: OutboxLimits = field(default_factory=OutboxLimits)
    messages: OutboxLimits = field(default_factory=lambda: OutboxLimits(at_once=16))


class Worker:
    """Executes what the engine records. Several may run, in one process or many: leases and fences keep them apart.

    targets, metrics: by their names in the catalog. bound: adapters of running rollouts, by default those of the same
    names. probe: awaited before and after every effect. watch: one round of further monitoring, once a second, in one
    process for all. commands, runner: for plans that deploy slash commands, and that run commands.
    changes: looks up commits, where the catalog names a repository. checks: asks those of the catalog: of candidates,
    and with `alerts` on their schedule. alerts: hears what is wrong with lanes that serve;
    alert_cards: one round of posting their cards. incidents and incident_cards:
    the same of incidents. regressions: opens issues about
    them. undelivered: is told whom no direct message reached. sinks: are told alerts
    beside Discord. gateway: effects for Discord are executed while this lease is held; None executes them
    always. crowded: whether many people wait for answers of this process; messages then wait for up to `courtesy_s`.
    members, calendars: for on-call schedules: who left a server, and reading of .ics. location: where this process is;
    it asks the checks that name it, whatever its role is. presences: notes who is online.
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
        kept: Kept | None = None,
        probe: Probe = no_probe,
        intervals: LoopIntervals | None = None,
        gateway: Lease | None = None,
        watch: Callable[[], Awaitable[bool]] | None = None,
        commands: AppCommandsSync | None = None,
        runner: Runner | None = None,
        changes: ChangeSource | None = None,
        checks: Checks | None = None,
        alerts: Alerts | None = None,
        alert_cards: Callable[[], Awaitable[bool]] | None = None,
        undelivered: Undelivered | None = None,
        incidents: Incidents | None = None,
        incident_cards: Callable[[], Awaitable[bool]] | None = None,
        regressions: Regressions | None = None,
        sinks: Sinks | None = None,
        bound: BoundAdapters | None = None,
        crowded: Callable[[], bool] = lambda: False,
        members: Members | None = None,
        calendars: CalendarReader | None = None,
        location: str | None = None,
        presences: PresenceLoop | None = None,
    ) -> None:
        self.rounds = Rounds()  # of this process, for its health
        self._awaited: Sequence[str] = _ENGINE
        self.sinks = sinks
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._waker = waker
        self._meter = meter or NoMeter()
        self._intervals = intervals or LoopIntervals()
        self._watch = watch
        self._presences = presences
        self._gateway = gateway
        self._alerts, self._alert_cards = alerts, alert_cards
        self._incidents, self._incident_cards = incidents, incident_cards
        self._regressions = regressions
        self._controller = Lease(store.housekeeping, CONTROLLER, process_name(), self._intervals.lead_s)
        stepper = Stepper(store, clock, waker, self._meter, kept)
        adapters = bound or AdaptersByName(targets, metrics)
        lanes = Lanes(store, catalog, targets, releases, clock, bound=adapters)
        self._sampler = Sampler(lanes)
        self._watcher = (
            LaneWatcher(store, catalog, alerts, clock, term=lambda: self._controller.term) if alerts else None
        )
        self._counting = HistoryLoop(
            store,
            lanes,
            self._sampler,
            clock,
            term=lambda: self._controller.term,
            heard=self._watcher.take if self._watcher else unheard,
            says=self._watcher.listen if self._watcher else unsaid,
            save_s=self._intervals.history_saved_s,
            find_s=self._intervals.history_lanes_s,
        )
        self._ticking = JudgeLoop(
            store,
            self._sampler,
            stepper,
            clock=clock,
            meter=self._meter,
            term=lambda: self._controller.term,
            served=self._counting.add,
        )
        on_call = OnCall(store.on_call, catalog, clock, members)
        self._handing_over = HandOvers(on_call, store.on_call, catalog)
        self._paging = PageLoop(on_call, store.on_call, store.alerts, catalog, self._meter)
        self._calendars = CalendarLoop(calendars, store.on_call, catalog, clock) if calendars else None
        self._reporting = WeeklyReports(ReportService(store, catalog, clock), store.reports, catalog, clock)
        self._summing = DayCounter(store.reports, clock)
        self._monitors = (
            Monitors(
                store.monitors,
                catalog,
                checks,
                alerts,
                clock,
                term=lambda: self._controller.term,
                says=self._watcher.listen if self._watcher else unsaid,
                save_s=self._intervals.monitors_saved_s,
                meter=self._meter,
            )
            if checks and alerts
            else None
        )
        self._here = Lease(store.housekeeping, f"location:{location}", process_name(), self._intervals.lead_s)
        self._looking = (
            LocationProber(store.monitors, catalog, checks, clock, location, meter=self._meter)
            if checks and location
            else None
        )
        self._telling = (
            SinkDispatcher(
                sinks,
                store.alerts,
                store.notes,
                Suspects(store, catalog).last_deploy,
                clock,
                term=lambda: self._controller.term,
                meter=self._meter,
            )
            if sinks
            else None
        )
        lane_alerts = LaneAlerts(catalog)
        self._reconciling = Reconciler(
            store, lanes, stepper, waker, lane_alerts, settled_s=self._intervals.settled_s
        )
        self._timing = TimerLoop(store.timers, stepper, clock)
        outbox = partial(
            Outbox,
            effects=store.effects,
            clock=clock,
            waker=waker,
            meter=self._meter,
            probe=probe,
            alerts=lane_alerts,
        )
        self._orders = outbox(
            ORDERS,
            sorted(order_kinds()),
            Executor(
                store,
                stepper,
                carriers(
                    store,
                    lanes,
                    checker,
                    commands,
                    stepper.kept,
                    runner=runner,
                    changes=changes,
                    checks=checks,
                    tell=stepper.apply,
                ),
            ),
            limits=self._intervals.orders,
            give_up=lambda claim, why: given_up(claim, why, clock.now()),
        )
        self._messages = outbox(
            MESSAGES,
            sorted(MESSAGE_KINDS),
            NotificationHandler(announcer, store.effects, undelivered),
            limits=self._intervals.messages,
        )
        self._post = AfterCrowd(self._messages.once, crowded, self._intervals.courtesy_s)

    async def run(self, role: Role = "all") -> None:
        """Run until cancelled; other processes then take over its leases."""
        loops = self._loops_of(role)
        try:
            async with asyncio.TaskGroup() as group:
                if role in ("all", "worker"):
                    group.create_task(self._controller.run(), name="controller")
                if self._looking:
                    group.create_task(self._here.run(), name="location")
                for loop in loops:
                    group.create_task(loop.run(self._waker, self.rounds), name=f"loop:{loop.name}")
                self._awaited = [loop.name for loop in loops]
        finally:
            self._awaited = _ENGINE
            await self._ticking.stop()
            await self._counting.stop()
            if self._monitors:
                await self._monitors.stop()
            if self._looking:
                await self._looking.stop()
            if self._telling:
                await self._telling.stop()
            await self._reconciling.stop()
            await self._orders.stop()
            await self._messages.stop()

    def _loops_of(self, role: Role) -> tuple[Loop, ...]:
        speaking = self._speaking() if role in ("all", "gateway") else ()
        working = self._loops() if role in ("all", "worker") else ()
        return (*speaking, *working, *self._looks())

    def _looks(self) -> Sequence[Loop]:
        if self._looking is None:
            return ()
        return (Loop("looks", self._here.only(self._looking.once), self._intervals.monitors_s),)

    def _speaking(self) -> tuple[Loop, ...]:
        """The loops for Discord."""
        intervals = self._intervals
        only = self._gateway.only if self._gateway else always
        return (
            Loop("messages", only(self._post), intervals.messages_s, MESSAGES, intervals.gather_s),
            Loop("messages_leases", self._messages.renew, intervals.messages_s),
            Loop("measurements", only(self._refresh), intervals.numbers_s),
            *(
                [Loop("presences", only(self._presences.once), intervals.presences_s)]
                if self._presences
                else []
            ),
            *(
                [Loop("alert_cards", only(self._alert_cards), intervals.alerts_s, ALERTS)]
                if self._alert_cards
                else []
            ),
            *(
                [Loop("incident_cards", only(self._incident_cards), intervals.alerts_s, INCIDENTS)]
                if self._incident_cards
                else []
            ),
        )

    def _loops(self) -> tuple[Loop, ...]:
        intervals, only = self._intervals, self._controller.only
        return (
            Loop("orders", self._orders.once, intervals.orders_s, ORDERS),
            Loop("orders_leases", self._orders.renew, intervals.orders_s),
            Loop("timers", self._timing.once, intervals.timers_s),
            Loop("ticks", only(self._ticking.once), intervals.ticks_s, TICKS),
            Loop("history", only(self._counting.once), intervals.history_s),
            Loop("reconcile", only(self._reconciling.once), intervals.reconcile_s),
            Loop("tidy", only(self._tidy), intervals.tidy_s),
            Loop("gauges", self._gauge, intervals.gauge_s),
            Loop("hand_overs", only(self._handing_over.once), intervals.on_call_s),
            Loop("test_pages", only(self._paging.once), intervals.on_call_s),
            Loop("reports", only(self._reporting.once), intervals.reports_s),
            Loop("served_days", only(self._summing.once), intervals.reports_s),
            *(
                [Loop("calendars", only(self._calendars.once), intervals.calendars_s)]
                if self._calendars
                else []
            ),
            *([Loop("watch", only(self._watch), intervals.watch_s)] if self._watch else []),
            *([Loop("alerts", self._alerts.once, intervals.timers_s)] if self._alerts else []),
            *(
                [Loop("regressions", only(self._regressions.once), intervals.on_call_s)]
                if self._regressions
                else []
            ),
            *([Loop("incidents", self._incidents.once, intervals.incidents_s)] if self._incidents else []),
            *([Loop("monitors", only(self._monitors.once), intervals.monitors_s)] if self._monitors else []),
            *([Loop("sinks", only(self._telling.once), intervals.sinks_s)] if self._telling else []),
            *([Loop("lane_watcher", only(self._watcher.once), intervals.alerts_s)] if self._watcher else []),
        )

    @property
    def starting(self) -> Sequence[str]:
        """Loops that have finished no round yet, or `engine` while none runs."""
        return [name for name in self._awaited if not self.rounds.done(name)]

    @property
    def untold(self) -> Mapping[str, str]:
        """Sinks that this process could not tell an alert, each with the reason."""
        return self._telling.failing if self._telling else {}

    async def _refresh(self) -> bool:
        await self._announcer.refresh(await self._store.rollouts.active())
        return False

    async def _tidy(self) -> bool:
        now = self._clock.now()
        intervals = self._intervals
        return await self._store.housekeeping.tidy(
            now - intervals.keep_samples, now - intervals.keep_effects, now - intervals.keep_records
        )

    async def _gauge(self) -> bool:
        self._meter.rollouts(await self._store.housekeeping.phases())
        self._meter.effect_queue(*await self._store.housekeeping.queue())
        self._meter.alerts_open(await self._store.alerts.count_open())
        watching = self._watcher is not None and self._controller.held
        self._meter.lanes(self._watcher.health() if self._watcher and watching else ())
        return False


def always(once: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    """Instead of `Lease.only`, where there is no lease."""
    return once
