"""The controller lease: renewed by its own task, whatever the loops do."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.engine.loops.controller import CONTROLLER, Controller
from bot.ports.errors import Unreachable

TTL_S = 0.3


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


def controllers(leases: Any) -> tuple[Controller, Controller]:
    return Controller(leases, "first", TTL_S), Controller(leases, "second", TTL_S)


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_round_that_outlasts_the_lease_keeps_the_lead() -> None:
    first, second = controllers(Leases())
    rounds: list[str] = []

    async def slow() -> bool:
        rounds.append("begins")
        for _ in range(10):
            await asyncio.sleep(TTL_S / 3)
            assert first.leads
            assert not second.leads
        rounds.append("ends")
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(first.run())]
        await until(lambda: first.leads)
        tasks.append(group.create_task(second.run()))
        assert await first.only(slow)()
        assert not await second.only(slow)()
        for task in tasks:
            task.cancel()
    assert rounds == ["begins", "ends"]
    assert (first.term, second.term) == (1, 0)


async def test_a_controller_that_stops_renewing_is_followed_and_knows_that_it_lost() -> None:
    leases = Leases()
    first, second = controllers(leases)
    one = asyncio.create_task(first.run())
    await until(lambda: first.leads)
    other = asyncio.create_task(second.run())
    one.cancel()
    await until(lambda: second.leads)
    assert not first.leads
    assert second.term == 1
    other.cancel()


async def test_without_the_database_the_lead_ends_with_the_lease() -> None:
    leases = Leases()
    first, _ = controllers(leases)
    task = asyncio.create_task(first.run())
    await until(lambda: first.leads)
    leases.away = True
    await until(lambda: not first.leads)
    leases.away = False
    await until(lambda: first.leads)
    assert first.term == 2
    assert leases.held.keys() == {CONTROLLER}
    task.cancel()
