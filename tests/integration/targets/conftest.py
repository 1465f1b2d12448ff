from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget
from tests.support.host import LANE, Users, host_of_processes, process_target
from tests.support.routers.subjects import need_envoy


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A host in this very process, so that nothing but it is under test."""
    need_envoy()
    host = host_of_processes(tmp_path / "host")
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
def settings() -> HostedLaneSettings:
    return HostedLaneSettings(listen_port=0)


@pytest.fixture
def target(host: Host, settings: HostedLaneSettings) -> HostedTarget:
    return process_target(host.data_dir, {LANE: settings}, metrics_listen=("127.0.0.1", 0), start_host=False)


@pytest.fixture
async def users(target: HostedTarget) -> AsyncIterator[Users]:
    address = await target.router_address(LANE)
    assert address is not None
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Users(session, address)
