"""Cost of the lanes' own history: 200 lanes with ticks of 5 s, on a real PostgreSQL, and two weeks of one lane.

The loop is the real one; the source answers from memory, in the router's form. Time is the loop's clock, moved by hand,
so the processor time of minutes is measured in seconds. PostgreSQL's is listed beside the bot's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from benchmarks.engine.rollouts import RouterLike, cpu, fresh, server_processes
from benchmarks.report import Row, show
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.config import Catalog
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import DAY_S, KEPT_S, ServedTick, edges
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import SYSTEM, Desired, Lane, Release
from bot.engine.lanes import AdaptersByName, Lanes
from bot.engine.loops.history_loop import HistoryLoop
from bot.engine.loops.sampler import Sampler
from tests.fakes.outside import FakeReleases
from tests.support.catalogs import PRODUCTION, catalog, policy
from tests.support.clocks import FrozenClock
from tests.support.postgres import PostgresServer

LANES, TICK_S, ROUND_S = 200, 5.0, 0.25
STABLE = Release("checkout", "1.4.0", "sha256:1.4.0", spec={"command": ["serve"]})


def lanes() -> Catalog:
    usual, slow = catalog(), policy(tick_s=TICK_S)
    config = replace(usual.lanes[PRODUCTION], policy=replace(slow, judge=replace(slow.judge, tick_s=TICK_S)))
    names = [Lane(f"service-{number:03}", "production") for number in range(LANES)]
    return replace(usual, lanes={lane: replace(config, lane=lane) for lane in names})


async def counting(dsn: str, server: PostgresServer, seconds: float) -> list[Row]:
    """Processor time of counting all lanes for so long."""
    clock, has = FrozenClock(datetime.now(UTC)), lanes()
    async with Database(dsn, size=4, timeout_s=10.0) as database:
        store: Any = PostgresStore(database)
        for lane in has.lanes:
            row = LaneRow(lane, 1, Desired(1, STABLE), None, clock.now())
            await store.lanes.adopt(row, AuditEntry(lane, SYSTEM, clock.now(), "adopted", "It ran."))
        bound = AdaptersByName({}, {"router": RouterLike()})
        engine = Lanes(store, lambda: has, {}, FakeReleases({}), clock, bound=bound)
        loop = HistoryLoop(store, engine, Sampler(engine), clock)

        async def run(for_s: float) -> None:
            for _ in range(round(for_s / ROUND_S)):
                await loop.once()
                clock.forward(ROUND_S)

        await run(60.0)  # the first ticks, and the first save
        own, theirs = time.process_time(), cpu(server_processes(server))
        await run(seconds)
        own, theirs = time.process_time() - own, cpu(server_processes(server)) - theirs
        ticks = len(await store.served.read(next(iter(has.lanes))))
    share, due = own / seconds * 100, (seconds + 60 - 30) / TICK_S
    return [
        Row(f"{LANES} lanes counted every 5 s: bot", share, "% of a core", goal="<= 5%", ok=share <= 5),
        Row("  the same, PostgreSQL", theirs / seconds * 100, "% of a core"),
        Row("  ticks of a lane that were saved", ticks, "", "due", due, ticks / due),
    ]


async def two_weeks(dsn: str) -> list[Row]:
    """What two weeks of a lane take: rows, room, and time to thin and to read them."""
    random, now = Random(1), 1_800_000_000.0
    async with Database(dsn, size=2, timeout_s=10.0) as database:
        store: Any = PostgresStore(database)
        await store.served.forget(now + KEPT_S)  # of the other part
        for day in range(14):
            first = now - KEPT_S + day * DAY_S
            ticks = []
            for number in range(int(DAY_S / TICK_S)):
                total = random.randrange(80, 120)
                counts = {
                    "errors": Counts(total, random.randrange(3)),
                    "latency>1s": Counts(total, random.randrange(3)),
                }
                ticks.append((PRODUCTION, ServedTick(first + number * TICK_S, TICK_S, counts)))
            for begin in range(0, len(ticks), 2000):
                await store.served.append(ticks[begin : begin + 2000])
            began, rounds = time.process_time(), 1
            while await store.served.thin(PRODUCTION, edges(first + DAY_S, TICK_S)):
                rounds += 1
            thinning = (time.process_time() - began) / rounds
        began = time.process_time()
        read = await store.served.read(PRODUCTION)
        took = time.process_time() - began
        began = time.process_time()
        hour = await store.served.read(PRODUCTION, now - 3600)
        soon = time.process_time() - began
        async with database.connection() as connection:
            rows = await connection.fetchval("SELECT count(*) FROM served")
            room = await connection.fetchval("SELECT sum(pg_column_size(s.*)) FROM served s")
    return [
        Row("two weeks of a lane: rows", rows, "", goal="<= 500", ok=rows <= 500),
        Row("  room", room / 1024, "KiB"),
        Row(f"  reading all {len(read):,} ticks, the bot's part", took * 1000, "ms"),
        Row(f"  reading the last hour, {len(hour):,} ticks, the bot's part", soon * 1000, "ms"),
        Row("  thinning six hours, the bot's part", thinning * 1000, "ms"),
    ]


def run(quick: bool = False) -> list[Row]:
    with fresh() as (server, dsn):
        rows = asyncio.run(counting(dsn, server, 120.0 if quick else 600.0))
        return rows + asyncio.run(two_weeks(dsn))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), __doc__ or "")
