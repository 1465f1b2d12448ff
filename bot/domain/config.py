"""Catalog as domain objects: resolved, validated, immutable.

`bot/catalog/` builds it from YAML; a reload builds a new one. Running rollouts keep their copies of plan, policy, and
lane binding.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.domain import phrasebook
from bot.domain.appcommands.applications import Application
from bot.domain.errors import UserError
from bot.domain.rollout import plans
from bot.domain.rollout.binding import AdapterBinding, LaneBinding, latency_limit
from bot.domain.rollout.model import Lane, Plan, Policy
from bot.domain.secret import Secret
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.checks import Monitor
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import OnCallSchedule


class AdapterSettings(Protocol):
    """Settings of one adapter, in the adapter's own form. Equal settings mean the same adapter."""

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ServedLane:
    """How a target serves one lane.

    router: how users reach it, in the form of the target's kind; None: not. latency_limits_s: what its releases are
        judged by, in seconds.
    """

    exclusive: bool
    router: object | None = None
    latency_limits_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A target of the catalog, with the lanes that it serves."""

    settings: AdapterSettings
    lanes: Mapping[Lane, ServedLane] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReleasesConfig:
    """Where a service's releases come from, and each environment's overlay of their spec."""

    settings: AdapterSettings
    overlays: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """The same release must have succeeded in `environment` within `max_age_s`."""

    environment: str
    max_age_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub, where commits are looked up. name: owner/name."""

    name: str
    token: Secret | None = None
    api: str = "https://api.github.com"

    @property
    def address(self) -> str:
        """Where people find it: GitHub Enterprise has its API under a path or a name of its own."""
        base = self.api.rstrip("/").removesuffix("/api/v3").replace("://api.", "://", 1)
        return f"{base}/{self.name}"


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What GitHub must say of a release's commit before a rollout starts.

    checks: all of its checks and statuses are green. approvals: so many people with write access approved its pull
    request. changelog: a heading of this file names the version; empty for none.
    """

    repository: str
    checks: bool = True
    approvals: int = 0
    changelog: str = ""
    token: Secret | None = None
    api: str = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What of alerts and budgets must hold before a rollout starts.

    no_alerts: none is open in the prerequisite's lane, and none was since the release began there. within_budget: the
    lane has some of its error budget left.
    """

    no_alerts: bool = False
    within_budget: bool = False


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """A check of a lane. monitor: how it is watched; None: it is only asked as a smoke test."""

    name: str
    settings: AdapterSettings
    timeout_s: float
    critical: bool = False
    monitor: Monitor | None = None


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """Everything the catalog says about one service in one environment."""

    lane: Lane
    guilds: tuple[int, ...]
    plan: Plan
    policy: Policy
    target: str
    metrics: tuple[str, ...]
    deploy_roles: tuple[str, ...]
    lock_roles: tuple[str, ...]
    prerequisite: Prerequisite | None = None
    drift: Literal["repair", "report"] = "report"
    keep_warm_s: float | None = None  # how long a former release is kept; None: until the next rollout
    description: str = ""
    # Who may skip the prerequisite, with a reason; the skip is announced.
    emergency_roles: tuple[str, ...] = ()
    # How people start a rollout here; lane and version are filled in.
    asked_by: str = "/deploy service:{service} version:{version} environment:{environment}"
    binding: LaneBinding | None = None  # None: the adapters are known by name alone
    preconditions: tuple[Preconditions, ...] = ()  # of the plan, then of the lane
    promotion: Promotion = Promotion()
    repository: Repository | None = None  # of the service's commits
    # How short a tick the lane's own traffic may be given; None: the tick is as written.
    finest_tick_s: float | None = None
    # Whether probes are what is counted: a release has as many at every share of the traffic.
    probed: bool = False
    on_call: str | None = None  # name of the schedule that alerts call
    watch: LaneWatch = field(default_factory=LaneWatch)
    checks: tuple[CheckConfig, ...] = ()

    @property
    def gated(self) -> bool:
        """Whether people decide what goes forward here. That, not its name, makes an environment production."""
        return plans.gated(self.plan)

    @property
    def bound(self) -> LaneBinding:
        """What a rollout that starts now is bound to."""
        return self.binding or LaneBinding(
            AdapterBinding(self.target),
            tuple(map(AdapterBinding, self.metrics)),
            exclusive=self.policy.exclusive,
            latency_limit_s=latency_limit(self.policy.judge),
        )


@dataclass(frozen=True, slots=True)
class GuildConfig:
    """One Discord server. Channels and roles are given by name or id; `matching` resolves them in the live guild."""

    id: int
    name: str
    channels: Mapping[str, str]  # deploys, alerts -> channel name or id
    roles: Mapping[str, str]  # catalog role -> Discord role name or id
    panic_roles: tuple[str, ...] = ()
    oncall_role: str = "on-call"  # exempt from rate limits on Rollback
    report: Rotation | None = None  # when the weekly report comes to the channel `reports`; None: never
    home: bool = False  # alerts about Slipway itself come here


