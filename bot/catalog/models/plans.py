"""Plans, their steps, and the approvals that gates ask for.

A new kind of step is a model here, which builds the domain's step, and a field of `Step`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Protocol, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from bot.catalog.diagnostics import nearest
from bot.catalog.models.lanes import Preconditions
from bot.domain.rollout import steps
from bot.domain.rollout.model import Step as PlanStep
from bot.kinds import SshPart
from bot.values import (
    DURATION,
    WEIGHT,
    Duration,
    HttpUrl,
    Names,
    Part,
    RelativePath,
    Short,
    Text,
    UrlPath,
    Weight,
    listed,
    shaped,
)

_STRING = {"type": "string"}
_RUN_NAME = r"^[A-Za-z0-9 ._/-]{1,40}$"
_IN_ENV = "List the variable's name in env:, and the command gets its value."

# Placeholder for a step without even a known weight; only used in a catalog with mistakes.
UNKNOWN = steps.Shift(-1)
UNKNOWN_GATE = steps.Gate("?", "?")


class Surroundings(Protocol):
    """The part of the catalog that a step uses."""

    @property
    def shift_follows(self) -> bool:
        """Whether a later step of the plan moves traffic, or may."""
        ...

    @property
    def refers(self) -> bool:
        """Whether something in this step comes from the environment."""
        ...

    def of(self, section: str) -> dict[str, Any]:
        """The valid entries of a section, by name."""
        ...

    def known(self, section: str) -> set[str]:
        """Names of a section's entries, also of those with mistakes."""
        ...

    def wrong(self, sentence: str, hint: str = "") -> None:
        """Report a mistake in this step."""
        ...


class StepPart(Part):
    """One kind of step. `stand_in` replaces one that could not be read."""

    stand_in: ClassVar[PlanStep]

    def step(self, around: Surroundings) -> PlanStep:
        """The domain's step; reports mistakes, and returns a stand-in if they leave nothing else."""
        raise NotImplementedError


class ApprovalRule(Part):
    """Approvals that a gate needs."""

    role: str = Field(description="Who may approve.")
    quorum: int = Field(default=1, ge=1, le=20, description="How many of them, the requester not counted.")
    expires: Duration = Field(
        default=1800.0, description="After this the rollout is cancelled; 30m by default."
    )
    allow_requester: bool = Field(default=False, description="Whether the requester may approve as well.")


class Check(Part):
    """One question to the candidate before it gets traffic: a request, or a check of the lane by its name alone."""

    path: UrlPath | None = Field(default=None, description="Path on the candidate, such as /healthz.")
    check: str | None = Field(default=None, description="Name of one of the lane's checks:, instead.")
    status: int = Field(default=200, ge=100, le=599, description="The status that the answer must have.")
    contains: str = Field(default="", description="Text that the answer must contain.")
    timeout: Duration = Field(default=2.0, description="How long the answer may take.")

    def step(self, around: Surroundings) -> steps.HttpCheck | steps.NamedCheck:
        if (self.path is None) == (self.check is None):
            around.wrong("a check is either a path or the name of a check.")
        if self.check is None:
            return steps.HttpCheck(self.path or "/", self.status, self.contains, self.timeout)
        if self.model_fields_set - {"check"}:
            around.wrong(f'"{self.check}" is as checks: says; nothing can be added here.')
        return steps.NamedCheck(self.check)


def _path_or_name(value: object) -> object:
    return {"path" if value.startswith("/") else "check": value} if isinstance(value, str) else value


_Check = Annotated[Check, BeforeValidator(_path_or_name), Short(None, _STRING)]


class VerifyStep(StepPart):
    """Start the candidate and check it before it gets traffic."""

    stand_in = steps.Verify()

    checks: Annotated[tuple[_Check, ...], BeforeValidator(listed)] = Field(
        default=(),
        description="Paths that the candidate must answer, and names of checks; without any, readiness is enough.",
    )
    timeout: Duration = Field(default=60.0, description="How long the candidate may take to start and pass.")

    def step(self, around: Surroundings) -> steps.Verify:
        return steps.Verify(tuple(check.step(around) for check in self.checks), self.timeout)


