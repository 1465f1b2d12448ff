"""A simulated history, statement by statement on PostgreSQL: it gives the same answers as the store in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from bot.adapters.postgres.appcommands.history import PostgresAppCommandHistory
from bot.adapters.postgres.appcommands.manifests import PostgresManifests
from bot.adapters.postgres.store import PostgresStore
from bot.domain.records import Claimed, LaneRow, RolloutChange
from bot.domain.rollout.model import Lane
from tests.fakes.store import Statement
from tests.scenarios.virtual_time import fresh
from tests.simulation.commands import APPLICATION, manifest
from tests.simulation.run import play
from tests.support.clocks import FrozenClock
from tests.support.postgres import PostgresServer
from tests.support.timed_database import TimedDatabase
from tests.support.virtual_time import EPOCH

# Asked all the time: of those that changed nothing, every tenth will do.
_READ, _POLLED = {"lanes", "active"}, {"due", "due_ticks", "claim"}


class HeardStatement(NamedTuple):
    statement: Statement[Any]
    at: datetime
    result: Any


class Replay:
    """Sends what was heard to PostgreSQL, where effects have other ids and fences: they are told by their keys.

    Lanes have other stamps: without a failover, a stamp never refuses what a generation allows.
    """

    def __init__(self, database: TimedDatabase) -> None:
        self._store = PostgresStore(database)
        self.manifests = PostgresManifests(database)
        self._commands = {"manifests": self.manifests, "command_history": PostgresAppCommandHistory(database)}
        self._ids: dict[int, int] = {}  # of effects: in memory -> in PostgreSQL
        self._fences: dict[int, int] = {}
        self._stamps: dict[Lane, str] = {}

    async def answer(self, heard: HeardStatement) -> Any:
        statement = heard.statement
        part = self._commands.get(statement.part) or getattr(self._store, statement.part)
        method = getattr(part, statement.name)
        if any(isinstance(value, (LaneRow, RolloutChange)) for value in statement.args):
            self._stamps = {row.lane: row.stamp for row in await self._store.lanes.lanes()}
        try:
            found = await method(*map(self._there, statement.args), **statement.kwargs)
        except Exception as error:
            return error
        if statement.name == "claim":
            for mine, theirs in zip(heard.result, found, strict=False):
                self._ids[mine.id], self._fences[mine.fence] = theirs.id, theirs.fence
        return found

    def _there(self, value: Any) -> Any:
        if isinstance(value, Claimed):
            return replace(value, id=self._ids[value.id], fence=self._fences[value.fence])
        if isinstance(value, LaneRow):
            return replace(value, stamp=self._stamps.get(value.lane, ""))
        if isinstance(value, RolloutChange):
            claim = self._there(value.claim) if value.claim is not None else None
            lane = self._stamps.get(value.rollout.lane) if value.lane is not None else None
            return replace(value, claim=claim, lane=lane)
        if isinstance(value, list) and value and isinstance(value[0], Claimed):
            return [self._there(claim) for claim in value]
        if isinstance(value, list) and value and isinstance(value[0], int) and value[0] in self._ids:
            return [self._ids[effect_id] for effect_id in value]
        return value

    def expected(self, heard: HeardStatement) -> Any:
        """What memory answered, in PostgreSQL's ids."""
        result = heard.result
        if heard.statement.part == "effects" and isinstance(result, set):
            return {self._ids[effect_id] for effect_id in result}
        if heard.statement.name == "claim":
            return [self._there(claim) for claim in result]
        return result


def in_order(heard: HeardStatement, answer: Any) -> Any:
    """An answer that has no order of its own, in one."""
    if heard.statement.name == "lanes" and isinstance(answer, list):
        return sorted(answer, key=lambda row: row.lane)
    return answer


def plain(value: Any) -> Any:
    """For comparing: exceptions by their type, and what JSON makes the same."""
    if isinstance(value, Exception):
        return type(value).__name__
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        fields = value.__dataclass_fields__
        return {name: plain(getattr(value, name)) for name, field in fields.items() if field.compare}
    return value


SEEDS = range(1, 9)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_history_has_the_same_answers_on_postgresql(seed: int, postgres: PostgresServer) -> None:
    history: list[HeardStatement] = []
    played = _play_apart(seed, history)
    assert not played.violations
    clock = FrozenClock(EPOCH)
    compared = 0
    async with TimedDatabase(await fresh(postgres), clock) as database:
        replay = Replay(database)
        await replay.manifests.put(manifest("1"), APPLICATION.name, "before")
        for heard in _without_idle(history):
            clock.at = heard.at
            found = await replay.answer(heard)
            what = f"statement {compared}: {heard.statement.part}.{heard.statement.name} at {heard.at.time()}"
            expected = replay.expected(heard)
            assert plain(in_order(heard, found)) == plain(in_order(heard, expected)), what
            compared += 1
    assert compared


def test_these_histories_use_what_the_store_has() -> None:
    """One of them may be quiet; together they are not."""
    history: list[HeardStatement] = []
    for seed in SEEDS:
        _play_apart(seed, history)
    names = Counter(heard.statement.name for heard in history)
    assert names.total() > 2000
    assert {"save", "save_ticks", "claim", "close", "renew", "lead", "adopt"} <= set(names)


def _play_apart(seed: int, history: list[HeardStatement]) -> Any:
    """The simulation has a loop of its own, which cannot run inside of this test's."""
    result: list[Any] = []
    thread = threading.Thread(
        target=lambda: result.append(
            play(seed, without=("older database",), heard=lambda *what: history.append(HeardStatement(*what)))
        )
    )
    thread.start()
    thread.join()
    return result[0]


def _without_idle(history: Sequence[HeardStatement]) -> list[HeardStatement]:
    """Without most of the questions that changed nothing."""
    return [
        heard
        for index, heard in enumerate(history)
        if index % 10 == 0
        or not (heard.statement.name in _READ or (heard.statement.name in _POLLED and not heard.result))
    ]
