"""What lanes served, in PostgreSQL: blocks of ten minutes of full ticks, later of six hours of minutes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bot.adapters.postgres.connection.database import Database, Row
from bot.adapters.postgres.connection.json import dumped
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import BLOCK_S, Edges, ServedTick, in_order, minutes
from bot.domain.rollout.model import Lane

# With these, two weeks of a lane are about two hundred rows, of a few kilobytes each.
_MINUTES_BLOCK_S = 6 * 3600
# A statement has one second.
_BLOCKS_AT_ONCE, _THINNED_AT_ONCE, _FORGOTTEN_AT_ONCE = 500, 36, 1000

# service, environment, thinned, since (unix seconds), measures
_Block = tuple[str, str, bool, int, tuple[str, ...]]


class PostgresServed:
    """Implements `bot.ports.store.ServedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, ticks: Sequence[tuple[Lane, ServedTick]]) -> None:
        rows = _rows(ticks, thinned=False)
        for first in range(0, len(rows), _BLOCKS_AT_ONCE):
            await self._database.fetch("append_served", dumped(rows[first : first + _BLOCKS_AT_ONCE]))

    async def read(self, lane: Lane, since: float = 0.0) -> Sequence[ServedTick]:
        lengths = (float(_MINUTES_BLOCK_S), BLOCK_S)
        rows = await self._database.fetch("served", lane.service, lane.environment, since, *lengths)
        found: list[ServedTick] = []
        for row in rows:
            found += (tick for tick in _ticks(row) if tick.at >= since)
            # Two weeks are tens of thousands of ticks, which no press should wait for.
            await asyncio.sleep(0)
        return in_order(found)

    async def strips(
        self, lanes: Sequence[Lane], measure: str, since: float, slot_s: float
    ) -> Mapping[Lane, Mapping[int, Counts]]:
        names = [lane.service for lane in lanes], [lane.environment for lane in lanes]
        lengths = float(_MINUTES_BLOCK_S), BLOCK_S
        found: dict[Lane, dict[int, Counts]] = defaultdict(dict)
        for row in await self._database.fetch("served_strips", *names, measure, since, slot_s, *lengths):
            found[Lane(row["service"], row["environment"])][row["slot"]] = Counts(row["total"], row["bad"])
        return found

    async def thin(self, lane: Lane, edges: Edges) -> bool:
        before = edges.full_since - BLOCK_S + 1
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "served_in_full", lane.service, lane.environment, before, _THINNED_AT_ONCE
            )
            found = minutes(tick for row in rows for tick in _ticks(row))
            if found:
                thinned = _rows([(lane, tick) for tick in found], thinned=True)
                await connection.fetch("append_served", dumped(thinned))
        return len(rows) == _THINNED_AT_ONCE

    async def forget(self, before: float) -> bool:
        row = await self._database.one("forget_served", before - _MINUTES_BLOCK_S, _FORGOTTEN_AT_ONCE)
        return row is not None and row["gone"] == _FORGOTTEN_AT_ONCE


def _rows(ticks: Iterable[tuple[Lane, ServedTick]], *, thinned: bool) -> list[dict[str, object]]:
    """The ticks as rows of the table."""
    length = _MINUTES_BLOCK_S if thinned else int(BLOCK_S)
    blocks: dict[_Block, list[list[int]]] = {}
    for lane, tick in ticks:
        since, measures = int(tick.at // length) * length, tuple(sorted(tick.counts))
        block = blocks.setdefault((lane.service, lane.environment, thinned, since, measures), [])
        counts = (number for name in measures for number in (tick.counts[name].total, tick.counts[name].bad))
        block.append([round(tick.at * 1000) - since * 1000, round(tick.seconds * 1000), *counts])
    return [
        {
            "service": service,
            "environment": environment,
            "thinned": thinned,
            "since": since,
            "measures": list(measures),
            "ticks": found,
        }
        for (service, environment, thinned, since, measures), found in blocks.items()
    ]


def _ticks(row: Row) -> Iterable[ServedTick]:
    """The ticks of a row: each is its end and its length in milliseconds, then total and bad of each measure."""
    since_ms, measures = round(row["since"].timestamp() * 1000), row["measures"]
    for end_ms, length_ms, *counts in json.loads(row["ticks"]):
        pairs = zip(counts[::2], counts[1::2], strict=True)
        found = {name: Counts(total, bad) for name, (total, bad) in zip(measures, pairs, strict=True)}
        yield ServedTick((since_ms + end_ms) / 1000, length_ms / 1000, found)
