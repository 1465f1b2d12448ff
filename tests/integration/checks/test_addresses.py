"""Where checks with a path are asked: as targets say, which are asked seldom and may be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.composition.adapters import open_checks
from bot.domain.rollout.model import Lane, Observed, Running, RunState
from bot.ports.errors import Unreachable
from bot.ports.watch.checks import Checks
from tests.support.catalogs import PRODUCTION, catalog
from tests.support.checked import answering, check, serving

READY = Running("sha256:1", "1", RunState.READY, 100)


@dataclass
class AddressTarget:
    """The part of a target that says where lanes answer."""

    routed: str | None = None
    running: tuple[Running, ...] = ()
    away: bool = False
    takes_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def router_address(self, lane: Lane) -> str | None:
        await self._answer("router")
        return self.routed

    async def observe(self, lane: Lane) -> Observed:
        await self._answer("observe")
        return Observed(1, self.running)

    async def _answer(self, what: str) -> None:
        self.asked.append(what)
        await asyncio.sleep(self.takes_s)
        if self.away:
            raise Unreachable("the host does not answer")


@asynccontextmanager
async def asked(target: AddressTarget) -> AsyncIterator[Checks]:
    found = catalog()
    targets: Any = {found.lanes[PRODUCTION].target: target}
    async with open_checks(lambda: found, targets) as checks:
        yield checks


async def said(checks: Checks, **written: Any) -> str:
    return (await checks.ask(check(kind="http", **{"path": "/", **written}), PRODUCTION, 1.0)).said


async def test_a_lane_is_asked_at_its_router() -> None:
    async with serving(answering()) as url:
        target = AddressTarget(routed=url, running=(replace(READY, address="http://127.0.0.1:1"),))
        async with asked(target) as checks:
            assert [await said(checks) for _ in range(20)] == [""] * 20
        assert target.asked == ["router"]  # one answer serves for a while


async def test_a_lane_without_a_router_is_asked_at_the_release_that_serves_it() -> None:
    async with serving(answering()) as url:
        candidate = replace(READY, weight=0, address="http://127.0.0.1:1")
        target = AddressTarget(running=(candidate, replace(READY, address=url)))
        async with asked(target) as checks:
            assert [await said(checks) for _ in range(20)] == [""] * 20
        assert target.asked == ["router", "observe"]


async def test_what_runs_without_an_address_fails() -> None:
    crashed = replace(READY, state=RunState.CRASHED)
    async with asked(AddressTarget(running=(crashed,))) as checks:
        assert await said(checks) == "checkout/production has no address that it could be asked at."


async def test_where_nothing_runs_nothing_is_known() -> None:
    async with asked(AddressTarget()) as checks:
        with pytest.raises(Unreachable, match="nothing runs in checkout/production"):
            await said(checks)


async def test_a_target_that_is_away_says_nothing_of_the_service() -> None:
    target = AddressTarget(away=True)
    async with asked(target) as checks:
        for _ in range(5):
            with pytest.raises(Unreachable, match="does not answer"):
                await said(checks)
    assert target.asked == ["router"]  # it is not asked by every check


async def test_a_target_that_hangs_is_left() -> None:
    async with asked(AddressTarget(takes_s=60.0)) as checks:
        with pytest.raises(Unreachable, match="did not answer within 3 s"):
            await said(checks)


async def test_a_check_with_an_address_of_its_own_asks_no_target() -> None:
    target = AddressTarget(away=True)
    async with serving(answering()) as url, asked(target) as checks:
        assert await said(checks, url=url, path=None) == ""
    assert target.asked == []
