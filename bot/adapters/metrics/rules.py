"""Rules for finding a release's counters among the metrics of a Prometheus endpoint."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from prometheus_client.metrics_core import Metric
from pydantic import Field

from bot.domain.judge.evidence.ticks import CounterReading
from bot.domain.rollout.model import Lane
from bot.values import Part, Short, Text

# One line of an endpoint: labels and value.
Series = tuple[Mapping[str, str], float]


class NotThereError(Exception):
    """The endpoint lacks what the configuration names; carries a sentence."""


class Selector(Part):
    """Sum of the series with these labels; `{service}`, `{environment}`, `{version}`, `{digest}` are filled in."""

    metric: str = Field(description="Name of the series.")
    labels: dict[str, Text] = Field(default={}, description='"5*" is a prefix, "!200" must not match.')


_Selector = Annotated[Selector, Short("metric", {"type": "string"})]


class ShareRule(Part):
    total: _Selector
    bad: _Selector


class ScrapeRules(Part):
    """Counters to read. instance_label: the label of the instance, where one endpoint has several."""

    total: _Selector = Field(description="The counter of all requests.")
    bad: _Selector = Field(description="The counter of failed requests.")
    latency: _Selector | None = Field(default=None, description="A histogram in seconds.")
    extra: dict[str, ShareRule] = Field(default={}, description="Other proportions, by series.")
    instance_label: str | None = Field(
        default=None, description="The label that names the instance, where one endpoint has several."
    )


@dataclass(frozen=True, slots=True)
class RuleSubject:
    """The release to read; its values fill labels and addresses."""

    lane: Lane
    version: str
    digest: str

    def fill(self, text: str) -> str:
        for name, value in (
            ("service", self.lane.service),
            ("environment", self.lane.environment),
            ("version", self.version),
            ("digest", self.digest),
        ):
            text = text.replace("{" + name + "}", value)
        return text


@dataclass(slots=True)
class _Found:
    """Running sums of one instance."""

    sums: dict[str, float] = field(default_factory=dict)
    buckets: dict[float, float] = field(default_factory=dict)


def readings(
    metrics: Iterable[Metric], rules: ScrapeRules, subject: RuleSubject, instance: str
) -> tuple[CounterReading, ...]:
    """The subject's readings, `instance` naming the endpoint's own.

    A counter without the subject's labels means "nothing yet"; one that the endpoint does not have at all is a
    mistake and raises `NotThereError`. A `bad` counter may be missing and is then 0: many libraries expose a label
    only after its first use.
    """
    named: dict[str, list[Series]] = defaultdict(list)
    declared = set()
    for metric in metrics:
        declared |= {metric.name, f"{metric.name}_total"}
        for sample in metric.samples:
            named[sample.name].append((sample.labels, sample.value))
    if rules.total.metric not in named and rules.total.metric not in declared:
        raise NotThereError(f"there is no metric {rules.total.metric}")
    if rules.latency and f"{rules.latency.metric}_bucket" not in named and _any(named, rules.total, subject):
        raise NotThereError(f"there is no histogram {rules.latency.metric}")
    found: dict[str, _Found] = {}
    for key, selector in _counters(rules).items():
        for labels, value in _matching(named, selector.metric, selector, subject):
            one = found.setdefault(_name(labels, rules, instance), _Found())
            one.sums[key] = one.sums.get(key, 0.0) + value
    if rules.latency:
        for labels, value in _matching(named, f"{rules.latency.metric}_bucket", rules.latency, subject):
            one = found.setdefault(_name(labels, rules, instance), _Found())
            bound = float(labels["le"])
            one.buckets[bound] = one.buckets.get(bound, 0.0) + value
    return tuple(_reading(name, one, rules) for name, one in sorted(found.items()))


def _counters(rules: ScrapeRules) -> dict[str, Selector]:
    found = {"total": rules.total, "bad": rules.bad}
    for name, share in rules.extra.items():
        found[f"{name}/total"], found[f"{name}/bad"] = share.total, share.bad
    return found


def _reading(name: str, found: _Found, rules: ScrapeRules) -> CounterReading:
    count = {key: round(value) for key, value in found.sums.items()}
    return CounterReading(
        instance=name,
        total=count.get("total", 0),
        bad=count.get("bad", 0),
        buckets=tuple((bound, round(value)) for bound, value in sorted(found.buckets.items())),
        extra=tuple((e, (count.get(f"{e}/total", 0), count.get(f"{e}/bad", 0))) for e in rules.extra),
    )


def _matching(
    named: Mapping[str, Sequence[Series]], series: str, selector: Selector, subject: RuleSubject
) -> Iterable[Series]:
    wanted = {label: subject.fill(value) for label, value in selector.labels.items()}
    for labels, value in named.get(series, ()):
        if _fits(labels, wanted):
            if not math.isfinite(value) or value < 0:
                raise NotThereError(f"{series} is {value}, which is impossible for a counter")
            yield labels, value


def _fits(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(_equal(labels.get(label, ""), value) for label, value in wanted.items())


def _equal(value: str, wanted: str) -> bool:
    if wanted.startswith("!"):
        return not _equal(value, wanted[1:])
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _any(named: Mapping[str, Sequence[Series]], selector: Selector, subject: RuleSubject) -> bool:
    return any(True for _ in _matching(named, selector.metric, selector, subject))


def _name(labels: Mapping[str, str], rules: ScrapeRules, instance: str) -> str:
    return labels.get(rules.instance_label, instance) if rules.instance_label else instance


def metric_names(rules: ScrapeRules) -> Sequence[str]:
    """Every metric that the rules name, for `slipway doctor`."""
    names = [selector.metric for selector in _counters(rules).values()]
    return sorted({*names, *([rules.latency.metric] if rules.latency else [])})
