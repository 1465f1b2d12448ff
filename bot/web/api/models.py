"""Requests and answers of the API as pydantic models, which the OpenAPI description is made from."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from bot.domain.rollout.model import Action, Phase

LONGEST_WAIT_S = 50
BIGGEST = 2**63 - 1
EXAMPLE_TIME = "2026-11-23T18:00:00Z"


def _digits(value: Any) -> Any:
    """Path and query hold text; only plain digits are a number, not `1_000` or ` 7`."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,19}", value):
        raise ValueError("must be a whole number in digits")
    return value


def _whole(value: Any) -> Any:
    """In JSON, 5.0 is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _moment(value: Any) -> datetime:
    """A time with its offset from UTC, as RFC 3339 has it."""
    try:
        text = value.upper() if isinstance(value, str) else ""
        return datetime.fromisoformat(text if _RFC3339.fullmatch(text) else "").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"must be a time with its offset from UTC, such as {EXAMPLE_TIME}") from None


DIGITS, WHOLE, STRICT = BeforeValidator(_digits), BeforeValidator(_whole), Strict()
Name = Annotated[str, Field(min_length=1, max_length=100)]
Service = Annotated[Name, Field(examples=["checkout"])]
Environment = Annotated[Name, Field(examples=["staging"])]
Version = Annotated[Name, Field(examples=["1.5.0"])]
Schedule = Annotated[Name, Field(examples=["payments"])]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE_TIME]}),
]
ReasonText = Annotated[str, Field(max_length=500, examples=["merged to main"])]


class _Given(BaseModel):
    """What a caller sends. Unknown names are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Body(_Given):
    model_config = ConfigDict(strict=True)


# ---- requests ----------------------------------------------------------------------------------------------


class SchedulePath(_Given):
    schedule: Annotated[Schedule, Field(description="On-call schedule, as in the catalog.")]


class ScheduleQuery(_Given):
    schedule: Annotated[Name | None, Field(description="Only this schedule.")] = None


class Nothing(_Given):
    """No parameters."""


class RolloutPath(_Given):
    rollout: Annotated[int, Field(ge=1, le=BIGGEST, description="Number of the rollout."), DIGITS]


class LanePath(_Given):
    service: Annotated[Service, Field(description="Service, as in the catalog.")]
    environment: Annotated[Environment, Field(description="Environment, as in the catalog.")]


class LaneQuery(_Given):
    service: Annotated[Name | None, Field(description="Only this service.")] = None
    environment: Annotated[Name | None, Field(description="Only this environment.")] = None


class HistoryQuery(LaneQuery):
    before: (
        Annotated[
            int,
            Field(ge=1, le=BIGGEST, description="Only rollouts below this number: `next` of a page."),
            DIGITS,
        ]
        | None
    ) = None
    limit: Annotated[int, Field(ge=1, le=50, description="Rollouts in a page."), DIGITS] = 20


class WaitQuery(_Given):
    wait_s: Annotated[
        int,
        Field(
            ge=0,
            le=LONGEST_WAIT_S,
            description="Answer once the rollout has ended or is halted, at the latest after this many seconds.",
        ),
        DIGITS,
    ] = 0
    mark: Annotated[
        str | None,
        Field(max_length=64, description="With `wait_s`: answer also once `mark` is another one than this."),
    ] = None


