"""Slash commands: parse, call the engine, render. `COGS` lists them for the composition root."""

from __future__ import annotations

from cogs.appcommands import CommandsSync
from cogs.deploy import Deploy
from cogs.health import Health
from cogs.locks import Locks
from cogs.oncall import OnCallSchedules
from cogs.panic import Panic
from cogs.rollback import Rollback
from cogs.status import Status
from cogs.why import Why

COGS = (Deploy, Rollback, Status, Why, Locks, Health, Panic, OnCallSchedules, CommandsSync)

__all__ = [
    "COGS",
    "CommandsSync",
    "Deploy",
    "Health",
    "Locks",
    "OnCallSchedules",
    "Panic",
    "Rollback",
    "Status",
    "Why",
]
