"""Lanes: how long a target may take to say what runs, and what is known of a release that ran before Slipway came."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.errors import Refused
from bot.domain.rollout.model import Lane, Observed, Release, Running, RunState
from bot.engine.lanes import Lanes
from bot.ports.errors import Unreachable
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.fakes.target import FakeTarget
from tests.support.catalogs import STAGING, V140, V150, catalog
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


async def test_readiness_takes_what_was_just_seen_and_asks_no_target_again() -> None:
    clock, target = FrozenClock(), FakeTarget()
    made = Lanes(MemoryStore(MemoryDatabase(clock.now)), catalog, {"local": target}, FakeReleases({}), clock)
    policy = catalog().lanes[STAGING].policy
    for state, warm in ((RunState.READY, True), (RunState.CRASHED, False)):
        seen = Observed(1, (Running(V140.digest, "1.4.0", state, 100),))
        found = await made.readiness(STAGING, policy, V140, seen)
        assert (found.to_version, found.warm, bool(found.problem)) == ("1.4.0", warm, not warm)
    assert not target.calls
    assert not (await made.readiness(STAGING, policy, V140)).warm
    assert target.calls == {"observe": 1}


# ---- what ran before Slipway came --------------------------------------------------------------------------

LISTED = replace(V140, commit="c0ffee")
BY_VERSION = Running("version:1.4.0", "1.4.0", RunState.READY, 100)


class ServingTarget(FakeTarget):
    """Something that Slipway did not bring in serves in every lane."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.running = running

    async def observe(self, lane: Lane) -> Observed:
        return Observed(0, (self.running,))


def serving(running: Running, releases: FakeReleases) -> Lanes:
    clock = FrozenClock()
    return Lanes(
        MemoryStore(MemoryDatabase(clock.now)), catalog, {"local": ServingTarget(running)}, releases, clock
    )


async def adopted(found: Lanes) -> Release | None:
    row = (await found.situation(STAGING)).row
    assert row is not None
    return row.desired.stable


async def test_a_release_that_its_target_knows_by_version_is_adopted_as_its_source_lists_it() -> None:
    known = serving(BY_VERSION, FakeReleases({"checkout": [V150, LISTED]}))
    assert await adopted(known) == replace(LISTED, digest="version:1.4.0")


async def test_a_version_that_its_source_does_not_list_is_adopted_by_itself() -> None:
    known = serving(BY_VERSION, FakeReleases({"checkout": [V150]}))
    assert await adopted(known) == Release("checkout", "1.4.0", "version:1.4.0")


async def test_a_release_known_by_version_waits_for_its_source() -> None:
    """Without its commit, a command could not bring it back."""
    releases = FakeReleases({"checkout": [LISTED]}, away=True)
    known = serving(BY_VERSION, releases)
    with pytest.raises(Unreachable):
        await known.adopt(STAGING, Observed(0, (BY_VERSION,)))
    with pytest.raises(
        Refused, match="does not know yet what runs in checkout/staging: the registry is away"
    ):
        await known.situation(STAGING)
    releases.away = False
    assert await adopted(known) == replace(LISTED, digest="version:1.4.0")


async def test_a_release_known_by_digest_is_adopted_without_its_source() -> None:
    by_digest = Running("sha256:1.4.0", "1.4.0", RunState.READY, 100)
    known = serving(by_digest, FakeReleases({"checkout": [LISTED]}, away=True))
    assert await adopted(known) == Release("checkout", "1.4.0", "sha256:1.4.0")
