"""The panic stop against its own end: when both are asked for at once, the stop that is on holds everything."""

from __future__ import annotations

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.engine.service import Engine
from bot.engine.stepper import change_of
from bot.ports.store import PANIC_NOTE
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryStore
from tests.fakes.target import FakeTarget
from tests.support.actors import ONCALL
from tests.support.catalogs import (
    GATED,
    GUILD,
    PRODUCTION,
    STAGING,
    begin_rollout,
    catalog,
)
from tests.support.clocks import FrozenClock
from tests.support.interrupted import Interrupted


@pytest.mark.parametrize("statement", range(12))
async def test_a_panic_stop_holds_whenever_it_comes_while_another_ends(statement: int) -> None:
    """Found by the simulation: a rollout went on under a panic stop that was on."""
    clock = FrozenClock()
    database = Interrupted(clock.now)
    store = MemoryStore(database)
    known = catalog()
    outside = {"targets": {"local": FakeTarget()}, "releases": FakeReleases({}), "waker": EventWaker()}
    engine, other = (Engine(store, lambda: known, clock=clock, **outside) for _ in range(2))  # type: ignore[arg-type]
    for lane in (STAGING, PRODUCTION):
        stepped = begin_rollout(
            id=await store.rollouts.next_id(), lane=lane, plan=GATED, at=clock.now(), generation=0
        )
        assert await store.rollouts.save(change_of(None, stepped, clock.now()))
    assert await engine.panic(GUILD, ONCALL, "smoke", True) == 2

    database.left = statement
    database.happens = lambda: other.panic(GUILD, ONCALL, "smoke again", True)
    await engine.panic(GUILD, ONCALL, "", False)

    note = await store.notes.note(PANIC_NOTE, str(GUILD))
    assert note is not None
    paused = [row.rollout.pause is not None for row in database.tables.rollouts.values()]
    assert paused == [note["on"]] * 2
