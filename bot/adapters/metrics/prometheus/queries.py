"""PromQL of a source, and one release's readings in the answers. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.adapters.metrics.prometheus.api import NativeHistogram, PrometheusSeries, UnreadableError
from bot.adapters.metrics.rules import RuleSubject
from bot.domain.formatting import duration
from bot.domain.judge.evidence.ticks import CounterReading

# A plain selector of series: `name` or `name{label="value"}`. Anything else is PromQL and used as it is.
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^{}]*\})?\s*")
_PLACEHOLDER = re.compile(r"\{(service|environment|version|digest)\}")

# Answers by the name of the query: `total`, `bad`, `latency`, `age`, `extra/orders/total`.
Answers = Mapping[str, Sequence[PrometheusSeries]]


@dataclass(frozen=True, slots=True)
class PrometheusQueries:
    """The queries of one source; each gives the counters of all lanes, unless it says `{service}` or the like.

    total, bad, latency: a selector of series, which is summed up by instance, or PromQL, which must keep the labels.
    native: the bounds at which a native histogram is read; None for a classic one.
    extra: `(total, bad)` of other proportions by name.
    labels: the labels of a release, with `{service}`, `{environment}`, `{version}`, `{digest}` as values.
    """

    total: str
    bad: str
    latency: str | None = None
    native: tuple[float, ...] | None = None
    extra: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    instance_label: str = "instance"

    def templates(self) -> Mapping[str, str]:
        """Every query by name, as the server gets it, but for placeholders."""
        found = {"total": self._summed(self.total), "bad": self._summed(self.bad)}
        if self.latency is not None:
            found["latency"] = self._histogram(self.latency)
        for name, (total, bad) in self.extra.items():
            found[f"extra/{name}/total"], found[f"extra/{name}/bad"] = self._summed(total), self._summed(bad)
        if _SELECTOR.fullmatch(self.total):
            found["age"] = f"time() - max by ({', '.join(self.labels)}) (timestamp({self.total}))"
        return found

    def texts(self, subject: RuleSubject) -> Mapping[str, str]:
        """Every query by name; the same text for every lane and release, unless it has placeholders."""
        return {name: _filled(text, subject) for name, text in self.templates().items()}

    def readings(self, answers: Answers, subject: RuleSubject, stale_s: float) -> tuple[CounterReading, ...]:
        """The subject's readings, one for each instance; none when there are no series of it yet.

        Raises `UnreadableError` for counters that cannot be, and for samples older than `stale_s`.
        """
        for one in self._of(answers.get("age", ()), subject):
            if isinstance(one.value, float) and one.value > stale_s:
                raise UnreadableError(
                    f"the newest sample of {subject.version} is {duration(round(one.value))} old; is it scraped?"
                )
        instances: dict[str, dict[str, float]] = {}
        buckets: dict[str, dict[float, float]] = {}
        for name, series in answers.items():
            for one in self._of(series, subject) if name != "age" else ():
                instance = one.labels.get(self.instance_label, "all")
                counts = instances.setdefault(instance, {})
                if name == "latency":
                    _add(buckets.setdefault(instance, {}), self._cumulative(one))
                else:
                    counts[name] = counts.get(name, 0.0) + _count(one.value, name)
        return tuple(
            self._reading(instance, counts, buckets.get(instance, {}))
            for instance, counts in sorted(instances.items())
        )

    def _summed(self, text: str) -> str:
        return self._by(text, text, "")

    def _histogram(self, text: str) -> str:
        selector = _SELECTOR.fullmatch(text)
        if self.native is not None or selector is None:
            return self._by(text, text, "")
        return self._by(text, f"{selector[1]}_bucket{selector[2] or ''}", ", le")

    def _by(self, text: str, series: str, more: str) -> str:
        if not _SELECTOR.fullmatch(text):
            return text
        labels = ", ".join(dict.fromkeys([*self.labels, self.instance_label]))
        return f"sum by ({labels}{more}) ({series.strip()})"

    def _of(self, series: Iterable[PrometheusSeries], subject: RuleSubject) -> Iterable[PrometheusSeries]:
        wanted = {label: subject.fill(value) for label, value in self.labels.items()}
        return (one for one in series if all(one.labels.get(n, "") == v for n, v in wanted.items()))

    def _cumulative(self, series: PrometheusSeries) -> Mapping[float, float]:
        """Observations up to each bound."""
        if isinstance(series.value, NativeHistogram):
            return {bound: _up_to(series.value, bound) for bound in self.native or ()}
        if "le" not in series.labels:
            raise UnreadableError("the query for latency gives neither a native histogram nor a label le")
        try:
            bound = float(series.labels["le"])
        except ValueError:
            raise UnreadableError(f"the histogram has the bound {series.labels['le'][:40]!r}") from None
        return {bound: _count(series.value, "latency")}

    def _reading(
        self, instance: str, counts: Mapping[str, float], buckets: Mapping[float, float]
    ) -> CounterReading:
        count = {name: round(value) for name, value in counts.items()}
        return CounterReading(
            instance=instance,
            total=count.get("total", 0),
            bad=count.get("bad", 0),
            buckets=tuple((bound, round(value)) for bound, value in sorted(buckets.items())),
            extra=tuple(
                (name, (count.get(f"extra/{name}/total", 0), count.get(f"extra/{name}/bad", 0)))
                for name in self.extra
            ),
        )


def _filled(text: str, subject: RuleSubject) -> str:
    """Placeholders in strings of PromQL, quoted as such."""
    values = {"service": subject.lane.service, "environment": subject.lane.environment}
    values |= {"version": subject.version, "digest": subject.digest}
    return _PLACEHOLDER.sub(lambda found: _quoted(values[found[1]]), text)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _count(value: float | NativeHistogram, name: str) -> float:
    if isinstance(value, NativeHistogram):
        raise UnreadableError(f"the query for {name} gives a histogram, not a counter")
    if not math.isfinite(value) or value < 0:
        raise UnreadableError(f"the query for {name} gives {value:g}, which no counter can be")
    return value


def _up_to(histogram: NativeHistogram, bound: float) -> float:
    """Observations up to `bound`; within a bucket they are spread as Prometheus spreads them, exponentially."""
    found = 0.0
    for lower, upper, count in histogram.buckets:
        if not math.isfinite(count) or count < 0:
            raise UnreadableError(f"a bucket of the histogram has {count:g} observations")
        if upper <= bound:
            found += count
        elif lower < bound:
            found += count * _part(lower, upper, bound)
    return found


def _part(lower: float, upper: float, bound: float) -> float:
    if lower > 0 and math.isfinite(upper):
        return math.log2(bound / lower) / math.log2(upper / lower)
    return (bound - lower) / (upper - lower) if math.isfinite(upper) else 0.0


def _add(sums: dict[float, float], more: Mapping[float, float]) -> None:
    for bound, value in more.items():
        sums[bound] = sums.get(bound, 0.0) + value