class GateStep(StepPart):
    """Wait for approvals: an entry of approvals: by name, or role and quorum here, or both."""

    stand_in = UNKNOWN_GATE

    approval: str | None = Field(default=None, description="Name of an entry of approvals:.")
    name: str | None = Field(default=None, description="Name of the gate on the card.")
    role: str | None = Field(default=None, description="Instead of the approval's.")
    quorum: int | None = Field(default=None, ge=1, le=20, description="Instead of the approval's.")
    expires: Duration | None = Field(default=None, description="Instead of the approval's.")
    allow_requester: bool | None = Field(default=None, description="Instead of the approval's.")

    def step(self, around: Surroundings) -> steps.Gate:
        approval: ApprovalRule | None = None
        if self.approval is not None:
            known = around.known("approvals")
            if self.approval not in known:
                around.wrong(f'there is no approval "{self.approval}".', nearest(self.approval, known))
                return UNKNOWN_GATE
            approval = around.of("approvals").get(self.approval)
            if approval is None:
                return UNKNOWN_GATE
        role = self.role or (approval.role if approval else None)
        if role is None:
            around.wrong("a gate needs a role, or the name of an approval.")
            return UNKNOWN_GATE
        base = approval or ApprovalRule(role=role)
        return steps.Gate(
            name=self.name or self.approval or "approval",
            role=role,
            quorum=self.quorum or base.quorum,
            expires_s=self.expires or base.expires,
            allow_requester=base.allow_requester if self.allow_requester is None else self.allow_requester,
        )


class ShiftStep(StepPart):
    """Give the candidate a share of the traffic."""

    stand_in = UNKNOWN

    weight: Weight = Field(description="The candidate's share of the traffic in per cent.")
    timeout: Duration = Field(default=60.0, description="How long the target may take.")

    def step(self, around: Surroundings) -> steps.Shift:
        return steps.Shift(self.weight, self.timeout)


class SoakStep(StepPart):
    """Judge the candidate while it serves its share."""

    stand_in = steps.Soak(1.0)

    duration: Duration = Field(default=1800.0, description="Measured time; 30m by default.")

    def step(self, around: Surroundings) -> steps.Soak:
        return steps.Soak(self.duration)


class ObserveStep(StepPart):
    """Judge the candidate at full weight while the former release stays warm."""

    stand_in = steps.Observe(1.0)

    duration: Duration = Field(default=1800.0, description="Measured time at full weight; 30m by default.")

    def step(self, around: Surroundings) -> steps.Observe:
        return steps.Observe(self.duration)


class SyncCommandsStep(StepPart):
    """Deploy an application's slash commands with the release."""

    stand_in = steps.SyncCommands("?")

    application: str = Field(description="Name of an entry of applications:.")
    mode: Literal["additions", "all"] | None = Field(
        default=None,
        description="By default additions before the last shift, and all after it.",
    )
    timeout: Duration = Field(default=90.0, description="How long Discord may take.")

    def step(self, around: Surroundings) -> steps.SyncCommands:
        known = around.known("applications")
        if self.application not in known:
            around.wrong(f'there is no application "{self.application}".', nearest(self.application, known))
        mode = self.mode or ("additions" if around.shift_follows else "all")
        return steps.SyncCommands(self.application, mode, self.timeout)


class RunHttp(Part):
    """A request that must be answered; it is repeated until it is, or time is up. Either `path` or `url`."""

    path: UrlPath | None = Field(default=None, description="Path on the candidate, such as /smoke.")
    url: HttpUrl | None = Field(default=None, description="A whole address, such as the one users have.")
    status: int = Field(default=200, ge=100, le=599, description="The status that the answer must have.")
    contains: str = Field(default="", description="Text that the answer must contain.")
    timeout: Duration = Field(default=5.0, description="How long one answer may take.")

    def check(self, around: Surroundings) -> steps.RunCheck:
        if (self.path is None) == (self.url is None):
            around.wrong("http needs either path or url.")
        found = urlsplit(self.url or "")
        path = self.path or f"{found.path or '/'}{'?' + found.query if found.query else ''}"
        base = f"{found.scheme}://{found.netloc}" if self.url else None
        return steps.RunCheck(steps.HttpCheck(path, self.status, self.contains, self.timeout), base)


