"""Slipway's Discord server for tests: the demo's, in the test's own process."""

from typing import Any

from discord_sandbox import World, read_world

from demo.world import harbor


def discord_world(**changes: Any) -> World:
    """Guild `harbor` with its people, and the applications `slipway` (first) and `greeter`."""
    return read_world(harbor(changes))
