"""Leases: renewed by their own task, whatever the loops do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.engine.loops.lease import CONTROLLER, GATEWAY, Lease
from bot.ports.errors import Unreachable
from tests.support.waiting import PATIENCE_S

TTL_S = 0.3


# A busy machine renews as punctually as an idle one.
pytestmark = pytest.mark.virtual_time


class Leases:
    """One lease for each name, for as long as its holder renews it. As strict as the database's."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, float]] = {}
        self.away = False

    async def lead(self, name: str, owner: str, ttl_s: float) -> bool:
        if self.away:
            raise Unreachable("the database is away")
        now = asyncio.get_running_loop().time()
        holder, until = self.held.get(name, (owner, 0.0))
        if holder != owner and until > now:
            return False
        self.held[name] = (owner, now + ttl_s)
        return True

    async def resign(self, name: str, owner: str) -> None:
        if self.away:
            raise Unreachable("the database is away")
        if self.held.get(name, ("", 0.0))[0] == owner:
            del self.held[name]


def two(leases: Any, name: str = CONTROLLER, *, strict: bool = True) -> tuple[Lease, Lease]:
    first, second = (Lease(leases, name, owner, TTL_S, strict=strict) for owner in ("first", "second"))
    return first, second


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_round_that_outlasts_the_lease_keeps_the_lead() -> None:
    first, second = two(Leases())
    rounds: list[str] = []

    async def slow() -> bool:
        rounds.append("begins")
        for _ in range(10):
            await asyncio.sleep(TTL_S / 3)
            assert first.held
            assert not second.held
        rounds.append("ends")
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(first.run())]
        await until(lambda: first.held)
        tasks.append(group.create_task(second.run()))
        assert await first.only(slow)()
        assert not await second.only(slow)()
        for task in tasks:
            task.cancel()
    assert rounds == ["begins", "ends"]
    assert (first.term, second.term) == (1, 0)


async def test_a_controller_that_stops_renewing_is_followed_and_knows_that_it_lost() -> None:
    leases = Leases()
    first, second = two(leases)
    one = asyncio.create_task(first.run())
    await until(lambda: first.held)
    other = asyncio.create_task(second.run())
    leases.resign = nothing  # type: ignore[method-assign]
    one.cancel()
    await until(lambda: second.held)
    assert not first.held
    assert second.term == 1
    other.cancel()


async def nothing(*_: object) -> None:
    """As after a kill: no one gives the lease back."""


async def test_who_stops_gives_the_lease_back() -> None:
    leases = Leases()
    first, _ = two(leases)
    task = asyncio.create_task(first.run())
    await until(lambda: first.held)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert leases.held == {}


async def test_what_is_done_while_it_is_held_stops_when_another_process_has_it() -> None:
    leases = Leases()
    first, second = two(leases, GATEWAY, strict=False)
    doing: list[str] = []

    async def speak(name: str) -> None:
        doing.append(f"{name} begins")
        try:
            await asyncio.Event().wait()
        finally:
            doing.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(first.run()), group.create_task(first.while_held(lambda: speak("first")))]
        await until(lambda: doing == ["first begins"])
        tasks += [
            group.create_task(second.run()),
            group.create_task(second.while_held(lambda: speak("second"))),
        ]
        leases.away = True
        await asyncio.sleep(TTL_S * 2)
        assert doing == ["first begins"]  # the database is away for all: who speaks goes on
        leases.away = False
        loop = asyncio.get_running_loop()
        leases.held[GATEWAY] = ("second", loop.time() + 60.0)
        await until(lambda: {"first ends", "second begins"} <= set(doing))
        for task in tasks:
            task.cancel()
    assert doing.count("first begins") == 1


async def test_the_end_of_the_work_is_the_end_of_the_wait() -> None:
    first, _ = two(Leases())

    async def refused() -> None:
        raise ValueError("Discord refuses the token")

    task = asyncio.create_task(first.run())
    with pytest.raises(ValueError, match="refuses the token"):
        await first.while_held(refused)
    task.cancel()


async def test_a_renewal_that_is_cancelled_from_inside_is_tried_again() -> None:
    leases = Leases()
    first, _ = two(leases)
    lead, cancels = leases.lead, 2

    async def cancelled(name: str, owner: str, ttl_s: float) -> bool:
        nonlocal cancels
        if first.held and cancels:
            cancels -= 1
            raise asyncio.CancelledError  # as a connection that another task closes
        return await lead(name, owner, ttl_s)

    leases.lead = cancelled  # type: ignore[method-assign]
    task = asyncio.create_task(first.run())
    await until(lambda: first.held)
    await until(lambda: not cancels)
    await asyncio.sleep(TTL_S * 2)
    assert first.held
    assert not task.done()
    task.cancel()


async def test_without_the_database_the_lead_ends_with_the_lease() -> None:
    leases = Leases()
    first, _ = two(leases)
    task = asyncio.create_task(first.run())
    await until(lambda: first.held)
    leases.away = True
    await until(lambda: not first.held)
    leases.away = False
    await until(lambda: first.held)
    assert first.term == 2
    assert leases.held.keys() == {CONTROLLER}
    task.cancel()
