"""Check that a lane's metric sources report every signal and series that its policy uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.judge.policy import JudgePolicy, Rule
from bot.domain.rollout.model import Lane
from bot.kinds import MetricSettings

# The target of every lane says whether a release is ready.
_OF_EVERY_TARGET = frozenset({"health"})
_REMEDY = {
    "gateway": "Name a probe in metrics: that reads it: {kind: probe, path: /healthz, gateway: status}.",
    "alert": "Name a source of alerts in metrics: that knows this severity: {kind: alerts, url: …, severities: …}.",
}


class Listeners:
    """Finds rules and objectives that no source of a lane can feed. Each is reported once, for the first such lane."""

    def __init__(self, document: Document, sections: Sections) -> None:
        self._document = document
        self._sections = sections
        self._told: set[KeyPath] = set()

    def check(
        self, lane: Lane, name: str, policy: JudgePolicy, sources: Mapping[str, MetricSettings]
    ) -> None:
        """`name` and `policy` are what judges the lane, `sources` its metric sources by name, in order."""
        first, source = next(iter(sources.items()), ("", None))
        if source is not None and not source.counts and policy.series:
            self._wrong(
                ("metrics", first),
                f"{first} counts no requests, so it cannot be the first source of {lane}.",
                "Name a source that does before it.",
            )
        signals = _OF_EVERY_TARGET.union(*(source.signals for source in sources.values()))
        # Of a further source, its requests are a proportion under its own name.
        further = list(sources)[1:]
        proportions = frozenset(further).union(*(source.proportions for source in sources.values()))
        for path, rule in self._places(name, policy.rules):
            if rule.signal is not None and rule.signal not in signals:
                sentence = f'no metric source of {lane} reports what "{rule.name}" listens to.'
                self._wrong(path, sentence, _REMEDY.get(rule.metric, ""))
            elif rule.metric == "proportion" and rule.subject not in proportions:
                self._unread(path, lane, str(rule.subject), proportions)
        for objective in policy.objectives:
            series = objective.series or objective.name
            if objective.kind == "proportion" and series not in proportions:
                self._unread(("policies", name, "objectives", objective.name), lane, series, proportions)

    def _places(self, name: str, rules: Iterable[Rule]) -> Iterable[tuple[KeyPath, Rule]]:
        """Every rule that could be read, with where it stands."""
        known = {rule.name: rule for rule in rules}
        for index, written in enumerate(self._sections.of("policies")[name].rules):
            rule = known.get(" ".join(written.rule.split()))
            if rule is not None:
                yield self._sections.original(("policies", name, "rules", index)), rule

    def _unread(self, path: KeyPath, lane: Lane, series: str, proportions: frozenset[str]) -> None:
        hint = (
            nearest(series, proportions) if proportions else "Add it to extra: of a scrape in its metrics:."
        )
        self._wrong(path, f'no metric source of {lane} reads "{series}".', hint)

    def _wrong(self, path: KeyPath, sentence: str, hint: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._document.wrong(path, sentence, hint)
