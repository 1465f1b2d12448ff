"""The panic stop against its own end: when both are asked for at once, the stop that is on holds everything."""

from __future__ import annotations

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain import phrasebook
from bot.domain.rollout.events import CallPeople
from bot.engine.service import Engine
from bot.engine.stepper import change_of
from bot.ports.store import PANIC_NOTE
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryDatabase, MemoryStore
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


@pytest.mark.parametrize("statement", range(16))
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


async def test_a_switch_that_no_card_shows_is_told_to_the_channel_once() -> None:
    clock = FrozenClock()
    database = MemoryDatabase(clock.now)
    store = MemoryStore(database)
    known = catalog()
    outside = {"targets": {"local": FakeTarget()}, "releases": FakeReleases({}), "waker": EventWaker()}
    engine = Engine(store, lambda: known, clock=clock, **outside)  # type: ignore[arg-type]

    def told() -> list[tuple[str, str, str, bool]]:
        calls = [row.effect for row in database.tables.open.values() if isinstance(row.effect, CallPeople)]
        return [(call.channel, call.title, call.text, call.over) for call in calls]

    await engine.panic(GUILD, ONCALL, "", False)  # it was off
    assert told() == []
    for _ in range(2):
        assert await engine.panic(GUILD, ONCALL, "smoke", True) == 0
    for _ in range(2):
        assert await engine.panic(GUILD, ONCALL, "", False) == 0
    begun = phrasebook.panic_begun("oncall", "smoke")
    over = phrasebook.panic_over("oncall", "")
    assert told() == [
        ("deploys", "Panic stop is on", begun, False),
        ("deploys", "Panic stop is off", over, True),
    ]

    stepped = begin_rollout(
        id=await store.rollouts.next_id(), lane=STAGING, plan=GATED, at=clock.now(), generation=0
    )
    assert await store.rollouts.save(change_of(None, stepped, clock.now()))
    assert await engine.panic(GUILD, ONCALL, "smoke", True) == 1
    assert len(told()) == 2  # its card says so
