"""A router with one release in a lane, and what its clients can do to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.data_plane.routers import LaneRoute
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import KINDS, LANE, OTHER, RouterSubject, running, subject


@pytest.fixture
async def release() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:1") as found:
        yield found


@pytest.fixture(params=KINDS)
async def router(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterSubject]:
    """Listens for two lanes; a request is slow after two seconds."""
    lanes = {LANE: LaneRoute(latency_limits_s=(2.0,)), OTHER: LaneRoute()}
    async with running(subject(request.param, tmp_path), lanes) as found:
        yield found
