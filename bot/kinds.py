"""Kinds of adapters: what people write for each, and what makes the adapter of it.

An adapter defines its settings here-under, `bot/composition/registry.py` lists the kinds, and the catalog builds its
sections from that list: so no adapter imports the catalog and the catalog imports no adapter.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BeforeValidator, Field, PrivateAttr

from bot import references
from bot.domain.config import Repository
from bot.domain.formatting import counted, duration
from bot.domain.rollout.model import Release
from bot.domain.watch.alerts.findings import Severity
from bot.values import Duration, HttpUrl, Names, Part, RelativePath, Short, Text, is_name, listed, shaped

S = TypeVar("S", bound="SpecSettings")
SHORTEST_EVERY_S = 5.0  # of a monitor
MOST_LOCATIONS = 10

Severities = Annotated[tuple[Severity, ...], BeforeValidator(listed)]
# From the target's settings, a release and its environment. Raises `TargetRefused`, `Unreachable`.
Pin = Callable[[Any, Release, str], Awaitable[Release]]


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """A mistake that no single value shows.

    path: keys and indexes to where it is, from the settings on. first: the same for another value that it is about;
    `{first}` in the sentence becomes that one's file and line.
    """

    path: tuple[str | int, ...]
    sentence: str
    hint: str = ""
    first: tuple[str | int, ...] = ()


class KindSettings(Part):
    """What people write for one adapter. A kind's own model narrows `kind` to its name: `Literal["probe"]`.

    Paths in it are `RelativePath`, tokens `SecretText`; compared by value when the catalog is reloaded.
    """

    kind: str

    def problems(self) -> Iterator[SettingsProblem]:
        """Mistakes between values, each of which is sound by itself."""
        yield from ()

    def examine(self) -> Iterator[SettingsProblem]:
        """Mistakes that only the server can tell, such as a query that it cannot parse.

        Takes a few seconds at most; a server that cannot be asked tells none. Asked once all else is right.
        """
        yield from ()


class MetricSettings(KindSettings):
    """An entry of `metrics:`.

    signals, proportions: what plain rules and objectives can listen to, by name; nothing else does the source report.
    finest_tick_s: how often (every so many seconds) it has something new and costs little to ask; None: no more often
        than the catalog's tick.
    probes: whether its requests are its own, so that a release has as many at every share of the traffic.
    """

    finest_tick_s: ClassVar[float | None] = None
    probes: ClassVar[bool] = False

    @property
    def counts(self) -> bool:
        """Whether it counts requests, so that it can be the first source of a lane."""
        return True

    @property
    def signals(self) -> frozenset[str]:
        """By `Rule.signal`: `gateway` for `gateway disconnected for 2m`, `alert:P1` for `any P1 alert firing`."""
        return frozenset()

    @property
    def proportions(self) -> frozenset[str]:
        """Those in the `extra` of its readings."""
        return frozenset()

    @property
    def bounds(self) -> Sequence[float]:
        """Upper bounds (seconds) of its latency histogram; none where they are not known.

        A latency limit above the last one could never be read, and is a mistake of the catalog.
        """
        return ()


class TargetSettings(KindSettings):
    """An entry of `targets:`. `when_away`: what a person can do when it does not answer."""

    when_away: ClassVar[str] = "check that it runs"

    @property
    def trust(self) -> str:
        """Whom its releases must be trusted with, where nothing keeps them apart; a phrase for `slipway doctor`."""
        return ""

    @property
    def splits(self) -> bool:
        """Whether it can split a lane's traffic between two releases. Where it cannot, its lanes are exclusive."""
        return True

    @property
    def keeps_warm(self) -> bool:
        """Whether it keeps the former release of a lane running without traffic."""
        return True


