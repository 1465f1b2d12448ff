"""Exports of many rows from the real PostgreSQL: all of them, in order, within bounded memory."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.reports.records import RecordScope
from bot.domain.reports.tables import Table, body
from bot.domain.rollout.model import Lane
from tests.support.catalogs import GUILD, PRODUCTION

ROWS = 50_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_ROLLOUTS = """
    INSERT INTO rollouts (guild_id, service, environment, phase, final, version, schema, charter, state, requester,
        to_version, to_digest, to_base, reason, outcome, created_at, ended_at)
    SELECT 42, 'checkout', 'production', 'succeeded', true, 1, 1,
        jsonb_build_object('known_good', false, 'plan', repeat('x', 1500)), '{"had_traffic": true}',
        'ada', '1.' || n, 'sha256:' || n, '', repeat('why ', 50), repeat('well ', 50),
        $1::timestamptz + n * interval '1 minute', $1::timestamptz + (n + 30) * interval '1 minute'
    FROM generate_series(1, $2) AS n
"""


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    async with Database(dsn, size=2, timeout_s=10.0) as found:
        async with found.connection() as connection:
            await connection.execute(_ROLLOUTS, BEGAN, ROWS, timeout=120)
            await connection.execute("ANALYZE rollouts")
        yield found


async def test_fifty_thousand_rollouts_are_exported_within_a_few_megabytes(database: Database) -> None:
    exports = PostgresStore(database).exports
    scope = RecordScope((Lane("mail", "production"), PRODUCTION), (GUILD,))
    until = BEGAN + timedelta(days=400)
    seen, size = 0, 0
    tracemalloc.start()
    try:
        async with aclosing(exports.rows(Table.ROLLOUTS, scope, BEGAN, until)) as found:
            async for some in found:
                text = body(some)
                size += len(text)
                for row in csv.reader(io.StringIO(text.decode(), newline="")):
                    seen += 1
                    assert row[4] == f"1.{seen}"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == ROWS
    assert size > 25_000_000
    assert peak < 8_000_000
    # Its connection is free again, also when the reader stops early.
    for _ in range(3):
        async with aclosing(exports.rows(Table.ROLLOUTS, scope, BEGAN, until)) as found:
            await anext(found)
    used, _ = database.connections
    assert used == 0
    # The report reads the rollouts that ended in a time by their index, not all that there are.
    async with database.connection() as connection:
        plan = await connection.fetch(
            "EXPLAIN SELECT id FROM rollouts WHERE ended_at >= $1 AND ended_at < $2 AND final",
            BEGAN,
            BEGAN + timedelta(days=1),
        )
    assert "rollouts_ended" in str(plan)
