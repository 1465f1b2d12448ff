"""The sections of a catalog as pydantic models: what may be written where, and what each key means.

The descriptions are shown by editors (`slipway config schema`) and are the reference for docs/configuration.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.catalog.values import (
    DURATION,
    WEIGHT,
    Duration,
    Listen,
    NameOrId,
    Names,
    Proportion,
    Short,
    Snowflake,
    Text,
    Weight,
    listed,
)

_STRING = {"type": "string"}


class Part(BaseModel):
    """A mapping in which every key is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- guilds ------------------------------------------------------------------------------------------------


class Channels(Part):
    deploys: NameOrId = Field(description="Where cards are posted.")
    alerts: NameOrId = Field(description="Where people are called.")
    incidents: NameOrId | None = Field(default=None, description="Where incidents get their threads.")


class Guild(Part):
    """A Discord server. Channels and roles are given by name or id."""

    id: Snowflake = Field(description="The server's id, in quotes.")
    channels: Channels
    roles: dict[str, NameOrId] = Field(description="The catalog's role names, each with the Discord role.")
    on_call: str = Field(default="on-call", description="The role that is never rate-limited on Rollback.")
    panic: Names | None = Field(default=None, description="Who may stop everything; on_call by default.")


# ---- plans and approvals -----------------------------------------------------------------------------------


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


_BARE_STEP = {"enum": list(Step.model_fields)}


class Approval(Part):
    role: str = Field(description="Who may approve.")
    quorum: int = Field(default=1, ge=1, le=20, description="How many of them, the requester not counted.")
    expires: Duration = Field(
        default=1800.0, description="After this the rollout is cancelled; 30m by default."
    )
    allow_requester: bool = Field(default=False, description="Whether who asked may approve as well.")


# ---- policies ----------------------------------------------------------------------------------------------


class Objective(Part):
    """One promise: at most `limit` of the requests are bad. `latency` takes a time, others a proportion."""

    limit: Any = Field(description='A proportion ("1%"), for latency a time ("2s").')
    kind: Literal["errors", "latency", "proportion"] | None = Field(
        default=None, description="By default what the name says: errors, latency, else proportion."
    )
    quantile: Proportion = Field(
        default=0.99, description='Latency only: the share below the limit, "99%" by default.'
    )
    ratio: float | None = Field(
        default=None, gt=0, description="Tolerated multiple of stable's rate of bad requests."
    )
    series: str | None = Field(default=None, description="The proportion's name in the metric source.")
    enforce: bool = Field(default=True, description="false: judged and shown, without consequences.")
    min_requests: int | None = Field(default=None, ge=0)


class Rule(Part):
    """A plain rule such as `error_rate > 5% over 5m`; it carries no statistical promise."""

    rule: str
    enforce: bool = True


class Policy(Part):
    """What a release is judged by."""

    objectives: dict[str, Annotated[Objective, Short("limit", {"type": ["string", "number"]})]] = {}
    rules: tuple[Annotated[Rule, Short("rule", _STRING)], ...] = ()
    alpha: Proportion = Field(default=0.01, description="Chance of a false alarm over a whole rollout.")
    phi: float = Field(default=1.0, ge=1, description="Requests that may fail together (retries, bursts).")
    min_bad: int = Field(default=3, ge=1, description="Bad requests without which nothing fails.")
    min_requests: int = Field(default=50, ge=0, description="Requests a soak needs to pass.")
    on_common_trouble: Literal["hold", "ignore"] = "hold"
    on_restart: Literal["fail", "ignore"] = "fail"
    error_limit: Duration = Field(default=60.0, description="How long sources may be unreadable.")
    recent: Duration = Field(default=180.0, description="What `now` means when stable is in trouble too.")
    settle: Duration | None = Field(
        default=None, description="How long completions are discarded after a shift."
    )


# ---- lanes: what defaults, environments, services and their environments may all say ------------------------


class Roles(Part):
    deploy: Names | None = Field(default=None, description="Who may start a rollout.")
    rollback: Names | None = Field(default=None, description="Who may order a rollback.")
    operate: Names | None = Field(default=None, description="Who may pause, resume, extend, cancel.")
    lock: Names | None = Field(default=None, description="Who may lock and unlock.")
    notify: Names | None = Field(default=None, description="Who is called on holds and rollbacks.")


class Promote(Part):
    role: str
    quorum: int = Field(default=1, ge=1, le=20)


class Hold(Part):
    deadline: Duration = Field(default=1800.0, description="When the outcome is carried out; 30m by default.")
    outcome: Literal["rollback", "wait"] = "rollback"


class Prerequisite(Part):
    environment: str = Field(description='Where the release must have succeeded before; "none" for nowhere.')
    max_age: Duration = Field(default=3600.0, description="How long ago at most; 1h by default.")