class CheckSettings(KindSettings):
    """An entry of `checks:`.

    timed: whether how long it takes says how the service does. of_candidate: whether it can be asked of a candidate
    before it has traffic.
    """

    timed: ClassVar[bool] = True
    of_candidate: ClassVar[bool] = False

    critical: bool = Field(default=False, description="Failures are critical; otherwise a warning.")
    every: Duration = Field(default=60.0, description="How often its monitor asks; 60s by default.")
    monitor: bool = Field(default=True, description="false: only asked as a smoke test.")
    timeout: Duration = Field(default=5.0, description="How long it may take in all; 5s by default.")
    runbook: HttpUrl | None = Field(default=None, description="Page that its alerts link to.")
    locations: Names | None = Field(
        default=None, description="Where its monitor asks: SLIPWAY_LOCATION of processes of Slipway."
    )
    fails_in: int | None = Field(
        default=None, ge=1, description="In so many locations it must fail; more than half by default."
    )

    @property
    def address(self) -> str:
        """What it asks, for people: without secrets."""
        return self.kind

    @property
    def says(self) -> frozenset[str]:
        """Signals that rules can listen to, such as `gateway`, beside that it fails."""
        return frozenset()

    @property
    def presence_of(self) -> int | None:
        """The Discord user that it needs to know the presence of."""
        return None

    @property
    def asks_lane(self) -> bool:
        """Whether it needs to know where the lane answers: it has no address of its own."""
        return False

    def problems(self) -> Iterator[SettingsProblem]:
        if self.every < SHORTEST_EVERY_S:
            yield SettingsProblem(("every",), f"must be at least {SHORTEST_EVERY_S:g}s.")
        if self.timeout >= self.every:
            sentence = (
                f"{duration(self.timeout)} is not less than the {duration(self.every)} between two checks."
            )
            yield SettingsProblem(("timeout",), sentence)
        yield from self._misplaced()

    def _misplaced(self) -> Iterator[SettingsProblem]:
        places = self.locations or ()
        if self.locations is not None and not places:
            yield SettingsProblem(("locations",), "names no location.")
        for place in places:
            if not is_name(place):
                hint = "Letters, digits, dot, dash and underscore, at most 64."
                yield SettingsProblem(("locations",), f'"{place}" cannot be a name.', hint)
        if len(set(places)) < len(places) or len(places) > MOST_LOCATIONS:
            yield SettingsProblem(("locations",), f"must be different ones, at most {MOST_LOCATIONS}.")
        if places and not self.monitor:
            yield SettingsProblem(("locations",), "is for monitors, and this check has `monitor: false`.")
        if places and self.asks_lane:
            sentence = "cannot ask where the lane answers: that is an address of Slipway's own network."
            hint = "Give the check a whole address: url, or at; a command goes without {address}."
            yield SettingsProblem(("locations",), sentence, hint)
        if self.fails_in is not None and self.fails_in > len(places):
            sentence = f"is more than the {counted(len(places), 'location')} of this check."
            yield SettingsProblem(("fails_in",), sentence)


