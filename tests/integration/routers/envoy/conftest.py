"""An Envoy with two lanes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.data_plane.routers import LaneRoute
from tests.support.routers.subjects import LANE, OTHER, RouterSubject, running, subject


@pytest.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[RouterSubject]:
    async with running(subject("envoy", tmp_path), {LANE: LaneRoute(), OTHER: LaneRoute()}) as found:
        yield found
