"""An Envoy with one release in a lane, and what its clients can do to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.routers import LaneRoute
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import LANE, OTHER, RouterSubject, envoy_process, envoy_router


@pytest.fixture
async def release() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:1") as found:
        yield found


@pytest.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[RouterSubject]:
    """Listens for two lanes; a request is slow after two seconds."""
    process = envoy_process(tmp_path)
    router = envoy_router(process)
    await router.start()
    await router.configure({LANE: LaneRoute(latency_limits_s=(2.0,)), OTHER: LaneRoute()})
    yield RouterSubject(router, lambda: process.pid)
    await router.close()