class SshSettings(Part):
    """Another machine, reached by the system's OpenSSH client: its configuration applies, and nothing is ever asked."""

    host: Annotated[str, *shaped(r"^[A-Za-z0-9_][A-Za-z0-9._:-]*$", "a host name or address")] = Field(
        description="Name or address, or a Host of the SSH configuration."
    )
    user: Annotated[str, *shaped(r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", "a user name")] | None = Field(
        default=None, description="The user there."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="The port there.")
    identity: RelativePath | None = Field(
        default=None, description="File with the private key, relative to this file."
    )
    known_hosts: RelativePath | None = Field(
        default=None, description="File with the host's key; ~/.ssh/known_hosts by default."
    )
    folder: Text | None = Field(default=None, description="Working directory there.")


# A host alone is short for the whole.
SshPart = Annotated[SshSettings, Short("host", {"type": "string"})]


class SpecSettings(Part):
    """What a target needs to run a release, as far as one layer says it: so every key may be left out.

    needed: the keys of `said()` that some layer must give. private: the keys in which what comes from the environment
    stays a reference until a release starts; it is hidden wherever it is shown. keeps_files: the target runs a release
    from a copy of its folder; it gets `artifact` and fills in `{path}` itself. Durations have a serialization alias
    that names their unit (`drain` becomes `drain_s`).
    """

    needed: ClassVar[tuple[str, ...]] = ()
    private: ClassVar[tuple[str, ...]] = ()
    keeps_files: ClassVar[bool] = False

    _secrets: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    _written: dict[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def secrets(self) -> Mapping[str, Sequence[str]]:
        """Values that the environment gave, by where they stand (`env.STRIPE_KEY`, `command`)."""
        return self._secrets

    def refers_to(self, path: tuple[str | int, ...], values: Iterable[str]) -> None:
        """The catalog took `values` from its environment for what stands at `path`."""
        if path and path[0] in self.private:
            names = [str(part) for part in path if not isinstance(part, int)]
            self._secrets.setdefault(".".join(names), []).extend(values)

    def is_written(self, path: tuple[str | int, ...], text: str) -> None:
        """What stands at `path` is written as `text`, with `${NAME}` in it."""
        if path and path[0] in self.private:
            self._written[path] = text

    def said(self) -> dict[str, Any]:
        """What was written, as plain JSON: the form of `Release.spec`, which digests cover and targets read.

        References stay as they are written: see `bot.references`.
        """
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
        for path, text in self._written.items():
            _put(said, path, text)
        return references.marked(said, self.private) if self._written else said


def _put(said: Any, path: tuple[str | int, ...], text: str) -> None:
    for part in path[:-1]:
        said = said[part]
    said[path[-1]] = text


class RouterProgramSettings(KindSettings):
    """`router:` of an entry of `targets:`: what routes the requests of all its lanes."""


class RouterSettings(Part):
    """How users reach one lane: `router:` of a service's environment."""

    @property
    def port(self) -> int | None:
        """The port of this machine that it listens on: no two lanes may have the same."""
        return None


class WithSpec(Part, Generic[S]):
    """A mapping with a `spec` of the service's target; neither its name nor its description says of which one."""

    spec: S = Field(default={}, validate_default=True, description="How the target runs them.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return cls.__name__

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        if origin := cls.__pydantic_generic_metadata__["origin"]:
            cls.__doc__ = origin.__doc__


class ReleaseSettings(WithSpec[S], KindSettings, Generic[S]):
    """`releases:` of a service: where its releases come from."""

    def layers(self) -> Sequence[tuple[str, SpecSettings]]:
        """The versions that are known from the settings alone, with what each says beside the common spec."""
        return [("any", SpecSettings())]

    @property
    def code(self) -> Repository | None:
        """The repository that the releases are made from, if they name one that can be asked."""
        return None

    def folder(self, version: str) -> Path | None:
        """The folder of a release's own files, if it has one."""
        return None


class ManifestSettings(KindSettings):
    """`manifest:` of an application. Implements `bot.domain.appcommands.applications.ManifestOrigin`."""

    @property
    def released_with(self) -> str | None:
        return None

    @property
    def where(self) -> str:
        return self.kind


class AlertSourceSettings(KindSettings):
    """An entry of `alert_sources:`, which another program tells its alerts at `/alerts/NAME`."""

    guilds: Names | None = Field(
        default=None, description="Servers that hear of alerts that belong to no lane; all by default."
    )
    service_label: Text = Field(default="service", description="The label that names the service.")
    environment_label: Text = Field(
        default="environment", description="The label that names the environment."
    )
    severity_labels: Names = Field(
        default=("severity", "priority"), description="Labels with the severity; the first known word counts."
    )
    services: dict[str, Text] = Field(
        default={}, description="Services by the name that the other program has for them."
    )
    environments: dict[str, Text] = Field(
        default={}, description="Environments by the name that the other program has for them."
    )


class SinkSettings(KindSettings):
    """An entry of `sinks:`, which is told alerts beside Discord."""

    enabled: bool = Field(
        default=False, description="Whether it is told; otherwise the log says what it would have been told."
    )
    severities: Severities = Field(
        default=tuple(Severity), description="What it is told; all severities by default."
    )
    timeout: Duration = Field(default=10.0, description="How long one delivery may take.")

    @property
    def takes_regressions(self) -> bool:
        """Whether it has issues opened about releases that were rolled back."""
        return False


@dataclass(frozen=True, slots=True)
class Kind:
    """The model of the settings, and what makes the adapter of them (its arguments: see the registry)."""

    settings: type[Any]
    make: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class TargetKind(Kind):
    """`spec` is what a release needs to run there, `router` how users reach a lane: a model, or one with `Short`.

    pin: see `RuntimeKind`.
    """

    spec: type[SpecSettings] = SpecSettings
    router: Any = RouterSettings
    pin: Pin | None = None


@dataclass(frozen=True, slots=True)
class RuntimeKind(Kind):
    """`settings` are those of the kind of target that runs releases on it, `spec` is what a release needs there.

    pin: makes a release immutable that names a part of itself by something that may change, such as an image's tag.
    """

    spec: type[SpecSettings] = SpecSettings
    pin: Pin | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Every kind that the catalog may name, by that name. Models are built for it once, so it is compared as itself."""

    targets: Mapping[str, TargetKind] = field(default_factory=dict)
    metrics: Mapping[str, Kind] = field(default_factory=dict)
    releases: Mapping[str, Kind] = field(default_factory=dict)
    manifests: Mapping[str, Kind] = field(default_factory=dict)
    alert_sources: Mapping[str, Kind] = field(default_factory=dict)
    checks: Mapping[str, Kind] = field(default_factory=dict)
    sinks: Mapping[str, Kind] = field(default_factory=dict)

    def only(self, names: Iterable[str]) -> Kinds:
        """Those of these names; the same object for the same ones."""
        tables = (getattr(self, table.name) for table in fields(self))
        return _only(self, frozenset(names) & {name for table in tables for name in table})


@functools.lru_cache(maxsize=32)
def _only(kinds: Kinds, names: frozenset[str]) -> Kinds:
    tables = {table.name: getattr(kinds, table.name) for table in fields(kinds)}
    return Kinds(**{table: {n: known[n] for n in known if n in names} for table, known in tables.items()})
