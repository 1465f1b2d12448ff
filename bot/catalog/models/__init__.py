"""Pydantic models of a catalog's sections: allowed keys, and what each one means.

Editors show the descriptions (`slipway config schema`), and the reference in docs/ is generated from them.
"""

from bot.catalog.models.applications import Application
from bot.catalog.models.builder import catalog_file, service_of
from bot.catalog.models.file import CatalogFile
from bot.catalog.models.guilds import Account, Channels, Guild
from bot.catalog.models.lane_watch import (
    AlertFollowUp,
    EscalationStep,
    IncidentPolicy,
    ResponseTarget,
    Watch,
    WatchRule,
)
from bot.catalog.models.lanes import (
    Environment,
    HoldPolicy,
    LaneLayer,
    MonitorSettings,
    Preconditions,
    Prerequisite,
    Promote,
    Roles,
)
from bot.catalog.models.oncall import Ics, Person, Schedule
from bot.catalog.models.plans import (
    ApprovalRule,
    Check,
    GateStep,
    ObserveStep,
    RunHttp,
    RunStep,
    ShiftStep,
    SoakStep,
    Step,
    SyncCommandsStep,
    VerifyStep,
)
from bot.catalog.models.policies import Objective, Policy, Rule
from bot.catalog.models.services import Service, ServiceEnvironment

__all__ = [
    "Account",
    "AlertFollowUp",
    "Application",
    "ApprovalRule",
    "CatalogFile",
    "Channels",
    "Check",
    "Environment",
    "EscalationStep",
    "GateStep",
    "Guild",
    "HoldPolicy",
    "Ics",
    "IncidentPolicy",
    "LaneLayer",
    "MonitorSettings",
    "Objective",
    "ObserveStep",
    "Person",
    "Policy",
    "Preconditions",
    "Prerequisite",
    "Promote",
    "ResponseTarget",
    "Roles",
    "Rule",
    "RunHttp",
    "RunStep",
    "Schedule",
    "Service",
    "ServiceEnvironment",
    "ShiftStep",
    "SoakStep",
    "Step",
    "SyncCommandsStep",
    "VerifyStep",
    "Watch",
    "WatchRule",
    "catalog_file",
    "service_of",
]