class LaneSettings(Part):
    """Said in defaults, an environment, a service, or one environment of a service; the later one wins."""

    plan: str | None = Field(default=None, description="Name of an entry of plans:.")
    policy: str | None = Field(default=None, description="Name of an entry of policies:.")
    target: str | None = Field(default=None, description="Name of an entry of targets:.")
    metrics: Names | None = Field(default=None, description="Names of entries of metrics:.")
    roles: Roles = Roles()
    promote: Annotated[Promote, Short("role", _STRING)] | None = None
    hold: Hold | None = None
    prerequisite: Annotated[Prerequisite, Short("environment", _STRING)] | None = None
    drift: Literal["repair", "report"] | None = None
    exclusive: bool | None = Field(
        default=None, description="Two releases never run at once (bots, queue consumers)."
    )
    tick: Duration | None = Field(default=None, description="How often the judge looks; 5s by default.")
    rollback_timeout: Duration | None = None
    lock_after_rollback: bool | None = Field(
        default=None, description="Lock the lane after an automatic rollback."
    )
    guilds: Names | None = Field(default=None, description="Which guilds see it; all by default.")
    description: str | None = None


class Environment(LaneSettings):
    pass


# ---- what the target needs to run a release ----------------------------------------------------------------


class Ready(Part):
    """A release is ready when `path` answers; without a path, once it has lived for `alive`."""

    path: str | None = Field(default=None, pattern="^/")
    timeout: Duration | None = None
    alive: Duration | None = None


class Spec(Part):
    """How a release runs as a local process. `{port}`, `{version}`, `{environment}`, `{instance}` are filled in

    when it starts, `{service}`, `{python}` and (for directories) `{path}` when the rollout does.
    """

    command: tuple[Text, ...] | None = Field(default=None, description="The program and its arguments.")
    env: dict[str, Text] | None = None
    env_file: str | None = Field(
        default=None,
        description="Secrets of the service, relative to the file that says it; read at each start.",
    )
    cwd: str | None = Field(default=None, description="Relative to the file that says it.")
    ready: Ready | None = None
    drain: Duration | None = Field(default=None, description="How long requests in flight may finish.")
    stop: Duration | None = Field(default=None, description="How long it may take to exit.")
    instances: int | None = Field(default=None, ge=1, le=64)
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] | None = None


class Router(Part):
    """How users reach one lane. Without it the releases take no traffic through Slipway."""

    listen: Listen | None = Field(default=None, description="Address and port that users connect to.")
    sticky_header: str | None = Field(default=None, description="Equal values go to the same release.")
    request_timeout: Duration | None = Field(default=None, description="Longest silence of a release.")
    wait: Duration | None = Field(default=None, description="How long requests wait for a release.")


class ServiceEnvironment(LaneSettings):
    router: Annotated[Router, Short("listen", {"type": ["integer", "string"]})] | None = None
    spec: Spec = Field(default=Spec(), description="Laid over the releases' spec, key by key.")


# ---- where releases come from ------------------------------------------------------------------------------


class Version(Part):
    version: Text
    digest: str = ""
    commit: Text = ""
    spec: Spec = Spec()


class ListedReleases(Part):
    """The versions are listed here, newest first."""

    kind: Literal["listed"]
    spec: Spec = Field(default=Spec(), description="What the target needs to run them.")
    versions: tuple[Annotated[Version, Short("version", _STRING)], ...]


class DirectoryReleases(Part):
    """Every sub-folder of a folder is a release, named for its version."""

    kind: Literal["directory"]
    path: str = Field(description="The folder, relative to the file that says it.")
    spec: Spec = Field(default=Spec(), description="As in listed; {path} is the release's folder.")


Releases = Annotated[ListedReleases | DirectoryReleases, Field(discriminator="kind")]


class Service(LaneSettings):
    releases: Releases
    environments: dict[str, ServiceEnvironment | None]


# ---- targets and metrics -----------------------------------------------------------------------------------


class ProcessTarget(Part):
    """Releases as local processes behind a router, in a small host process of their own."""

    kind: Literal["process"]
    metrics: Listen | None = Field(default=None, description="Where the host serves its own metrics.")


class RouterMetrics(Part):
    """The router's own counts per release: the first source."""

    kind: Literal["router"]


class ProbeMetrics(Part):
    """Every instance is asked once a tick: for services without requests through a router."""

    kind: Literal["probe"]
    path: str = Field(default="/healthz", pattern="^/")
    timeout: Duration = 2.0


class Selector(Part):
    """Series whose labels match; `{service}`, `{environment}`, `{version}`, `{digest}` are filled in."""

    metric: str
    labels: dict[str, Text] = Field(default={}, description='"5*" is a prefix, "!200" must not match.')


_Selector = Annotated[Selector, Short("metric", _STRING)]