@dataclass(frozen=True, slots=True)
class AlertSourceConfig:
    """A program that tells its alerts. `guilds`: the servers that hear of those that belong to no lane."""

    settings: AdapterSettings
    guilds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """What is told alerts of these severities beside Discord. Not `enabled`: it is only said what it would be told."""

    settings: AdapterSettings
    enabled: bool = False
    severities: frozenset[Severity] = frozenset(Severity)
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account on machines. `person`: Discord id of the person that it belongs to; None: not known."""

    roles: tuple[str, ...] = ()
    person: int | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The whole catalog. `digest` changes with any change of content."""

    guilds: Mapping[int, GuildConfig]
    lanes: Mapping[Lane, LaneConfig]
    digest: str
    targets: Mapping[str, TargetConfig] = field(default_factory=dict)
    metrics: Mapping[str, AdapterSettings] = field(default_factory=dict)
    releases: Mapping[str, ReleasesConfig] = field(default_factory=dict)  # by service
    applications: Mapping[str, Application] = field(default_factory=dict)  # with deployed slash commands
    alert_sources: Mapping[str, AlertSourceConfig] = field(default_factory=dict)
    sinks: Mapping[str, SinkConfig] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = field(default=(), repr=False)  # of the environment, which no log may show
    given: Mapping[str, str] = field(
        default_factory=dict, repr=False
    )  # what `${NAME}` stood for when it was read
    accounts: Mapping[str, Account] = field(default_factory=dict)  # on machines, by name
    on_call: Mapping[str, OnCallSchedule] = field(default_factory=dict)  # by name

    def visible(self, guild_id: int) -> list[LaneConfig]:
        """The lanes that this guild may see and press, in catalog order."""
        return [c for c in self.lanes.values() if guild_id in c.guilds]

    @property
    def home(self) -> tuple[int, ...]:
        """The servers that hear of what is wrong with Slipway itself: those that say so, else the first one."""
        return tuple(guild.id for guild in self.guilds.values() if guild.home) or tuple(self.guilds)[:1]

    def guilds_of(self, lane: Lane, own: int) -> tuple[int, ...]:
        """The servers that may see and press a rollout: `own`, in which it was started, and all that share its lane."""
        config = self.lanes.get(lane)
        return tuple(dict.fromkeys((own, *(config.guilds if config else ()))))

    def schedules(self, guild_id: int) -> Mapping[str, OnCallSchedule]:
        """The on-call schedules that this guild may see: those of its lanes, and those that no lane has."""
        own = {c.on_call for c in self.visible(guild_id)}
        own |= {
            s.second.name
            for n, s in self.on_call.items()
            if n in own and isinstance(s.second, OnCallSchedule)
        }
        foreign = {c.on_call for c in self.lanes.values()} - own
        return {name: schedule for name, schedule in self.on_call.items() if name not in foreign}

    def guilds_of_schedule(self, name: str) -> Sequence[GuildConfig]:
        """The servers in which the on-call schedule is used; all of them for one that no lane has."""
        using = {guild for lane in self.lanes.values() if lane.on_call == name for guild in lane.guilds}
        return [guild for guild in self.guilds.values() if not using or guild.id in using]

    def of(self, lane: Lane) -> LaneConfig:
        """A lane of any guild. Raises `UserError` that offers the closest names when there is none."""
        services = {known.service for known in self.lanes}
        if lane.service not in services:
            raise unknown("service", lane.service, services)
        if lane not in self.lanes:
            known = {each.environment for each in self.lanes if each.service == lane.service}
            raise unknown("environment", lane.environment, known, where=f"of {lane.service}")
        return self.lanes[lane]

    def lane(self, guild_id: int, service: str, environment: str) -> LaneConfig:
        """One lane. Raises `UserError` that offers the closest names when this guild has no such lane."""
        seen = self.visible(guild_id)
        services = {c.lane.service for c in seen}
        if service not in services:
            raise unknown("service", service, services)
        environments = {c.lane.environment for c in seen if c.lane.service == service}
        if environment not in environments:
            raise unknown("environment", environment, environments, where=f"of {service}")
        return self.lanes[Lane(service, environment)]


def is_id(entry: str) -> bool:
    """Whether a channel or role of the catalog is given by id: digits are an id, and never a name."""
    return entry.isascii() and entry.isdigit()


def matching(entry: str, known: Iterable[tuple[int, str]]) -> list[int]:
    """The Discord channels or roles that an entry of the catalog can mean, of all (id, name) in the server.

    An id matches ids only: names are chosen by anyone who may create a role. A name, with or without its `@` or
    `#`, matches everything of that name; the caller decides whether several are acceptable.
    """
    if is_id(entry):
        return [found for found, _ in known if found == int(entry)]
    names = {entry, entry[1:] if entry[:1] in ("@", "#") else entry}
    return [found for found, name in known if name in names]


def roles_held(
    guild: GuildConfig, theirs: Collection[int], known: Iterable[tuple[int, str]]
) -> frozenset[str]:
    """The catalog roles that the Discord roles `theirs` give, among all roles (id, name) of the server.

    A name that two roles of the server share gives nothing: anyone who may create roles could otherwise
    appoint themselves.
    """
    everything = list(known)
    found = {ours: matching(entry, everything) for ours, entry in guild.roles.items()}
    return frozenset(ours for ours, ids in found.items() if len(ids) == 1 and ids[0] in theirs)


def unknown(what: str, given: str, known: Iterable[str], where: str = "") -> UserError:
    """The error for a name that does not exist; offers the closest ones. `where`: as in `of checkout`."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.4) or names[:5]
    return phrasebook.unknown(what, given, near, where)
