"""Events that a rollout hears, and effects that it orders.

Machine events carry the `step` they answer; one that answers an older step is ignored. A person's action on
an older step is refused with a sentence. Effects are recorded before they are done, each under a key that is
the same however often it is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.domain.judge.evidence.ticks import Tick
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.model import Action, Actor, Desired, Lane, Release


@dataclass(frozen=True, slots=True)
class Acted:
    """An action of a person. `step` is the step of their button (None: the present one)."""

    action: Action
    actor: Actor
    at: datetime
    step: int | None = None
    reason: str = ""
    seal: str = ""
    seconds: float = 0.0  # Extend
    panic: bool = False  # Pause: the panic stop
    confirmed: bool = False  # Roll back: although the release is irreversible
    kind: Literal["acted"] = "acted"


@dataclass(frozen=True, slots=True)
class Reported:
    """Outcome of an effect of kind `effect` that step `step` ordered; `findings` are sentences on what failed."""

    effect: str
    step: int
    at: datetime
    passed: bool
    findings: tuple[str, ...] = ()
    kind: Literal["reported"] = "reported"

    @property
    def said(self) -> str:
        return "; ".join(self.findings) or "no reason given"


@dataclass(frozen=True, slots=True)
class Applied:
    """The target observes what generation `generation` desired.

    `weight` is the share of the requests that the rollout's candidate was observed to get, also when the
    desired state names no candidate: 0 after a rollback, 100 once the candidate is the stable release.
    """

    generation: int
    at: datetime
    weight: int
    kind: Literal["applied"] = "applied"


@dataclass(frozen=True, slots=True)
class ApplyFailed:
    """The target could not reach what was desired. `unsafe`: what was desired as stable is gone or unhealthy.

    newest: the generation that the target has, when that of the order was taken or outpaced there, else 0.
    """

    generation: int
    at: datetime
    why: str
    unsafe: bool = False
    newest: int = 0
    kind: Literal["apply_failed"] = "apply_failed"


@dataclass(frozen=True, slots=True)
class Delayed:
    """The target has not reached generation `generation` yet; `why` as in `Delay`. It is for people alone."""

    generation: int
    at: datetime
    why: str
    kind: Literal["delayed"] = "delayed"


@dataclass(frozen=True, slots=True)
class SealBroken:
    """What generation `generation` was about to execute is not what was approved; the order was not sent."""

    generation: int
    at: datetime
    why: str
    kind: Literal["seal_broken"] = "seal_broken"


@dataclass(frozen=True, slots=True)
class Measured:
    """One judge tick while the candidate has traffic, at gates and holds too."""

    at: datetime
    tick: Tick
    kind: Literal["measured"] = "measured"


@dataclass(frozen=True, slots=True)
class Crashed:
    """The target saw the candidate crash."""

    at: datetime
    why: str
    kind: Literal["crashed"] = "crashed"


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer came due: `gate`, `hold` or `progress`."""

    name: str
    step: int
    at: datetime
    kind: Literal["timer_due"] = "timer_due"


@dataclass(frozen=True, slots=True)
class HostAborted:
    """`slipway abort` sent all traffic to stable on the machine, under a newer generation than ours."""

    generation: int
    at: datetime
    by: str
    why: str = ""
    kind: Literal["host_aborted"] = "host_aborted"


@dataclass(frozen=True, slots=True)
class ChangesRead:
    """What the rollout changes was looked up, or could not be."""

    at: datetime
    changes: Changes
    kind: Literal["changes_read"] = "changes_read"


Event = (
    Acted
    | Reported
    | Applied
    | ApplyFailed
    | Delayed
    | SealBroken
    | Measured
    | Crashed
    | TimerDue
    | HostAborted
    | ChangesRead
)


# ---- effects -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetDesired:
    """Bring the lane to `desired`, after `delay_s`, and watch until it is so, or was watched for `timeout_s`."""

    lane: Lane
    desired: Desired
    timeout_s: float
    urgent: bool = False  # a rollback: pre-empts what is queued in its lane
    delay_s: float = 0.0
    kind: Literal["set_desired"] = "set_desired"


@dataclass(frozen=True, slots=True)
class ReadChanges:
    """Look up which commits the rollout changes. Nothing waits for it."""

    lane: Lane
    changes: Changes
    kind: Literal["read_changes"] = "read_changes"


class StepEffect:
    """An effect that one kind of step orders; its frozen dataclass stands in the module of that step."""

    __slots__ = ()
    kind: str
    lane: Lane


class ReportedEffect(StepEffect):
    """An effect for which its step waits, for `timeout_s` at most: the outcome comes back as `Reported`."""

    __slots__ = ()
    step: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Notify:
    """Post a short new message, which may mention people. `what` selects the wording."""

    what: Literal[
        "gate_opened",
        "held",
        "irreversible",
        "rolled_back",
        "halted",
        "paused",
        "failed",
        "succeeded",
        "expired",
        "rejected",
        "emergency",
        "unconfirmed",
    ]
    mention_roles: tuple[str, ...] = ()
    mention_users: tuple[int, ...] = ()
    text: str = ""
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class DrawCard:
    """Redraw the card from the database. One pending redraw for a rollout is enough."""

    kind: Literal["draw_card"] = "draw_card"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Post one line in the card's thread."""

    text: str
    kind: Literal["log_line"] = "log_line"


@dataclass(frozen=True, slots=True)
class LockLane:
    """Lock the lane in the same transaction (an automatic rollback quarantines the release)."""

    lane: Lane
    owner: str
    reason: str
    digest: str = ""
    kind: Literal["lock_lane"] = "lock_lane"


@dataclass(frozen=True, slots=True)
class MarkKnownGood:
    """Record the release as the lane's stable. `good`: it completed its observation here and is known good."""

    lane: Lane
    release: Release
    good: bool = True
    kind: Literal["mark_known_good"] = "mark_known_good"


@dataclass(frozen=True, slots=True)
class CallPeople:
    """Tell people in a channel about a lane or a server, outside of any rollout.

    `key` (≤ 24 characters): posted once. channel: as servers name them in the catalog. over: it ends an earlier one.
    icon: before the title, if it is neither a warning nor an end. button: id of a button to answer with.
    room: name of a thread to open under it, which begins with `room_text`. direct_to: a person by their Discord id: it
    goes to them instead of the channel. alert_id: the alert that it calls for, unless that is over by then; 0 for none.
    bars: of a chart of deployments: first and last day, how many went well and failed, and the share of requests that
    succeeded, if it is known. queue: calls of one queue are posted in the order in which they were made, each once the
    one before it was posted or given up; empty for a call that waits for no other. until: it is left out after that.
    """

    key: str
    guild_id: int
    title: str
    text: str
    mention_roles: tuple[str, ...] = ()
    over: bool = False
    channel: Literal["alerts", "deploys", "incidents", "reports"] = "alerts"
    mention_users: tuple[int, ...] = ()
    icon: str = ""
    button: str = ""
    room: str = ""
    room_text: str = ""
    direct_to: int = 0
    alert_id: int = 0
    bars: tuple[tuple[str, str, int, int, float | None], ...] = ()
    queue: str = ""
    until: datetime | None = None
    kind: Literal["call_people"] = "call_people"


Effect = (
    SetDesired
    | ReadChanges
    | Notify
    | DrawCard
    | LogLine
    | LockLane
    | MarkKnownGood
    | CallPeople
    | StepEffect
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the audit log: who, when, why, from where to where."""

    actor: Actor
    at: datetime
    what: str
    why: str
    from_phase: str
    to_phase: str
    details: Mapping[str, object] = field(default_factory=dict)
