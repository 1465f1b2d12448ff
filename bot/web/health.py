"""`/health`: runs all probes at once, each with a time limit, and answers within two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Probe = Callable[[], Awaitable[str]]

PROBE_S = 1.5
_FRESH_S = 1.0
WELL = frozenset({"ok", "connected", "standby", "memory"})
DEGRADED = "degraded"
STARTING = "starting"


class ProbeFailed(Exception):
    """A probe found a problem. The text describes it without secrets."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Result of one probe.

    word: for machines: `ok`, `connected`, `memory`, `degraded`, `starting`, `down`. detail: for people.
    """

    word: str
    detail: str = ""

    @property
    def serving(self) -> bool:
        """Whether this part works, possibly with limitations."""
        return self.word in (*WELL, DEGRADED, STARTING)

    @property
    def ready(self) -> bool:
        """Whether this part works and has begun to."""
        return self.serving and self.word != STARTING


@dataclass(frozen=True, slots=True)
class Report:
    findings: Mapping[str, ProbeResult]

    @property
    def status(self) -> str:
        """`ok`, `degraded` (works with limitations) or `unhealthy`."""
        if not all(f.serving for f in self.findings.values()):
            return "unhealthy"
        return "ok" if all(f.word in WELL for f in self.findings.values()) else DEGRADED


class HealthChecks:
    """Runs the probes. A result is reused for a second, and concurrent callers share one run.

    A probe returns a word (`"ok"`), or a word and a sentence (`"degraded: Redis is away"`). It raises
    for trouble; what it raises is told by `ProbeFailed`'s sentence, and by the kind alone for all others.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        probe_s: float = PROBE_S,
        found: Callable[[str, bool], None] = lambda name, up: None,
    ) -> None:
        self._probes = dict(probes)
        self._probe_s = probe_s
        self._found = found
        self._last: tuple[float, Report] | None = None
        self._looking: asyncio.Task[Report] | None = None

    async def __call__(self) -> Report:
        if self._last is not None and time.monotonic() - self._last[0] < _FRESH_S:
            return self._last[1]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def one(self, name: str) -> ProbeResult:
        """Run one probe now. KeyError: no such part."""
        return await self._probe(name, self._probes[name])

    async def close(self) -> None:
        """End a run that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> Report:
        found = await asyncio.gather(*(self._probe(name, probe) for name, probe in self._probes.items()))
        report = Report(dict(zip(self._probes, found, strict=True)))
        for name, finding in report.findings.items():
            self._found(name, finding.serving)
        self._last = (time.monotonic(), report)
        return report

    async def _probe(self, name: str, probe: Probe) -> ProbeResult:
        task = asyncio.ensure_future(probe())
        try:
            # Not wait_for: a probe that ignores cancellation must not delay the answer.
            done, _ = await asyncio.wait({task}, timeout=self._probe_s)
            if not done:
                task.cancel()
                task.add_done_callback(_ignore)
                return ProbeResult("down", f"no answer within {self._probe_s:g} s")
            word, _, detail = task.result().partition(":")
            return ProbeResult(word.strip(), detail.strip())
        except ProbeFailed as trouble:
            return ProbeResult("down", str(trouble))
        except Exception as error:
            return ProbeResult("down", type(error).__name__)


def _ignore(task: asyncio.Future[str]) -> None:
    if not task.cancelled():
        task.exception()
