"""A world in which the application `greeter` has no commands yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord_sandbox import Sandbox

from tests.support.appcommands import CommandsWorld
from tests.support.discord import discord_world


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[CommandsWorld]:
    async with Sandbox(discord_world(rate_limits=False)) as sandbox:
        yield CommandsWorld(sandbox, dsn, tmp_path)
