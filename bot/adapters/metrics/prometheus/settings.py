"""Settings of the kinds `prometheus` and `alerts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from bot.adapters.metrics.prometheus import queries
from bot.adapters.metrics.prometheus.api import PrometheusAccess, examined
from bot.kinds import MetricSettings, SettingsProblem
from bot.values import Duration, HttpUrl, Part, RelativePath, SecretText, Text

_OF_THE_LANE = {"service": "{service}", "environment": "{environment}"}


class ServerSettings(MetricSettings):
    """How to reach a server of the Prometheus family."""

    url: HttpUrl = Field(description="Address of the server, with its path prefix.")
    user: Text | None = Field(default=None, description="For basic authentication.")
    password: SecretText | None = Field(default=None, description="For basic authentication: ${NAME}.")
    token: SecretText | None = Field(default=None, description="For bearer authentication: ${NAME}.")
    ca: RelativePath | None = Field(
        default=None, description="PEM file of the authority that signed its certificate."
    )
    timeout: Duration = Field(default=5.0, description="How long an answer may take.")
    every: Duration = Field(
        default=5.0, description="How often the server is asked; lanes share its answers in between."
    )

    @property
    def access(self) -> PrometheusAccess:
        return PrometheusAccess(
            self.url.rstrip("/"), self.user, self.password, self.token, self.ca, self.timeout
        )

    def problems(self) -> Iterator[SettingsProblem]:
        if self.token is not None and self.user is not None:
            yield SettingsProblem(("token",), "a server takes either token or user and password.")
        if (self.user is None) != (self.password is None):
            given = "user" if self.user is not None else "password"
            yield SettingsProblem((given,), "user and password belong together.")


class ShareQueries(Part):
    """A proportion besides failed requests, each part a selector of series or PromQL."""

    total: Text = Field(description="The counter of everything.")
    bad: Text = Field(description="The counter of what went wrong.")


class PrometheusSettings(ServerSettings):
    """Reads counters from a Prometheus server, one query for all lanes."""

    kind: Literal["prometheus"]
    total: Text = Field(description="The counter of all requests: a selector of series, or PromQL.")
    bad: Text = Field(description="The counter of failed requests.")
    latency: Text | None = Field(default=None, description="A histogram in seconds, without _bucket.")
    native_histogram: bool = Field(default=False, description="Whether `latency` is a native histogram.")
    buckets: tuple[float, ...] | None = Field(
        default=None, description="Bounds of the histogram in seconds; a native one is read at these."
    )
    extra: dict[str, ShareQueries] = Field(default={}, description="Other proportions.")
    labels: dict[str, Text] = Field(
        default={**_OF_THE_LANE, "version": "{version}"},
        description="Labels that say which release a series is about.",
    )
    instance_label: Text = Field(default="instance", description="The label that names the instance.")
    stale: Duration = Field(
        default=60.0, description="Age at which the newest sample of a release is too old to count."
    )

    @property
    def proportions(self) -> frozenset[str]:
        return frozenset(self.extra)

    @property
    def bounds(self) -> Sequence[float]:
        return self.buckets or ()

    @property
    def queries(self) -> queries.PrometheusQueries:
        return queries.PrometheusQueries(
            total=self.total,
            bad=self.bad,
            latency=self.latency,
            native=tuple(sorted(self.buckets or ())) if self.native_histogram else None,
            extra={name: (share.total, share.bad) for name, share in self.extra.items()},
            labels=dict(self.labels),
            instance_label=self.instance_label,
        )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        if not any("{version}" in value or "{digest}" in value for value in self.labels.values()):
            yield SettingsProblem(
                ("labels",),
                "no label tells the releases apart.",
                'Name the label that has the version: version: "{version}".',
            )
        if self.native_histogram and not self.buckets:
            yield SettingsProblem(
                ("native_histogram",),
                "a native histogram is read at the limits in buckets:, which has none.",
                "List the latency limits of the policies: buckets: [0.5, 2].",
            )

    def examine(self) -> Iterator[SettingsProblem]:
        """Every query that the server cannot parse; none when it cannot be asked."""
        # What is wrong with the query for the age is wrong with `total`.
        texts = {key: text for key, text in self.queries.templates().items() if key != "age"}
        for key, sentence in examined(self.access, texts).items():
            yield SettingsProblem(tuple(key.split("/")), sentence)


class AlertsSettings(ServerSettings):
    """Firing alerts of an Alertmanager, or of a Prometheus without one, for rules such as `any P1 alert firing`."""

    kind: Literal["alerts"]
    server: Literal["alertmanager", "prometheus"] = Field(
        default="alertmanager", description="What answers at `url`."
    )
    labels: dict[str, Text] = Field(
        default=_OF_THE_LANE, description="Labels that say which lane an alert is about."
    )
    severity_label: Text = Field(default="severity", description="The label that has the severity.")
    severities: dict[str, tuple[Text, ...]] = Field(
        default={"P1": ("critical", "page", "P1"), "P2": ("warning", "P2")},
        description="Values of that label, by the name that rules use.",
    )

    @property
    def signals(self) -> frozenset[str]:
        return frozenset({"alert", *(f"alert:{severity}" for severity in self.severities)})

    @property
    def counts(self) -> bool:
        return False
