"""The words of a rollout as frozen data: releases, plans, policies, the rollout itself.

Nothing here decides anything; the rules are in `machine.py` (what may happen next), `gates.py` (who may
say so) and `judge.py` (what the numbers say). Times are timezone-aware UTC datetimes, durations are seconds,
weights are whole per cent of the requests that go to the candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.judge import judge
from bot.domain.judge.judge import JudgePolicy


class Phase(StrEnum):
    """Where a rollout is. Each phase has one sentence in `PHASE_MEANS`, shown on the card."""

    VERIFYING = "verifying"
    GATED = "gated"
    SHIFTING = "shifting"
    SOAKING = "soaking"
    OBSERVING = "observing"
    HELD = "held"
    ROLLING_BACK = "rolling_back"
    HALTED = "halted"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.CANCELLED, Phase.FAILED})

PHASE_MEANS: Mapping[Phase, str] = {
    Phase.VERIFYING: "The candidate is started and checked; it has no traffic yet.",
    Phase.GATED: "Waiting for people to approve.",
    Phase.SHIFTING: "Traffic is being moved; waiting until it is observed where it should be.",
    Phase.SOAKING: "The candidate serves its share and is judged.",
    Phase.OBSERVING: "The candidate serves everything and is still watched.",
    Phase.HELD: "The judge could not say PASS; people are asked what to do.",
    Phase.ROLLING_BACK: "All traffic is going back to the stable release.",
    Phase.HALTED: "The rollback failed or is unsafe; a person must end this.",
    Phase.SUCCEEDED: "The candidate took over and is the stable release now.",
    Phase.ROLLED_BACK: "The stable release serves everything; the candidate has no traffic.",
    Phase.CANCELLED: "Ended by people or by an expired gate before the candidate took over.",
    Phase.FAILED: "The candidate failed before it got any traffic.",
}


# What a rollout moves, and so how it is told: `bot.domain.rollout.wording` has the words.
WordingKind = Literal["traffic", "commands"]


class Action(StrEnum):
    """What a person can ask of a rollout, by button, command line or HTTP."""

    APPROVE = "approve"
    REJECT = "reject"
    REVOKE = "revoke"
    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    PROMOTE = "promote"
    ROLL_BACK = "rollback"
    CANCEL = "cancel"
    CLOSE = "close"  # end a HALTED rollout


# ---- who ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `roles` are the catalog's role names, read at the moment of the action.

    `guild_id`: the Discord server in which they did it, and whose roles those are.
    """

    id: int
    name: str
    roles: frozenset[str] = frozenset()
    via: Literal["discord", "cli", "http", "system"] = "discord"
    guild_id: int | None = None


SYSTEM = Actor(0, "Slipway", frozenset(), "system")


# ---- what --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a service as an immutable artifact.

    `spec` is what the target needs to run it (for `process`: command, environment, readiness), resolved and
    copied when the rollout starts. `digest` covers the artifact and the spec.
    """

    service: str
    version: str
    digest: str
    commit: str = ""
    spec: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One service in one environment: the unit of exclusion, of generations and of locks."""

    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.service}/{self.environment}"


@dataclass(frozen=True, slots=True)
class Desired:
    """What should run in a lane; applied declaratively, any number of times.

    `weight` is the candidate's share in per cent. `warm` names releases that are kept running without
    traffic, ready to take over. A target refuses a generation lower than one it has seen.
    """

    generation: int
    stable: Release | None
    candidate: Release | None = None
    weight: int = 0
    warm: tuple[Release, ...] = ()


