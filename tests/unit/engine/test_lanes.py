"""Lanes: how long a target may take to say what runs."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.errors import Refused
from bot.domain.rollout.model import Lane, Observed
from bot.engine.lanes import Lanes
from bot.ports.errors import Unreachable
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.fakes.target import FakeTarget
from tests.support.catalogs import STAGING, catalog
from tests.support.clocks import FrozenClock

pytestmark = pytest.mark.virtual_time


class SlowTarget(FakeTarget):
    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self.takes_s = takes_s

    async def observe(self, lane: Lane) -> Observed:
        await asyncio.sleep(self.takes_s)
        return await super().observe(lane)


def lanes(takes_s: float) -> Lanes:
    clock = FrozenClock()
    store = MemoryStore(MemoryDatabase(clock.now))
    return Lanes(store, catalog, {"local": SlowTarget(takes_s)}, FakeReleases({}), clock)


async def test_a_tick_does_not_wait_for_a_slow_target() -> None:
    with pytest.raises(Unreachable, match="did not answer within 1 s"):
        await lanes(takes_s=3).look(STAGING)


async def test_the_first_deploy_of_a_lane_waits_for_a_slow_target() -> None:
    slow = lanes(takes_s=3)
    assert (await slow.situation(STAGING)).row is not None
    await slow.situation(STAGING)


async def test_the_first_deploy_of_a_lane_does_not_wait_for_ever() -> None:
    with pytest.raises(Refused, match="did not answer within 5 s"):
        await lanes(takes_s=60).situation(STAGING)
