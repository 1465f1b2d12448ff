"""Rollouts as frozen data: releases, lanes, plans, policies, the rollout itself.

Nothing here decides anything. `machine.py` says what may happen next, `approvals.py` who may order it, `steps/` what
each kind of step does, and `bot/domain/judge/` what the measurements say. Times are timezone-aware UTC datetimes,
durations are seconds, weights are whole per cent of the requests that go to the candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.judge import judge
from bot.domain.judge.judge import JudgePolicy
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.changes import Changes


class Phase(StrEnum):
    """What a rollout is waiting for, or how it ended. `PHASE_MEANS` has one sentence for each, shown on the card."""

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
# An order to the target is under way, or may be.
_ORDERED = frozenset({Phase.VERIFYING, Phase.SHIFTING, Phase.ROLLING_BACK})

PHASE_MEANS: Mapping[Phase, str] = {
    Phase.VERIFYING: "The candidate is starting and being checked. It has no traffic yet.",
    Phase.GATED: "The rollout continues once it is approved.",
    Phase.SHIFTING: "Traffic is moving. Done when the target reports the new weights.",
    Phase.SOAKING: "The candidate serves its share of traffic and is being judged.",
    Phase.OBSERVING: "The candidate serves all traffic and is still being judged.",
    Phase.HELD: "The judge did not reach PASS. A decision is needed.",
    Phase.ROLLING_BACK: "All traffic is going back to the stable release.",
    Phase.HALTED: "The rollback failed or is unsafe. Roll back tries again; Close leaves everything as it is.",
    Phase.SUCCEEDED: "The candidate serves all traffic and is the stable release now.",
    Phase.ROLLED_BACK: "The stable release serves all traffic. The candidate has none.",
    Phase.CANCELLED: "Ended by a person or an expired gate before the candidate took over.",
    Phase.FAILED: "The candidate failed before it got any traffic.",
}


# What a rollout moves: shares of traffic, or slash commands. `wording.py` has the words for each.
WordingKind = Literal["traffic", "commands"]


class Action(StrEnum):
    """What a person can do to a rollout, by button, command line or HTTP."""

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


# ---- people ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, or Slipway itself. `roles` are the catalog's role names, read at the moment of the action.

    `guild_id`: the Discord server in which they did it, and which gave them those roles.
    """

    id: int
    name: str
    roles: frozenset[str] = frozenset()
    via: Literal["discord", "cli", "http", "system"] = "discord"
    guild_id: int | None = None
    # On the command line: the Discord id of the person behind the account, as the catalog maps it.
    person: int | None = None

    @property
    def ids(self) -> frozenset[int]:
        """All ids under which this person may act."""
        return frozenset({self.id} if self.person is None else {self.id, self.person})

    @property
    def mention(self) -> int:
        """The id to mention in Discord."""
        return self.id if self.person is None else self.person


SYSTEM = Actor(0, "Slipway", frozenset(), "system")


# ---- releases, lanes and what runs -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a service as an immutable artifact.

    `spec` is what the target needs to run it (for `process`: command, environment, readiness), resolved and
    copied when the rollout starts. `digest` covers the artifact and the spec, the environment's overlay included.
    `base` is the digest without that overlay, which is the same in every environment; empty when there is none.
    `made_at`, `subject` and `repository` are what its source says of it to people: when it was made, what it is about,
    and the address of the repository that its commit is in. `irreversible`: what of it cannot be undone; empty for a
    release that can be rolled back without asking anyone.
    """

    service: str
    version: str
    digest: str
    commit: str = ""
    spec: Mapping[str, object] = field(default_factory=dict)
    base: str = ""
    made_at: datetime | None = field(default=None, compare=False)
    subject: str = field(default="", compare=False)
    repository: str = field(default="", compare=False)
    irreversible: str = ""

    @property
    def identity(self) -> str:
        """What environments compare: "it succeeded in staging" is about this."""
        return self.base or self.digest


# Stands before a version for the digest of a release that its target knows by its version alone.
VERSION_ALONE = "version:"


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One service in one environment: the unit of exclusion, of generations and of locks."""

    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.service}/{self.environment}"


