"""A local Discord for bots: gateway, REST API, a page and a JSON API on one loopback port."""

from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.saving.saved import NotASavedWorldError, SavedWorld
from discord_sandbox.discord.state.clock import Clock, ManualClock, WallClock
from discord_sandbox.sandbox import Sandbox
from discord_sandbox.server import create_app
from discord_sandbox.testing.api import CallRefused
from discord_sandbox.testing.people import Person
from discord_sandbox.testing.recorder import Recorder
from discord_sandbox.testing.seen import Outcome, SeenMessage
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
    "CallRefused",
    "ChannelSpec",
    "Clock",
    "Core",
    "GuildSpec",
    "ManualClock",
    "NotASavedWorldError",
    "Outcome",
    "Person",
    "PersonSpec",
    "Recorder",
    "RoleSpec",
    "Sandbox",
    "SavedWorld",
    "SeenMessage",
    "WallClock",
    "World",
    "create_app",
    "read_world",
]
