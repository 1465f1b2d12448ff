"""`/health` of 200 lanes: from what is stored to the answer, with everything that a lane can have.

The engine's queries run on a real PostgreSQL, and the picture of a page is drawn by the real renderer in its own
process. Each lane has two weeks of rules' state, a day of counted requests for the picture, two monitored checks with
a week of hours, a lock or an alert here and there.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from benchmarks.report import Row, show
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.config import Catalog, CheckConfig
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.checks import HOUR_S, CheckResult, Hour, Monitor, MonitorState
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.oncall.schedule import Responders
from bot.domain.watch.rules import WatchState, advance_watch
from bot.engine.watch.health import STRIP_S, Healths
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.monitors import MonitorKey
from bot.ui.chart.chart import Charts
from bot.ui.chart.lanes.charts import LaneCharts
from bot.ui.interactions.health import answer, shown
from bot.web.api.health import health as as_json
from tests.support.alerts import errors
from tests.support.catalogs import GUILD, PRODUCTION, catalog
from tests.support.clocks import ShiftedClock
from tests.support.postgres import postgres_server

LANES, CHECKS = 200, 2
GOAL_S = 0.3


class Plain:
    """Settings of a check that is never asked here."""

    kind = "http"


def deployed() -> Catalog:
    """One service for each lane."""
    usual = catalog()
    config = usual.lanes[PRODUCTION]
    watch = LaneWatch(default_rules(config.policy.judge))
    lanes = {}
    for number in range(LANES):
        lane = Lane(f"service-{number}", "production")
        checks = tuple(
            CheckConfig(f"check-{n}", Plain(), 5.0, monitor=Monitor(lane, f"check-{n}"))
            for n in range(CHECKS)
        )
        lanes[lane] = replace(config, lane=lane, checks=checks, watch=watch)
    return replace(usual, lanes=lanes)


async def fill(store: PostgresStore, found: Catalog, clock: ShiftedClock) -> None:
    """What is kept of these lanes."""
    at = clock.now()
    now, states = at.timestamp(), {}
    rules = default_rules(found.lanes[next(iter(found.lanes))].policy.judge)
    state = WatchState()
    for n in range(14 * 24 * 4):
        counts = {"errors": Counts(1000, n % 3), "latency>0.8s": Counts(1000, n % 7)}
        state, _ = advance_watch(rules, state, ServedTick(now - 14 * 86_400 + 900 * (n + 1), 900.0, counts))
    states = dict.fromkeys(found.lanes, state)
    await store.watched.save(states, at)
    ticks = [
        ServedTick(
            round(now - STRIP_S + 5 * n, 3), 5.0, {"errors": Counts(50, n % 2), "latency>0.8s": Counts(50, 1)}
        )
        for n in range(round(STRIP_S / 5))
    ]
    for lane in list(found.lanes)[:16]:
        await store.served.append([(lane, tick) for tick in ticks])
    first = now // HOUR_S * HOUR_S - 7 * 24 * HOUR_S
    hours = tuple(Hour(first + n * HOUR_S, 3_540.0, 60.0) for n in range(7 * 24))
    passed = CheckResult(now - 10, 0.05)
    monitor = MonitorState(last=passed, recent=((now - 10, 0.05),))
    for days in range(1, 8):
        kept = replace(monitor, hours=hours[: 24 * days])
        await store.monitors.save(
            {MonitorKey(lane, f"check-{n}"): kept for lane in found.lanes for n in range(CHECKS)}
        )
    for lane in list(found.lanes)[:: LANES // 10]:
        finding = errors(lane=lane, fingerprint=str(lane), at=at - timedelta(minutes=3))
        alert = begin(await store.alerts.next_id(), finding, (GUILD,), at, AlertPolicy()).alert
        await store.alerts.save(AlertChange(alert, 0, None))


async def timed(work: Callable[[], Awaitable[object]], times: int) -> tuple[list[float], float]:
    """Seconds of each, in order of length, after one that warms up; and processor time of one, of this process."""
    await work()
    took, spent = [], time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
    return sorted(took), (time.process_time() - spent) / times


async def _measured(dsn: str, times: int) -> list[Row]:
    found, clock, charts = deployed(), ShiftedClock(), Charts()
    drawing = LaneCharts(charts)

    async def responders(schedule: str | None) -> Responders:
        return Responders()

    async with Database(dsn, size=4) as database:
        store = PostgresStore(database)
        await fill(store, found, clock)
        healths = Healths(store, lambda: found, clock, responders)

        async def page() -> None:
            health = await healths(GUILD)
            lanes = shown(health, 0)
            strips = await healths.strips([each.lane for each in lanes])
            picture = await drawing.strips(lanes, strips)
            reply = answer((), health, 0, picture)
            assert picture is not None and reply.view is not None and len(health.lanes) == LANES

        async def api() -> None:
            as_json(await healths(GUILD)).model_dump_json()

        try:
            return [
                *_rows("/health of 200 lanes, with the picture of a page", *await timed(page, times)),
                *_rows("/api/v1/health of 200 lanes", *await timed(api, times)),
            ]
        finally:
            await charts.close()


def _rows(name: str, took: list[float], processor: float) -> list[Row]:
    def row(which: str, seconds: float) -> Row:
        return Row(f"{name}, {which}", 1000 * seconds, "ms", goal="< 300 ms", ok=seconds < GOAL_S)

    return [
        row("p50", took[len(took) // 2]),
        row("p99", took[min(len(took) - 1, int(0.99 * len(took)))]),
        Row("  processor time of one, without PostgreSQL", 1000 * processor, "ms"),
    ]


def run(quick: bool = False) -> list[Row]:
    with postgres_server(durable=True) as server:
        return asyncio.run(_measured(server.dsn(asyncio.run(server.fresh())), 20 if quick else 100))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Health")
