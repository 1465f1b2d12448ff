"""A sandbox with a clock that stands still, and a client for it."""

from collections.abc import AsyncIterator

import pytest
from hypothesis.internal.conjecture import providers

from discord_sandbox import ManualClock, Sandbox, World
from support.client import PING, Client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(clock: ManualClock) -> AsyncIterator[Client]:
    async with Sandbox(World(rate_limits=False), clock=clock) as sandbox, Client(sandbox) as client:
        await client.commands(PING)
        yield client


@pytest.fixture
async def strict(clock: ManualClock) -> AsyncIterator[Client]:
    """The same, refusing what Discord ignores."""
    world = World(rate_limits=False, strict=True)
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox) as client:
        yield client


@pytest.fixture
async def limited(clock: ManualClock) -> AsyncIterator[Client]:
    """With rate limits."""
    async with Sandbox(World(), clock=clock) as sandbox, Client(sandbox) as client:
        yield client


@pytest.fixture
def same_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis draws from the literals of whatever modules are imported by then; without them, the same each time."""
    monkeypatch.setattr(providers, "_get_local_constants", providers.Constants)
    providers.CONSTANTS_CACHE.cache.clear()
