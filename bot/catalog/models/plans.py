"""Plans, their steps, and the approvals that gates ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from bot.values import DURATION, WEIGHT, Duration, Part, Short, Weight, listed

_STRING = {"type": "string"}


class Check(Part):
    """One request to the candidate before it gets traffic."""

    path: str = Field(pattern="^/", description="Path on the candidate, such as /healthz.")
    status: int = Field(default=200, ge=100, le=599)
    contains: str = Field(default="", description="Text that the answer must contain.")
    timeout: Duration = 2.0


_Check = Annotated[Check, Short("path", _STRING)]


class VerifyStep(Part):
    checks: Annotated[tuple[_Check, ...], BeforeValidator(listed)] = Field(
        default=(), description="What the candidate must answer; none: readiness alone."
    )
    timeout: Duration = Field(default=60.0, description="How long the candidate may take to start and pass.")


class GateStep(Part):
    approval: str | None = Field(default=None, description="Name of an entry of approvals:.")
    name: str | None = Field(default=None, description="What the card calls this gate.")
    role: str | None = None
    quorum: int | None = Field(default=None, ge=1, le=20)
    expires: Duration | None = None
    allow_requester: bool | None = None


class ShiftStep(Part):
    weight: Weight = Field(description="The candidate's share of the traffic in per cent.")
    timeout: Duration = Field(default=60.0, description="How long the target may take.")


class SoakStep(Part):
    duration: Duration = Field(default=1800.0, description="Measured time; 30m by default.")


class ObserveStep(Part):
    duration: Duration = Field(default=1800.0, description="Measured time at full weight; 30m by default.")


class SyncCommandsStep(Part):
    application: str = Field(description="Name of an entry of applications:.")
    mode: Literal["additions", "all"] | None = Field(
        default=None,
        description="additions before the last shift, all after it: by default what its place asks.",
    )
    timeout: Duration = 90.0


class Step(Part):
    """Exactly one of these; a bare word is the step with its defaults."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {value: None}
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    verify: Annotated[VerifyStep, Short("checks", {"type": ["array", "string"]})] | None = None
    gate: Annotated[GateStep, Short("approval", _STRING)] | None = None
    shift: Annotated[ShiftStep, Short("weight", WEIGHT)] | None = None
    soak: Annotated[SoakStep, Short("duration", DURATION)] | None = None
    observe: Annotated[ObserveStep, Short("duration", DURATION)] | None = None
    sync_commands: Annotated[SyncCommandsStep, Short("application", _STRING)] | None = None


# JSON Schema of a step that is a word alone.
BARE_STEP = {"enum": list(Step.model_fields)}


class Approval(Part):
    role: str = Field(description="Who may approve.")
    quorum: int = Field(default=1, ge=1, le=20, description="How many of them, the requester not counted.")
    expires: Duration = Field(
        default=1800.0, description="After this the rollout is cancelled; 30m by default."
    )
    allow_requester: bool = Field(default=False, description="Whether who asked may approve as well.")
