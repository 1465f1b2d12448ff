"""Targets and metric sources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.values import Duration, Listen, Part, Short, Text

_STRING = {"type": "string"}


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