class KeyHeader(BaseModel):
    """Other headers are no business of the API."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    key: Annotated[
        str | None,
        Field(
            alias="Idempotency-Key",
            min_length=1,
            max_length=128,
            pattern=r"^[!-~]+$",
            description="A repeated key of this token gives the answer of the first request, and changes nothing.",
        ),
    ] = None


class DeployBody(_Body):
    """A version to deploy."""

    service: Service
    version: Version
    environment: Environment
    reason: Annotated[ReasonText, Field(description="Shown on the card and in the history.")] = ""


class RollbackBody(_Body):
    """A lane to roll back: the active rollout, or what runs."""

    service: Service
    environment: Environment
    version: Annotated[
        Name | None,
        Field(description="Known-good release to return to; without it, the one before the present."),
    ] = None
    reason: ReasonText = ""
    confirm: Annotated[bool, Field(description="Roll back even from an irreversible release.")] = False


class ActBody(_Body):
    """An action on a rollout, as by its button."""

    model_config = ConfigDict(strict=False)

    action: Action
    reason: Annotated[ReasonText, Field(description="Required to reject, promote and close.")] = ""
    seal: Annotated[
        str,
        Field(
            pattern=r"^([0-9a-f]{64})?$",
            description="`seal` of the rollout that you looked at. Required to approve and promote.",
        ),
    ] = ""
    step: Annotated[
        int | None, Field(ge=0, le=9999, description="`step` that you looked at."), STRICT, WHOLE
    ] = None
    seconds: Annotated[
        int, Field(ge=0, le=86_400, description="To extend by; 0: as long as the step had."), STRICT, WHOLE
    ] = 0
    confirm: Annotated[
        bool, Field(description="To roll back or reject although the release is irreversible."), STRICT
    ] = False


class LockBody(_Body):
    reason: Annotated[str, Field(max_length=500, pattern=r"\S")]
    for_s: Annotated[
        int | None,
        Field(ge=1, le=365 * 86_400, description="Seconds until it ends; without it, until unlocked."),
        WHOLE,
    ] = None


class UnlockBody(_Body):
    reason: Annotated[ReasonText, Field(description="Required to lift a quarantine.")] = ""


class OverrideBody(_Body):
    """A time on call to give to a person."""

    user_id: Annotated[
        str,
        Field(
            pattern=r"^[0-9]{1,19}$",
            description="Discord id of who takes over.",
            examples=["200000000000000001"],
        ),
    ]
    user: Annotated[
        str, Field(max_length=100, description="Their name; for people of the schedule it is known.")
    ] = ""
    since: Annotated[Moment | None, Field(description="From when on; null: now.")] = None
    until: Moment
    reason: Annotated[str, Field(max_length=500, pattern=r"\S")]


class SilencePath(_Given):
    silence: Annotated[int, Field(ge=1, le=BIGGEST, description="Number of the silence."), DIGITS]


class SilenceBody(_Body):
    """A time in which alerts are shown and call no one."""

    service: Annotated[str, Field(max_length=100, description="Empty for any.", examples=["checkout"])] = ""
    environment: Annotated[str, Field(max_length=100, description="Empty for any.", examples=["staging"])] = (
        ""
    )
    labels: Annotated[
        dict[str, str],
        Field(max_length=10, description="All of them must be those of a finding.", examples=[{}]),
    ] = {}
    since: Annotated[Moment | None, Field(description="From when on; null: now.")] = None
    until: Moment
    reason: Annotated[str, Field(max_length=500, pattern=r"\S")]


class SilenceEndBody(_Body):
    reason: ReasonText = ""


class PanicBody(_Body):
    on: Annotated[bool, Field(description="true pauses every rollout of the server, false resumes them.")]
    reason: ReasonText = ""


# ---- answers -----------------------------------------------------------------------------------------------


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FindingInfo(_Answer):
    what: str
    ok: bool
    sentence: str


class ApprovalInfo(_Answer):
    by: str
    at: datetime


class GateInfo(_Answer):
    """Open gate: who may pass it, and how many are needed."""

    role: str
    quorum: int
    expires_at: datetime | None


class HoldInfo(_Answer):
    """Why a decision is needed, and what happens at the deadline."""

    why: str
    deadline: datetime | None
    outcome: Literal["rollback", "wait"]


class PauseInfo(_Answer):
    by: str
    reason: str
    since: datetime


class ChangesInfo(_Answer):
    """Commits from the release that serves to the one that is to serve; null or empty where they are not known."""

    before: Annotated[str, Field(description="Commit of the release that serves.")]
    after: Annotated[str, Field(description="Commit of the release that is to serve.")]
    reading: Annotated[bool, Field(description="They are being looked up.")]
    added: Annotated[int | None, Field(description="Commits that only `after` has.")]
    removed: Annotated[int | None, Field(description="Commits that only `before` has.")]
    authors: Annotated[list[str], Field(description="Of those added, or else removed; most commits first.")]
    others: Annotated[int, Field(description="How many more authors there are.")]
    link: Annotated[str, Field(description="Page on which people can read them.")]
    problem: Annotated[str, Field(description="Why they could not be looked up.")]
    sentence: str


class RolloutInfo(_Answer):
    """A rollout. `mark` changes whenever something that people would notice has changed."""

    id: int
    service: str
    environment: str
    from_version: str | None
    to_version: str
    phase: Phase
    final: bool
    means: Annotated[str, Field(description="What the phase means, in a sentence.")]
    outcome: Annotated[str, Field(description="What happened last, in a sentence.")]
    step: int
    steps: list[str]
    weight: Annotated[
        int, Field(description="Share of the traffic ordered for the new version, in per cent.")
    ]
    observed_weight: Annotated[int, Field(description="Share that the target reports, in per cent.")]
    verdict: Annotated[str | None, Field(description="PASS, FAIL, INSUFFICIENT or ERROR.")]
    warnings: Annotated[
        list[str], Field(description="What people should know although it fails nothing: slower than stable.")
    ]
    requester: str
    reason: str
    seal: str
    trace_id: Annotated[str, Field(description="Of its log lines, and of its trace: 32 hexadecimal digits.")]
    irreversible: Annotated[
        str,
        Field(
            description="What of the new version cannot be undone: it is rolled back by people alone. Empty: nothing."
        ),
    ]
    preconditions: list[FindingInfo]
    changes: ChangesInfo | None
    gate: GateInfo | None
    approvals: list[ApprovalInfo]
    hold: HoldInfo | None
    pause: PauseInfo | None
    actions: Annotated[list[Action], Field(description="What this state allows; roles decide who may do it.")]
    created_at: datetime
    ended_at: datetime | None
    mark: str


class ActInfo(_Answer):
    sentence: str
    repeated: bool
    rollout: RolloutInfo


class SummaryInfo(_Answer):
    id: int
    service: str
    environment: str
    from_version: str | None
    to_version: str
    phase: str
    requester: str
    reason: str
    outcome: str
    created_at: datetime
    ended_at: datetime | None


class HistoryInfo(_Answer):
    rollouts: list[SummaryInfo]
    next: Annotated[int | None, Field(description="`before` of the next page; null on the last one.")]


class LogLineInfo(_Answer):
    at: datetime
    who: str
    via: str
    what: str
    why: str
    from_phase: str
    to_phase: str


class LogInfo(_Answer):
    """Audit lines of a rollout, oldest first; at most the newest 500."""

    lines: list[LogLineInfo]


class BlockInfo(_Answer):
    """One observation of the test that decided, or a time that was left out."""

    since: datetime
    until: datetime
    requests: Annotated[int, Field(description="Of the new version.")]
    bad: int
    stable_requests: int
    stable_bad: int
    odds: Annotated[float, Field(description="After it, to one.")]
    left_out: Annotated[str, Field(description="Why it did not count; empty if it did.")]


class OddsInfo(_Answer):
    at: datetime
    odds: Annotated[float | None, Field(description="To one; null where nothing counted.")]


class EvidenceInfo(_Answer):
    """Odds of one test over time."""

    test: str
    needed: Annotated[float, Field(description="Odds that decide.")]
    points: list[OddsInfo]


class WhyInfo(_Answer):
    """Why the judge said what it said. What would have changed it is found by replays of the kept measurements."""

    id: int
    service: str
    environment: str
    to_version: str
    phase: Phase
    verdict: Annotated[str | None, Field(description="PASS, FAIL, INSUFFICIENT or ERROR; null: none yet.")]
    hold: Annotated[bool, Field(description="People decide, because stable has the same trouble.")]
    at: Annotated[datetime | None, Field(description="When it was decided.")]
    sentence: Annotated[str, Field(description="What decided.")]
    figures: Annotated[list[str], Field(description="The numbers behind it.")]
    changes: Annotated[list[str], Field(description="What would have changed it.")]
    note: Annotated[str, Field(description="What cannot be said, and why.")]
    blocks: Annotated[list[BlockInfo], Field(description="Oldest first; at most the newest 1,000.")]
    evidence: Annotated[
        list[EvidenceInfo], Field(description="At most the newest 1,000 points of each test.")
    ]


class RunningInfo(_Answer):
    version: str
    digest: str
    weight: int
    state: str
    detail: str


class LockInfo(_Answer):
    owner: str
    reason: str
    since: datetime
    expires: datetime | None
    quarantine: bool


class LaneInfo(_Answer):
    """What is desired and what runs. `running` is null when the target could not be asked; `problem` says why."""

    service: str
    environment: str
    desired_version: str | None
    known_good: bool
    running: list[RunningInfo] | None
    problem: str
    drift: str
    lock: LockInfo | None
    active: RolloutInfo | None


class LanesInfo(_Answer):
    lanes: list[LaneInfo]


class AlertInfo(_Answer):
    """An alert that is not over."""

    id: int
    severity: Literal["critical", "high", "medium", "low"]
    state: Literal["firing", "acknowledged"]
    title: str
    value: Annotated[str, Field(description="What was measured, as people read it.")]
    limit: str
    service: str | None
    environment: str | None
    since: datetime
    owner: Annotated[str | None, Field(description="Who acknowledged it.")]
    silenced_until: datetime | None
    suspect_rollout: Annotated[
        int | None, Field(description="The rollout that is a plausible cause, if there is one.")
    ]


class LatencyInfo(_Answer):
    """The limit on latency that is nearest to being broken."""

    limit_s: float
    slower: Annotated[float, Field(description="The share of requests that took longer lately.")]
    allowed: Annotated[float, Field(description="The share that may: 0.05 for a limit on p95.")]
    over: bool
    above_s: Annotated[
        float | None,
        Field(
            description="The quantile of the last minutes lies above it; null where no histogram tells it."
        ),
    ]
    upto_s: Annotated[
        float | None, Field(description="It lies at or below this bound; null also above the highest one.")
    ]


class LocationInfo(_Answer):
    """What a check answered in one location the last time; null when nothing was heard from there lately."""

    location: str
    passed: bool | None
    said: Annotated[str, Field(description="What was wrong there.")]
    asked_at: datetime | None
    seconds: float | None


class CheckHealthInfo(_Answer):
    """A monitored check; null for what is not known."""

    name: str
    critical: bool
    passed: Annotated[bool | None, Field(description="The last answer; null when it was not asked lately.")]
    said: Annotated[str, Field(description="What was wrong with it.")]
    asked_at: datetime | None
    seconds: Annotated[float | None, Field(description="How long the last answer took.")]
    p95_s: Annotated[float | None, Field(description="How long answers took in the last minute.")]
    limit_s: float | None
    passed_24h: Annotated[float | None, Field(description="The share of the monitored time.")]
    passed_7d: float | None
    firing: Annotated[list[str], Field(description="The rules that fire.")]
    locations: Annotated[
        list[LocationInfo], Field(description="Where it is asked; empty when Slipway itself asks it.")
    ]
    places: Annotated[str, Field(description="What is not as usual in its locations; empty when nothing is.")]


class ServingInfo(_Answer):
    """The release that serves, and the rollout that brought it where that is known."""

    version: str
    since: datetime | None
    by: str
    rollout: int | None


class LaneHealthInfo(_Answer):
    """How one lane is doing; null for what is not known."""

    service: str
    environment: str
    well: Annotated[bool, Field(description="Nothing is wrong, as far as it is known.")]
    errors: Annotated[float | None, Field(description="Failed in the last five minutes.")]
    limit: Annotated[float | None, Field(description="The lane's tightest limit on errors.")]
    latency: LatencyInfo | None
    success_24h: float | None
    success_7d: float | None
    measured_24h_s: Annotated[float, Field(description="How much of the 24 hours was measured.")]
    measured_7d_s: float
    measured_by: Annotated[
        Literal["requests", "checks"] | None,
        Field(description="What the shares count: requests, or the time in which the worst check passed."),
    ]
    budget_left: Annotated[
        float | None,
        Field(
            description="Of the service's error budget of a week, 0 when it is spent; null outside of production."
        ),
    ]
    measured_at: Annotated[datetime | None, Field(description="The newest count of requests.")]
    checks: list[CheckHealthInfo]
    release: ServingInfo | None
    rollout: Annotated[int | None, Field(description="The rollout that is going on.")]
    lock: LockInfo | None
    drift: str


class HealthInfo(_Answer):
    """`well`: no alert is open, and every lane is well."""

    well: bool
    lanes: list[LaneHealthInfo]
    alerts: Annotated[list[AlertInfo], Field(description="The worst first.")]


class ReleaseInfo(_Answer):
    version: str
    digest: str
    commit: str
    made_at: Annotated[
        datetime | None, Field(description="When it was built or published, if that is known.")
    ]
    subject: Annotated[str, Field(description="What it is about, if its source says so.")]
    irreversible: Annotated[str, Field(description="What of it cannot be undone. Empty: nothing is known.")]


class ReleasesInfo(_Answer):
    """Releases that can be deployed, newest first."""

    releases: list[ReleaseInfo]


class FaultInfo(_Answer):
    rate: Annotated[
        float, Field(description="Proportion of the candidate's requests that fails in addition.")
    ]
    found_s: Annotated[
        float | None,
        Field(description="Seconds until it is rolled back, as a median; null: mostly not in time."),
    ]


class RuleAlarmsInfo(_Answer):
    rule: Annotated[str, Field(description="A plain rule, as it is written.")]
    false_alarms: int


class BacktestInfo(_Answer):
    """The judge replayed on the lane's own history, as if its stable release were rolled out again and again."""

    replays: int
    false_alarms: Annotated[
        int, Field(description="Replays that were rolled back although nothing was wrong.")
    ]
    share: Annotated[float, Field(description="The candidate's share of the traffic, 0 to 1.")]
    history_s: Annotated[float, Field(description="Seconds of history behind it.")]
    plan_s: Annotated[float, Field(description="Seconds of one replay.")]
    faults: list[FaultInfo]
    rules: Annotated[list[RuleAlarmsInfo], Field(description="The plain rules that were replayed.")]
    left_out: Annotated[
        list[str],
        Field(description="Objectives and rules of which the history says nothing, such as signals."),
    ]
    sentence: str


