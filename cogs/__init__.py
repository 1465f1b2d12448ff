"""Slash commands: parse, call the engine, render. `COGS` lists them for the composition root."""

from __future__ import annotations

from cogs.alerts import AlertCommands
from cogs.appcommands import CommandsSync
from cogs.deploy import Deploy
from cogs.health import HealthCommand
from cogs.incident import IncidentCommands
from cogs.locks import LockCommands
from cogs.oncall import OnCallSchedules
from cogs.panic import Panic
from cogs.report import ReportCommand
from cogs.rollback import Rollback
from cogs.silence import SilenceCommands
from cogs.status import Status
from cogs.why import WhyCommand

COGS = (
    Deploy,
    Rollback,
    Status,
    WhyCommand,
    LockCommands,
    HealthCommand,
    AlertCommands,
    IncidentCommands,
    Panic,
    OnCallSchedules,
    ReportCommand,
    SilenceCommands,
    CommandsSync,
)

__all__ = [
    "COGS",
    "AlertCommands",
    "CommandsSync",
    "Deploy",
    "HealthCommand",
    "IncidentCommands",
    "LockCommands",
    "OnCallSchedules",
    "Panic",
    "ReportCommand",
    "Rollback",
    "SilenceCommands",
    "Status",
    "WhyCommand",
]
