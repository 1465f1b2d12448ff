"""A file of the catalog with its sections. `builder` adds the kinds of adapters."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from bot.catalog.models.applications import Application
from bot.catalog.models.guilds import Account, Guild
from bot.catalog.models.lanes import Environment, LaneLayer
from bot.catalog.models.oncall import Person, Schedule
from bot.catalog.models.plans import ApprovalRule, PlannedStep
from bot.catalog.models.policies import Policy
from bot.catalog.models.services import Service
from bot.kinds import AlertSourceSettings, MetricSettings, SinkSettings, TargetSettings
from bot.values import Part, Short


class CatalogFile(Part):
    """A file of the catalog; any number of them is merged."""

    model_config = ConfigDict(title="Slipway catalog")

    guilds: dict[str, Guild] = Field(default={})
    defaults: LaneLayer = LaneLayer()
    environments: dict[str, Environment | None] = Field(default={}, description="Where services run.")
    targets: dict[str, TargetSettings] = Field(default={})
    metrics: dict[str, MetricSettings] = Field(default={})
    approvals: dict[str, ApprovalRule] = Field(default={})
    plans: dict[str, tuple[PlannedStep, ...]] = Field(default={})
    policies: dict[str, Policy] = Field(default={})
    services: dict[str, Service] = Field(default={})
    applications: dict[str, Application] = Field(default={})
    people: dict[str, Annotated[Person, Short("id", {"type": ["string", "integer"]})]] = Field(
        default={}, description="Who may be on call, by name."
    )
    on_call: dict[str, Schedule] = Field(default={}, description="On-call schedules.")
    alert_sources: dict[str, AlertSourceSettings] = Field(default={})
    sinks: dict[str, SinkSettings] = Field(default={})
    command_line: dict[str, Annotated[Account, Short("roles", {"type": ["array", "string"]})]] = Field(
        default={}
    )