class DryRunInfo(_Answer):
    """What a deploy would do, and what blocks it."""

    would_start: bool
    from_version: str | None
    to_version: str
    steps: list[str]
    findings: list[FindingInfo]
    changes: ChangesInfo | None
    backtest: Annotated[
        BacktestInfo | None, Field(description="null: it cannot be replayed, see `not_replayed`.")
    ]
    not_replayed: Annotated[str | None, Field(description="Why there is no backtest.")]
    short_soaks: Annotated[
        str | None,
        Field(description="What the soaks lack for this lane's traffic; null: nothing, or not known."),
    ]


class PanicInfo(_Answer):
    on: bool
    rollouts: Annotated[int, Field(description="How many were paused or resumed.")]


class PersonInfo(_Answer):
    id: Annotated[str, Field(description="Discord id. A string: JavaScript would round the number.")]
    name: str
    here: Annotated[bool, Field(description="false: not in the server any more, so not reachable.")]


class ShiftInfo(_Answer):
    """One person's time on call, or a gap."""

    person: Annotated[PersonInfo | None, Field(description="null: no one is on call.")]
    since: Annotated[datetime | None, Field(description="null: it has no beginning.")]
    until: Annotated[datetime | None, Field(description="null: it has no end.")]
    why: Annotated[str, Field(description="Why no one is on call.")]
    override_by: Annotated[
        str | None, Field(description="Who gave it to the person; null: the schedule did.")
    ]
    override_reason: str | None


