from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.targets.process.host.host import Host
from bot.adapters.targets.process.target import ProcessLaneSettings, ProcessTarget
from tests.support.host import LANE, Users


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A host in this very process, so that nothing but it is under test."""
    host = Host(tmp_path / "host")
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
def settings() -> ProcessLaneSettings:
    return ProcessLaneSettings(listen_port=0)


@pytest.fixture
def target(host: Host, settings: ProcessLaneSettings) -> ProcessTarget:
    return ProcessTarget(host.data_dir, {LANE: settings}, metrics_listen=("127.0.0.1", 0), start_host=False)


@pytest.fixture
async def users(target: ProcessTarget) -> AsyncIterator[Users]:
    address = await target.router_address(LANE)
    assert address is not None
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Users(session, address)
