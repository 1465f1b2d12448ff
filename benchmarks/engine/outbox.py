"""Effects through the outbox: claimed under a lease, executed, closed under the fence; compared with plain commits.

Plain commits are single-row inserts on the same PostgreSQL over as many connections, and like in production each waits
for the disk; the outbox's executor does nothing, so that the figure is the cost of the bookkeeping. What the
bookkeeping costs where nothing waits for a disk (`fsync = off`) is printed as well.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg

from benchmarks.report import Row, show
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.engine.effects.notifications import NotificationHandler
from bot.engine.effects.outbox import Outbox, OutboxLimits
from bot.engine.loops.loops import Loop, Rounds
from bot.engine.stepper import MESSAGES
from bot.ports.meter import NoMeter
from tests.fakes.outside import FakeAnnouncer
from tests.support.clocks import ShiftedClock
from tests.support.postgres import PostgresServer, postgres_server

CONNECTIONS = 8
_INSERT = """
INSERT INTO effects (key, rollout_id, service, environment, kind, payload)
SELECT 'bench.' || n, n, 'checkout', 'production', 'notify',
    '{"kind": "notify", "what": "succeeded", "mention_roles": [], "mention_users": [], "text": "done"}'
FROM generate_series(1, $1) AS n
"""


async def commits(dsn: str, seconds: float) -> float:
    """Single-row commits per second over `CONNECTIONS` connections."""
    async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute("CREATE TABLE plain (n bigint)")
        ends, done = time.monotonic() + seconds, 0

        async def commit() -> None:
            nonlocal done
            async with pool.acquire() as connection:
                while time.monotonic() < ends:
                    await connection.execute("INSERT INTO plain VALUES ($1)", done)
                    done += 1

        await asyncio.gather(*(commit() for _ in range(CONNECTIONS)))
        return done / seconds


async def effects(dsn: str, count: int) -> float:
    """Effects per second, from the first claim to the last one closed."""
    connection: Any = await asyncpg.connect(dsn)
    await connection.execute(_INSERT, count)
    await connection.execute("ANALYZE effects")
    async with Database(dsn, size=CONNECTIONS) as database:
        store, waker, announcer = PostgresStore(database), EventWaker(), FakeAnnouncer()
        outbox = Outbox(
            MESSAGES,
            ("notify",),
            NotificationHandler(announcer, store.effects),
            effects=store.effects,
            clock=ShiftedClock(),
            waker=waker,
            meter=NoMeter(),
            limits=OutboxLimits(at_once=400, batch=200),
        )
        began = time.monotonic()
        loops = [
            asyncio.create_task(Loop("messages", outbox.once, 0.05, MESSAGES).run(waker, Rounds())),
            asyncio.create_task(Loop("leases", outbox.renew, 0.05).run(waker, Rounds())),
        ]
        while await connection.fetchval("SELECT count(*) FROM effects WHERE state IN ('pending', 'leased')"):
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    await connection.close()
    assert len(announcer.notices) == count
    assert set(announcer.calls.values()) == {1}, "an effect was done twice"
    return count / took


async def both(server: PostgresServer, count: int, seconds: float) -> tuple[float, float]:
    """Plain commits and effects per second on one server."""
    return await commits(server.dsn(await server.fresh()), seconds), await effects(
        server.dsn(await server.fresh()), count
    )


def run(quick: bool = False) -> list[Row]:
    count, seconds = (3_000, 1.0) if quick else (10_000, 3.0)
    with postgres_server(durable=True) as server:
        plain, through = asyncio.run(both(server, count, seconds))
    with postgres_server() as server:
        cached, unwaited = asyncio.run(both(server, count, seconds))
    against = f"plain commits, {CONNECTIONS} connections"
    ratio = through / plain
    return [
        Row("effects through the outbox", through, "/s", against, plain, ratio, "≥ 0.5x", ratio >= 0.5),
        Row(
            "  the same where no commit waits for a disk", unwaited, "/s", against, cached, unwaited / cached
        ),
    ]


if __name__ == "__main__":
    show(run(), "Outbox")
