"""A world in which the application `greeter` has no commands yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord_sandbox import Sandbox

from tests.integration.commands.world import World
from tests.support.discord import discord_world


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    async with Sandbox(discord_world(rate_limits=False)) as sandbox:
        yield World(sandbox, dsn, tmp_path)