class Share(Part):
    total: _Selector
    bad: _Selector


class ScrapeMetrics(Part):
    """Prometheus endpoints: the releases' own, or one that knows all of them."""

    kind: Literal["scrape"]
    url: str = Field(pattern=r"^(\{address\}|https?://)", description="{address}/metrics, or http://….")
    total: _Selector = Field(description="The counter of all requests.")
    bad: _Selector = Field(description="The counter of failed ones.")
    latency: _Selector | None = Field(default=None, description="A histogram in seconds.")
    extra: dict[str, Share] = Field(default={}, description="Other proportions, by series.")
    instance_label: str | None = None
    buckets: tuple[float, ...] | None = Field(default=None, description="Bounds of the histogram, if known.")
    timeout: Duration = 3.0


Target = ProcessTarget
Metrics = Annotated[RouterMetrics | ProbeMetrics | ScrapeMetrics, Field(discriminator="kind")]


# ---- applications whose slash commands are deployed ---------------------------------------------------------


class FileManifest(Part):
    kind: Literal["file"]
    path: str = Field(description="A JSON file, relative to the file that says it.")


class UrlManifest(Part):
    """Only https, only the hosts that are named here, and never an address inside the network."""

    kind: Literal["url"]
    url: str = Field(pattern="^https?://", description="Where the JSON is.")
    hosts: Names | None = Field(
        default=None, description="Hosts that it may redirect to; its own by default."
    )
    allow_loopback: bool = Field(default=False, description="Also http on this machine: for a try-out.")
    timeout: Duration = 10.0


class CommandManifest(Part):
    kind: Literal["command"]
    command: tuple[Text, ...] = Field(min_length=1, description="A program that prints the JSON.")
    cwd: str = Field(default=".", description="Relative to the file that says it.")
    timeout: Duration = 30.0


class GithubManifest(Part):
    kind: Literal["github"]
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name")
    path: str = Field(description="The file in the repository.")
    ref: str = Field(default="HEAD", description="A branch, a tag or a commit.")
    token: Text | None = Field(default=None, description="For private repositories: ${NAME}.")
    api: str = Field(default="https://api.github.com", pattern="^https?://")
    timeout: Duration = 10.0


class ArtifactManifest(Part):
    """A file that belongs to a release: it goes out and comes back with it."""

    kind: Literal["artifact"]
    service: str
    path: str = Field(description="In the release's folder; {version} is filled in.")


ManifestSource = Annotated[
    FileManifest | UrlManifest | CommandManifest | GithubManifest | ArtifactManifest,
    Field(discriminator="kind"),
]


class Application(Part):
    """A Discord application whose slash commands are deployed: tried in staging, approved, verified, reversible."""

    id: Snowflake = Field(description="The application's id, in quotes.")
    token: Text = Field(description="Its bot token, from the environment: ${NAME}.")
    manifest: ManifestSource = Field(description="Where the full list of its commands comes from.")
    staging: Names = Field(description="Guilds that try commands first: names of guilds: or ids.")
    production: Names = Field(default=("global",), description="global, or guilds.")
    owners: Names = Field(description="Roles that may apply and restore.")
    approval: str = Field(description="Name of an entry of approvals:, for production.")
    guilds: Names | None = Field(default=None, description="Which guilds see it; all by default.")
    max_age: Duration = Field(
        default=3600.0, description="How long a success in staging counts; 1h by default."
    )
    emergency: Names = Field(
        default=(), description="Roles that may go to production without it, with a reason."
    )
    notify: Names | None = Field(default=None, description="Roles that are called; owners by default.")
    check: Duration = Field(default=300.0, description="How often Discord is read; 5m by default.")
    deviation: Proportion = Field(default=0.2, description='Change of the number of commands: "20%".')
    answer: Duration = Field(default=5.0, description="How long Discord may take to answer; 5s by default.")


# ---- the command line --------------------------------------------------------------------------------------


class Account(Part):
    """An account of the operating system, and what it may do with `slipway commands` on a machine."""

    roles: Names = Field(description="Roles that it has there; approvals are given in Discord alone.")


class CatalogFile(Part):
    """A file of the catalog; any number of them is merged."""

    model_config = ConfigDict(title="Slipway catalog")

    guilds: dict[str, Guild] = {}
    defaults: LaneSettings = LaneSettings()
    environments: dict[str, Environment | None] = {}
    targets: dict[str, Target] = {}
    metrics: dict[str, Metrics] = {}
    approvals: dict[str, Approval] = {}
    plans: dict[str, tuple[Annotated[Step, Short(None, _BARE_STEP)], ...]] = {}
    policies: dict[str, Policy] = {}
    services: dict[str, Service] = {}
    applications: dict[str, Application] = {}
    command_line: dict[str, Annotated[Account, Short("roles", {"type": ["array", "string"]})]] = {}
