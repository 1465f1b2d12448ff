"""Keys of a lane, which defaults, environments, services and their environments may all set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.catalog.models.lane_watch import Watch
from bot.values import Duration, HttpUrl, Names, Part, Proportion, SecretText, Short, shaped

_STRING = {"type": "string"}


class Roles(Part):
    """Who may do what, by role names of the catalog. Each key is inherited separately."""

    deploy: Names | None = Field(default=None, description="Who may start a rollout.")
    rollback: Names | None = Field(default=None, description="Who may order a rollback.")
    operate: Names | None = Field(default=None, description="Who may pause, resume, extend, cancel.")
    lock: Names | None = Field(default=None, description="Who may lock and unlock.")
    notify: Names | None = Field(default=None, description="Who is mentioned on holds and rollbacks.")


class Promote(Part):
    """Who may continue without a PASS; by default as the plan's first gate. Never the requester."""

    role: str = Field(description="Who may vote to continue.")
    quorum: int = Field(default=1, ge=1, le=20, description="How many votes are needed.")


class HoldPolicy(Part):
    """What happens when the judge does not reach PASS and no one decides."""

    deadline: Duration = Field(default=1800.0, description="Time to decide; 30m by default.")
    outcome: Literal["rollback", "wait"] = Field(
        default="rollback", description="Roll back at the deadline, or keep waiting."
    )


class Prerequisite(Part):
    """Where the same release must have succeeded first; "none" removes an inherited one."""

    environment: str = Field(description='Where the release must have succeeded before; "none" for nowhere.')
    max_age: Duration = Field(default=3600.0, description="How long ago at most; 1h by default.")


class Repository(Part):
    """A repository on GitHub, in which the card's commits, authors and link are looked up."""

    name: Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")] = Field(description="owner/name")
    token: SecretText | None = Field(
        default=None, description="Token that may read the repository's contents: ${NAME}."
    )
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )


class Preconditions(Part):
    """What must hold before a rollout starts, beside roles and locks; rollbacks need none of it."""

    repository: Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")] | None = Field(
        default=None, description="owner/name; by default the service's repository, with its token."
    )
    checks: bool | None = Field(
        default=None,
        description="All checks and statuses of the commit are green; by default, unless only alerts or budget count.",
    )
    approvals: int = Field(
        default=0, ge=0, le=20, description="People with write access who approved its pull request."
    )
    changelog: str | None = Field(
        default=None, min_length=1, description="A file; one of its headings names the version."
    )
    token: SecretText | None = Field(default=None, description="For private repositories: ${NAME}.")
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )
    no_alerts: bool = Field(
        default=False,
        description="No alert is open where the prerequisite is, and none was since the release began there.",
    )
    refuse_when_budget_spent: bool = Field(
        default=False, description="The lane has some of its week's error budget left."
    )

    @property
    def asks_github(self) -> bool:
        if self.checks is not None:
            return self.checks or bool(self.approvals or self.changelog)
        own = self.no_alerts or self.refuse_when_budget_spent
        return not own or bool(self.repository or self.approvals or self.changelog)


class MonitorSettings(Part):
    """When the answers of checks are a finding, in every lane that this is for."""

    failures: int = Field(default=3, ge=1, le=100, description="Failures in a row; 3 by default.")
    within: Duration | None = Field(
        default=None, description="Within which time; 3m by default, more for checks that are asked seldom."
    )
    availability: Proportion = Field(
        default=0.985, description='Smallest share of the time that a check passes: "98.5%" by default.'
    )
    over: Duration = Field(
        default=7 * 86_400.0, description="The time that availability is about; 7d by default."
    )
    after: Duration = Field(
        default=86_400.0, description="How long it must have been watched to be judged; 1d by default."
    )
    p95: Duration = Field(default=0.8, description="Limit on the 95th percentile; 800ms by default.")
    slow_for: Duration = Field(
        default=600.0, description="How long it may be above the limit; 10m by default."
    )


class LaneLayer(Part):
    """Keys for defaults, an environment, a service, or one environment of a service; the later one wins."""

    plan: str | None = Field(default=None, description="Name of an entry of plans:.")
    policy: str | None = Field(default=None, description="Name of an entry of policies:.")
    target: str | None = Field(default=None, description="Name of an entry of targets:.")
    metrics: Names | None = Field(default=None, description="Names of entries of metrics:.")
    roles: Roles = Roles()
    promote: Annotated[Promote, Short("role", _STRING)] | None = None
    hold: HoldPolicy | None = None
    prerequisite: Annotated[Prerequisite, Short("environment", _STRING)] | None = None
    preconditions: Preconditions | None = Field(
        default=None, description="What GitHub must say of the release's commit."
    )
    drift: Literal["repair", "report"] | None = Field(
        default=None,
        description="What to do when something other than the desired release runs; report by default.",
    )
    keep_warm: Duration | None = Field(
        default=None,
        description="How long the former release runs on without traffic; by default, until the next rollout.",
    )
    exclusive: bool | None = Field(
        default=None, description="Two releases never run at once (bots, queue consumers)."
    )
    tick: Duration | None = Field(
        default=None,
        description="How often the judge measures; 5s by default, down to 1s where a router counts much traffic.",
    )
    watch: Watch | None = Field(
        default=None, description="What is alerted while it serves; a layer replaces those above."
    )
    rollback_timeout: Duration | None = Field(
        default=None,
        description="After this a rollback counts as failed and people are alerted; 60s by default.",
    )
    lock_after_rollback: bool | None = Field(
        default=None, description="Quarantine after rollbacks; by people, where the plan has a gate."
    )
    on_call: str | None = Field(
        default=None,
        description='Name of an entry of on_call:, the schedule that alerts call; "none" for none.',
    )
    guilds: Names | None = Field(default=None, description="Guilds that see it; all by default.")
    monitors: MonitorSettings | None = Field(
        default=None, description="When answers of checks are a finding."
    )
    description: str | None = Field(default=None, description="Shown in lists.")


class Environment(LaneLayer):
    """A place where services run, such as production."""
