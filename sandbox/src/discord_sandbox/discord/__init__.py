"""A local Discord: REST, gateway and state, as strict as the real one."""

from discord_sandbox.discord.clock import Clock, ManualClock, WallClock
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.server import Sandbox, create_app
from discord_sandbox.discord.world import Application, Channel, Guild, Person, Role, World

__all__ = [
    "CORE",
    "Application",
    "Channel",
    "Clock",
    "Core",
    "Guild",
    "ManualClock",
    "Person",
    "Role",
    "Sandbox",
    "WallClock",
    "World",
    "create_app",
]