class RunStep(StepPart):
    """Run a command or an HTTP check: smoke tests, a migration. A failure fails the rollout."""

    stand_in = steps.Run("?", steps.RunCommand(("?",)))

    command: tuple[Text, ...] | None = Field(
        default=None, min_length=1, description="Program and arguments; braces as in a command target."
    )
    http: Annotated[RunHttp, Short("path", _STRING)] | None = Field(
        default=None, description="A request instead of a command."
    )
    name: Annotated[str, *shaped(_RUN_NAME, "1 to 40 letters, digits, spaces and . _ / -")] | None = Field(
        default=None, description="What it is called on the card; the program's name by default."
    )
    env: Names = Field(default=(), description="Names of Slipway's variables that the command gets.")
    cwd: RelativePath | None = Field(
        default=None, description="Working directory on this machine, relative to this file."
    )
    ssh: SshPart | None = Field(default=None, description="The machine to run it on; this one by default.")
    timeout: Duration = Field(default=600.0, description="How long it may take; 10m by default.")
    grace: Duration = Field(default=10.0, description="Between SIGTERM and SIGKILL; 10s by default.")

    def step(self, around: Surroundings) -> steps.Run:
        if (self.command is None) == (self.http is None):
            around.wrong("a run needs either command or http.")
        if around.refers:
            around.wrong("a run is stored with its rollout, so ${…} must not be in it.", _IN_ENV)
        if self.http is not None:
            check = self.http.check(around)
            return steps.Run(self.name or f"GET {check.check.path}"[:40], None, check, self.timeout)
        return steps.Run(self.name or self._program, self._command(), None, self.timeout)

    @property
    def _program(self) -> str:
        program = (self.command or ("?",))[0].rstrip("/").rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9 ._/-]", "_", program)[:40]

    def _command(self) -> steps.RunCommand:
        ssh = None
        if self.ssh is not None:
            ssh = steps.SshAddress(**self.ssh.model_dump(mode="json"))
        cwd = str(self.cwd) if self.cwd else None
        return steps.RunCommand(self.command or ("?",), self.env, cwd, ssh, self.grace)


class Step(Part):
    """Exactly one of these kinds; a bare word is the step with its defaults.

    `preconditions` come first in a plan: they are looked at before a rollout starts, and are no step of it.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {value: None}
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    preconditions: Preconditions | None = None
    verify: Annotated[VerifyStep, Short("checks", {"type": ["array", "string"]})] | None = None
    gate: Annotated[GateStep, Short("approval", _STRING)] | None = None
    shift: Annotated[ShiftStep, Short("weight", WEIGHT)] | None = None
    soak: Annotated[SoakStep, Short("duration", DURATION)] | None = None
    observe: Annotated[ObserveStep, Short("duration", DURATION)] | None = None
    sync_commands: Annotated[SyncCommandsStep, Short("application", _STRING)] | None = None
    run: Annotated[RunStep, Short("command", {"type": "array", "items": {"type": "string"}})] | None = None

    @property
    def parts(self) -> dict[str, StepPart]:
        """The parts that are given, by kind; exactly one in a valid step."""
        given = {kind: getattr(self, kind) for kind in type(self).model_fields if kind != "preconditions"}
        return {kind: part for kind, part in given.items() if part is not None}

    @property
    def may_shift(self) -> bool:
        return not self.parts or any(part.stand_in.shifts_to is not None for part in self.parts.values())

    @classmethod
    def stand_in(cls, kind: str) -> PlanStep:
        part: type[StepPart] = get_args(get_type_hints(cls)[kind])[0]
        return part.stand_in


STEP_KINDS = tuple(kind for kind in Step.model_fields if kind != "preconditions")
PlannedStep = Annotated[Step, Short(None, {"enum": list(Step.model_fields)})]