class RunState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Running:
    """One release as the target sees it. `address` is where checks reach it (``http://host:port``)."""

    digest: str
    version: str
    state: RunState
    weight: int
    address: str | None = None
    detail: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class HostAbort:
    """Somebody told the target directly, without us; kept there until it is in the audit log."""

    generation: int
    at: datetime
    by: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What runs in a lane. `generation` is the newest that the target has accepted."""

    generation: int
    running: tuple[Running, ...] = ()
    abort: HostAbort | None = None

    def of(self, digest: str) -> Running | None:
        return next((r for r in self.running if r.digest == digest), None)

    def weight_of(self, digest: str) -> int:
        found = self.of(digest)
        return found.weight if found else 0


# ---- the plan ----------------------------------------------------------------------------------------------


class Step:
    """One step of a plan: its figures. What it does stands with its kind in `bot/domain/rollout/steps/`.

    The properties are what other rules ask of a step without knowing its kind.
    """

    __slots__ = ()
    kind: str

    @property
    def shifts_to(self) -> int | None:
        """The candidate's share of the traffic after this step; None when it moves no traffic."""
        return None

    @property
    def soak_s(self) -> float | None:
        """Measured seconds in which the candidate is judged; None when the judge does not end this step."""
        return None

    @property
    def starts_candidate(self) -> bool:
        """Whether the candidate runs from this step on, without traffic."""
        return False

    @property
    def may_follow_observe(self) -> bool:
        """Whether it may stand behind the observe, which otherwise ends a plan."""
        return False


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered steps. Stored with the rollout; `version` says which reading of it the steps need."""

    name: str
    steps: tuple[Step, ...]
    version: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that was true when the rollout started and must not change under it."""

    judge: JudgePolicy
    tick_s: float = 5.0
    hold_deadline_s: float = 1800.0
    hold_outcome: Literal["rollback", "wait"] = "rollback"  # never forward: that needs a PASS or a quorum
    promote_role: str = "release-manager"
    promote_quorum: int = 1
    rollback_roles: tuple[str, ...] = ()
    operate_roles: tuple[str, ...] = ()  # pause, resume, extend, cancel
    rollback_timeout_s: float = 60.0
    lock_after_rollback: bool = True
    exclusive: bool = False
    notify_roles: tuple[str, ...] = ()  # called on holds, rollbacks, halts
    words: WordingKind = "traffic"


# ---- the rollout -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Approval:
    actor_id: int
    actor_name: str
    at: datetime
    seal: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A gate that was passed: which step, by whose approvals. Kept, so that no traffic is ordered without."""

    step: int
    gate: str
    at: datetime
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why people are asked, since when, and what happens at the deadline."""

    why: str
    since: datetime
    deadline: datetime | None
    outcome: Literal["rollback", "wait"]


@dataclass(frozen=True, slots=True)
class Pause:
    by: str
    reason: str
    since: datetime
    panic: bool = False
    own_by: str = (
        ""  # somebody paused this rollout itself as well: the end of a panic stop does not undo that
    )
    own_reason: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a rollback would be, shown before anyone approves."""

    to_version: str | None
    warm: bool
    checked_at: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One execution of a plan. Only `machine.step` makes a new one out of an old one.

    `version` counts changes (optimistic lock), `step` indexes `plan.steps`, `generation` is that of the
    newest desired state it ordered, `confirmed` the newest that the target was observed to have reached.
    `observed_weight` is the candidate's share when last observed. `approvals` belong to the present step: to
    its gate, or, at a soak or hold, to promoting without `PASS`; those of gates passed are in `grants`.
    `step` counts past the end of the plan while the candidate becomes the stable release.
    """

    id: int
    guild_id: int
    lane: Lane
    stable: Release | None
    candidate: Release
    plan: Plan
    policy: Policy
    requester: Actor
    reason: str
    seal: str
    phase: Phase
    created_at: datetime
    step: int = 0
    version: int = 0
    generation: int = 0
    step_since: datetime | None = None
    deadline: datetime | None = None  # of the step: gate expiry, progress deadline
    approvals: tuple[Approval, ...] = ()
    grants: tuple[Grant, ...] = ()
    confirmed: int = 0
    weight: int = 0
    observed_weight: int = 0
    had_traffic: bool = False
    step_done: bool = False  # finished, but may not go on while paused; moves on with Resume
    known_good: bool = False  # a return to a known-good release: exempt from gates, locks, prerequisites
    judge_state: judge.JudgeState | None = None
    verdict: judge.Verdict | None = None
    soak_extra_s: float = 0.0
    hold: Hold | None = None
    pause: Pause | None = None
    readiness: Readiness | None = None
    outcome: str = ""  # one sentence: why it is where it is
    ended_at: datetime | None = None
    asked_again: int = 0  # how often its end was ordered once more, since the target did not confirm it
    unseen: bool = False  # people ended the last soak without PASS: what took over is not known good
    schema: int = 1

    @property
    def current(self) -> Step | None:
        return self.plan.steps[self.step] if self.step < len(self.plan.steps) else None
