"""How lanes are watched while they serve."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.values import Duration, HttpUrl, Names, Part, Short


class WatchRule(Part):
    """A rule over what a lane serves: it alerts while all of its conditions are broken."""

    rule: str | tuple[str, ...] = Field(
        description="A condition such as `error_rate > 2% over 10m`, or several that must all be broken."
    )
    severity: Severity = Field(
        default=Severity.MEDIUM, description="critical, high, medium (or warning), low (or info)."
    )
    after_deploy: Duration | None = Field(
        default=None, gt=0, description="It counts only for so long after a rollout succeeded."
    )
    rollback: bool = Field(default=False, description="It rolls that rollout back at once; see `rollback`.")
    runbook: HttpUrl | None = Field(
        default=None, description="Page that its alerts link to, instead of the lane's."
    )

    @field_validator("severity", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return severity_of(value) or value if isinstance(value, str) else value


class EscalationStep(Part):
    """Whom to tell of an alert that no one has acknowledged."""

    after: Duration | None = Field(
        default=None, description="How long no one has acknowledged it; at once, without this."
    )
    who: Names = Field(description="team (the roles of notify), on_call, second, lead.")
    direct: bool = Field(default=False, description="By direct message too.")
    war_room: bool = Field(
        default=False, description="Open a thread for the incident, and ask for someone to lead it."
    )


class AlertFollowUp(Part):
    """How alerts are followed up until someone has them, and until they are over."""

    escalation: dict[str, tuple[EscalationStep, ...]] = Field(
        default={},
        description="Steps by severity (critical, high, medium, low), instead of the default ones; [] calls no one.",
    )
    ask_after: Duration = Field(
        default=1800.0, description="When owners are asked whether they still have it; 30m by default."
    )
    answer_within: Duration = Field(
        default=900.0,
        description="How long they have to answer until the escalation goes on; 15m by default.",
    )


class ResponseTarget(Part):
    """How soon incidents of one severity are to be taken and ended, from the beginning of the trouble."""

    acknowledge: Duration = Field(gt=0, description="Until a person has it.")
    restore: Duration = Field(gt=0, description="Until users are well again.")


class IncidentPolicy(Part):
    """How incidents are followed up."""

    targets: dict[Severity, ResponseTarget] = Field(
        default={}, description="By severity; the others keep 15/30 min, 30/60 min, 1/4 h and 4/24 h."
    )
    postmortem: Duration = Field(
        default=172_800.0,
        gt=0,
        description="So long after a production incident was closed, its owner is asked for the post-mortem.",
    )


class Watch(Part):
    """What of a lane is alerted while it serves, and what is done then."""

    rules: dict[str, Annotated[WatchRule, Short("rule", {"type": ["string", "array"]})] | None] = Field(
        default={}, description="Further rules by name; a name with nothing after it removes a rule."
    )
    profile: Literal["standard", "blue_green", "none"] = Field(
        default="standard", description="Rules to begin with; `none` for only those given here."
    )
    rollback: Literal["watch_only", "enabled"] = Field(
        default="watch_only",
        description="Whether rules for the time after a deploy roll it back, or only say that they would.",
    )
    alerts: AlertFollowUp = Field(
        default=AlertFollowUp(), description="Who is called when, and when owners are asked."
    )
    settle: Duration = Field(
        default=120.0, ge=0, description="How long all must be well until an alert is resolved."
    )
    runbook: HttpUrl | None = Field(
        default=None, description="Page that alerts of the lane link to, where they name none of their own."
    )
    incidents: IncidentPolicy = Field(
        default=IncidentPolicy(), description="Targets of incidents, and when post-mortems are asked for."
    )
    blame: Duration = Field(
        default=3600.0, ge=0, description="For how long a deploy is offered as the plausible cause."
    )