@dataclass(frozen=True, slots=True)
class Desired:
    """Desired state of a lane. A target may be given it any number of times.

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
    """Abort ordered on the target's machine (`slipway abort`). The target keeps it until it is in the audit log."""

    generation: int
    at: datetime
    by: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """Observed state of a lane. `generation` is the newest that the target has accepted."""

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
    """Ordered steps, stored with the rollout. `version` is that of the stored form."""

    name: str
    steps: tuple[Step, ...]
    version: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of a rollout, copied from the catalog when it starts: later edits do not change them."""

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
    """A gate that was passed, with its approvals. Checked again before every later step."""

    step: int
    gate: str
    at: datetime
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a decision is needed, since when, and what happens at the deadline.

    `for_people`: only people end it, since the release failed and cannot be rolled back without them.
    """

    why: str
    since: datetime
    deadline: datetime | None
    outcome: Literal["rollback", "wait"]
    for_people: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    by: str
    reason: str
    since: datetime
    panic: bool = False
    own_by: str = ""  # who also paused this rollout itself: it stays paused when the panic stop ends
    own_reason: str = ""


@dataclass(frozen=True, slots=True)
class Delay:
    """Why the target has not reached generation `generation` yet, as a clause, such as "1.5.0 is not running"."""

    generation: int
    why: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a rollback would lead to, shown before anyone approves."""

    to_version: str | None
    warm: bool
    checked_at: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Precondition:
    """Something that had to hold before the rollout started. `what`: a word for lists; `sentence`: how it stands."""

    what: str
    met: bool
    sentence: str


# A rollout's number and when it was requested. A database that lost commits may give the number alone to another one.
Identity = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class Rollout:
    """One execution of a plan. Only `machine.step` makes the next version of it.

    `version` counts changes, and every save gives a new `stamp`, a random value: a save counts on the version and stamp
    that it was computed from (optimistic lock), also when the database lost commits and counted up again. `step`
    indexes `plan.steps`, `generation` is that of the newest desired state it ordered, `confirmed` the newest that the
    target was observed to have reached. `observed_weight` is the candidate's share when last observed. `approvals`
    belong to the present step: to its gate, or, at a soak or hold, to promoting without `PASS`; those of gates passed
    are in `grants`.
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
    deadline: datetime | None = None  # when the gate expires, until its quorum
    approvals: tuple[Approval, ...] = ()
    grants: tuple[Grant, ...] = ()
    confirmed: int = 0
    weight: int = 0
    observed_weight: int = 0
    had_traffic: bool = False
    step_done: bool = False  # finished while paused; Resume moves it on
    known_good: bool = False  # a return to a known-good release: exempt from gates, locks, prerequisites
    undone: str = ""  # of a return: which irreversible release it goes back past, as a sentence
    judge_state: judge.JudgeState | None = None
    verdict: judge.Verdict | None = None
    soak_extra_s: float = 0.0
    hold: Hold | None = None
    pause: Pause | None = None
    readiness: Readiness | None = None
    outcome: str = ""  # one sentence: what happened last
    ended_at: datetime | None = None
    asked_again: int = 0  # how often the final state was ordered again, unconfirmed by the target
    unseen: bool = False  # promoted without PASS: the release that took over is not known good
    extra_approvals: int = 0  # beyond each quorum, because no one knows which person requested it
    gated: bool = False  # people decide what goes forward here: a release that they roll back is quarantined
    binding: LaneBinding | None = (
        None  # None: started by an earlier version, which read the catalog each time
    )
    preconditions: tuple[Precondition, ...] = ()  # as they were met when it started
    changes: Changes | None = None  # what it changes in the source code, as far as that is known
    back_since: datetime | None = None  # since when it is on its way back, or halted
    delay: Delay | None = None  # as last told; `waits_for` says whether it still counts
    schema: int = 1
    stamp: str = ""

    @property
    def identity(self) -> Identity:
        return self.id, self.created_at

    @property
    def left_as_it_was(self) -> bool:
        """Whether it was halted and then closed: the traffic is where a person chose to leave it."""
        return self.phase is Phase.CANCELLED and self.had_traffic

    @property
    def current(self) -> Step | None:
        return self.plan.steps[self.step] if self.step < len(self.plan.steps) else None

    @property
    def waits_for(self) -> str:
        """What the newest order waits for, as a clause; empty when nothing is known, or nothing waited for."""
        if self.delay is None or self.phase not in _ORDERED or self.generation == self.confirmed:
            return ""
        return self.delay.why if self.delay.generation == self.generation else ""