class SilenceInfo(_Answer):
    """A silence. `active`: it is silent now."""

    id: int
    about: Annotated[str, Field(description="What is silent, for people.")]
    service: str
    environment: str
    labels: dict[str, str]
    since: datetime
    until: datetime
    active: bool
    reason: str
    by: str


class SilencesInfo(_Answer):
    now: Annotated[datetime, Field(description="The server's time, by which silences begin and end.")]
    silences: list[SilenceInfo]


class OnCallInfo(_Answer):
    """A schedule now. `shifts`: the present one and those of the next four weeks."""

    schedule: str
    time_zone: str
    now: ShiftInfo
    second: PersonInfo | None
    lead: PersonInfo | None
    lead_role: Annotated[str | None, Field(description="A role of the catalog, instead of a person.")]
    shifts: list[ShiftInfo]
    lanes: Annotated[list[str], Field(description="As service/environment.")]
    problem: Annotated[str, Field(description="Why its calendar could not be read the last time.")]


class SchedulesInfo(_Answer):
    now: Annotated[datetime, Field(description="The server's time, by which shifts begin and end.")]
    schedules: list[OnCallInfo]


class OverrideInfo(_Answer):
    """An override, and the shifts that it replaces, cut to its time."""

    id: int
    schedule: str
    person: PersonInfo
    since: datetime
    until: datetime
    reason: str
    instead: list[ShiftInfo]


class TokenInfo(_Answer):
    """The token that is used."""

    name: str
    owner: str
    owner_id: Annotated[str, Field(description="Discord id. A string: JavaScript would round the number.")]
    server: str
    roles: list[str]
    scopes: list[str]
    services: Annotated[list[str], Field(description="What it is limited to; empty: all.")]
    environments: Annotated[list[str], Field(description="What it is limited to; empty: all.")]
    expires_at: datetime | None


# ---- errors ------------------------------------------------------------------------------------------------


class Mistake(_Answer):
    """A mistake in a request. `pointer` leads into the body (JSON Pointer), `parameter` is in path, query or header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemInfo(_Answer):
    """RFC 9457. `rule` is a stable word for programs, `ref` the trace id of the log lines about it."""

    type: str
    title: str
    status: int
    detail: str
    rule: str
    ref: str
    errors: list[Mistake] | None = None
