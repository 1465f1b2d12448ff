"""pytest plugin: the fixtures `sandbox`, `sandbox_world` and `recorder`. Needs pytest-asyncio.

The package is imported when a test asks for one of them, so that other tests do not pay for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from discord_sandbox.discord.saving.saved import SavedWorld
    from discord_sandbox.sandbox import Sandbox
    from discord_sandbox.testing.recorder import Recorder
    from discord_sandbox.world import World


def _async_fixture(function: Callable[..., AsyncIterator[Any]]) -> Any:
    try:
        import pytest_asyncio
    except ImportError:

        def missing() -> None:
            pytest.fail("The fixture `sandbox` needs pytest-asyncio: pip install 'discord-sandbox[pytest]'")

        return pytest.fixture(name=function.__name__)(missing)
    return pytest_asyncio.fixture(function)


@pytest.fixture
def sandbox_world() -> World | SavedWorld:
    """What the test's sandbox starts with. Override it for servers, people and bots of your own, or a saved world."""
    from discord_sandbox.world import World

    return World()


@_async_fixture
async def sandbox(sandbox_world: World | SavedWorld) -> AsyncIterator[Sandbox]:
    """A running sandbox for one test."""
    from discord_sandbox.sandbox import Sandbox
    from discord_sandbox.world import World

    it = Sandbox(sandbox_world) if isinstance(sandbox_world, World) else Sandbox(saved=sandbox_world)
    async with it as running:
        yield running


@pytest.fixture
def recorder(sandbox: Sandbox) -> Recorder:
    """What bots call during the test."""
    return sandbox.recorder()
