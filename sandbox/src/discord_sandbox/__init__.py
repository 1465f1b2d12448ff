"""A local Discord for bots: gateway, REST API, a page and a JSON API on one loopback port."""

from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.state.clock import Clock, ManualClock, WallClock
from discord_sandbox.sandbox import Sandbox
from discord_sandbox.server import create_app
from discord_sandbox.world import (
    ApplicationSpec,
    ChannelSpec,
    GuildSpec,
    PersonSpec,
    RoleSpec,
    World,
    read_world,
)

__all__ = [
    "CORE",
    "ApplicationSpec",
    "ChannelSpec",
    "Clock",
    "Core",
    "GuildSpec",
    "ManualClock",
    "PersonSpec",
    "RoleSpec",
    "Sandbox",
    "WallClock",
    "World",
    "create_app",
    "read_world",
]
