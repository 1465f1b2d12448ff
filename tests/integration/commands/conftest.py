"""A world in which the application `greeter` has no commands yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord_sandbox.discord import Sandbox
from discord_sandbox.discord import World as Discord

from tests.integration.commands.world import World


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    async with Sandbox(Discord(rate_limits=False)) as sandbox:
        yield World(sandbox, dsn, tmp_path)
