"""Slash commands as a target: a lane is an application's commands in one environment, a release is a manifest."""

from bot.adapters.targets.appcommands.rest import CommandsApi
from bot.adapters.targets.appcommands.target import CommandsTarget

__all__ = ["CommandsApi", "CommandsTarget"]
