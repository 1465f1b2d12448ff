"""A Prometheus server as a metric source: counters of all lanes in one query for each, shared between lanes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from bot.adapters.metrics.context import ASK_S, LaneTargets, MetricContext, metric_kind
from bot.adapters.metrics.prometheus.api import PrometheusSeries, QueryError, UnreadableError, query
from bot.adapters.metrics.prometheus.settings import PrometheusSettings
from bot.adapters.metrics.rules import RuleSubject
from bot.adapters.metrics.shared_answers import SharedAnswers
from bot.domain.judge.evidence.ticks import Sample
from bot.domain.rollout.model import Lane, Observed
from bot.ports.errors import TargetRefused, Unreachable


class PrometheusMetrics:
    """Metric source over the query API. Counters are read as they are; the judge takes differences and sees resets.

    A release without series has no data yet, or is no longer scraped: that is for the target's health to say.
    """

    def __init__(
        self,
        name: str,
        settings: PrometheusSettings,
        targets: LaneTargets,
        session: aiohttp.ClientSession,
        answers: SharedAnswers,
    ) -> None:
        self._name = name
        self._settings = settings
        self._access = settings.access
        self._queries = settings.queries
        self._targets = targets
        self._session = session
        self._answers = answers

    @property
    def name(self) -> str:
        return self._name

    @property
    def limit_s(self) -> float:
        return ASK_S + self._settings.timeout

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        try:
            async with asyncio.timeout(ASK_S):
                observed = await self._targets.observe(lane)
        except TimeoutError:
            return self._all(digests, "the target did not say what runs")
        except (Unreachable, TargetRefused) as problem:
            return self._all(digests, str(problem))
        return await asyncio.gather(*(self._sample(lane, digest, observed) for digest in digests))

    async def _sample(self, lane: Lane, digest: str, observed: Observed) -> Sample:
        running = observed.of(digest)
        if running is None:
            return Sample(time.time(), digest)
        subject = RuleSubject(lane, running.version, digest)
        texts = self._queries.texts(subject)
        try:
            asked = await asyncio.gather(*(self._ask(name, text) for name, text in texts.items()))
            answers = dict(zip(texts, asked, strict=True))
            found = self._queries.readings(answers, subject, self._settings.stale)
        except UnreadableError as problem:
            return self._all([digest], str(problem))[0]
        return Sample(time.time(), digest, found)

    async def _ask(self, name: str, text: str) -> tuple[PrometheusSeries, ...]:
        try:
            return await self._answers.get(
                (self._access, text),
                self._settings.every,
                lambda: query(self._session, self._access, text),
            )
        except QueryError as error:
            raise QueryError(f"it cannot carry out the query for {name}: {error}") from None

    def _all(self, digests: Sequence[str], problem: str) -> Sequence[Sample]:
        return [Sample(time.time(), digest, error=f"{self._name}: {problem}") for digest in digests]


def make_prometheus(name: str, settings: PrometheusSettings, context: MetricContext) -> PrometheusMetrics:
    return PrometheusMetrics(name, settings, context.targets, context.session, context.answers)


KIND = metric_kind(PrometheusSettings, make_prometheus)
