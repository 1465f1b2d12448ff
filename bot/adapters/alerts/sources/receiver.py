"""Receiver of what alert sources are sent: who sends it, whether it was there already, what it says."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from bot.adapters.alerts.sources.delivery import AlertSource, BadDelivery, InboundDelivery, Reading
from bot.engine.stepper import Contended
from bot.ports.errors import Unreachable
from bot.ports.watch.findings import Findings

_log = structlog.get_logger(__name__)

# Findings of one source in a minute; twice a storm of 10,000 alerts.
PER_MINUTE = 20_000
# Deliveries that are remembered, of all sources, and for how long: as long as a window may be.
_REMEMBERED, _REMEMBERED_S = 20_000, 3600.0
# Bodies above it are read in a thread, one at a time.
_LARGE = 32 * 1024
_TOLD_S = 60.0
_OUTCOMES = {400: "refused", 401: "refused", 404: "refused", 503: "again"}

# Told of every delivery: its source, what became of it, and how many findings were taken.
Counted = Callable[[str, str, int], None]


def _uncounted(source: str, outcome: str, findings: int) -> None: ...


Closed = Callable[[Sequence[str]], Awaitable[None]]


async def _no_one(issues: Sequence[str]) -> None:
    return None


class Receiver:
    """Implements `bot.web.alerts.Deliveries`.

    A delivery counts as taken once its findings are in the database; until then the sender is asked to repeat it
    (503, which an Alertmanager repeats, unlike 429).
    """

    def __init__(
        self,
        sources: Mapping[str, AlertSource],
        findings: Findings,
        *,
        per_minute: int = PER_MINUTE,
        now: Callable[[], float] = time.time,
        counted: Counted = _uncounted,
        issues: Closed = _no_one,
    ) -> None:
        """sources: those of the present catalog, by name. per_minute: findings that each may bring. issues: is told
        which were closed.
        """
        self._issues = issues
        self._sources = sources
        self._findings = findings
        self._per_minute = per_minute
        self._now = now
        self._counted = counted
        self._budgets: dict[str, _Budget] = {}
        self._taken: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._reading = asyncio.Lock()
        # One at a time: many deliveries of a storm are about the same alert, and would only get in each other's way.
        self._hearing = asyncio.Lock()
        self._told: dict[str, float] = {}

    def refused(self, source: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and sentence for a request that is refused by its headers (names in lower case) alone."""
        known = self._sources.get(source)
        if known is None:
            # No label: strangers choose these names.
            self._counted("unknown", "refused", 0)
            return 404, "There is no alert source of this name."
        stranger = known.stranger(headers)
        if stranger:
            self._counted(source, "refused", 0)
            self._warn(source, stranger)
            return 401, stranger
        return None

    async def take(self, source: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Status and sentence of the answer."""
        known = self._sources.get(source)
        if known is None:
            self._counted("unknown", "refused", 0)
            return 404, "There is no alert source of this name."
        status, sentence = await self._taken_from(source, known, headers, body)
        if status in _OUTCOMES:
            self._counted(source, _OUTCOMES[status], 0)
        return status, sentence

    async def _taken_from(
        self, source: str, known: AlertSource, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str]:
        delivery = InboundDelivery(headers, body, self._now())
        if forged := known.stranger(headers) or known.forged(delivery):
            self._warn(source, forged)
            return 401, forged
        try:
            reading = await self._read(known, delivery)
        except BadDelivery as bad:
            self._warn(source, str(bad))
            return 400, str(bad)
        if self._seen(source, reading.once):
            self._counted(source, "known", 0)
            return 200, "Known already."
        return await self._hear(source, reading)

    async def _closed(self, source: str, issues: Sequence[str]) -> tuple[int, str]:
        try:
            await self._issues(issues)
        except Unreachable as away:
            self._warn(source, str(away))
            return 503, "It could not be recorded: repeat this later."
        self._counted(source, "taken", 0)
        return 200, f"Taken: {len(issues)}."

    async def _read(self, source: AlertSource, delivery: InboundDelivery) -> Reading:
        if len(delivery.body) <= _LARGE:
            return source.read(delivery)
        async with self._reading:
            return await asyncio.to_thread(source.read, delivery)

    async def _hear(self, source: str, reading: Reading) -> tuple[int, str]:
        findings = reading.findings
        if reading.closed_issues:
            return await self._closed(source, reading.closed_issues)
        if not findings:
            self._counted(source, "empty", 0)
            return 200, "Nothing in it is an alert."
        budget = self._budgets.setdefault(source, _Budget(self._per_minute, self._now()))
        if not budget.take(len(findings), self._now()):
            self._warn(source, f"More than {self._per_minute} alerts in a minute.")
            return 503, f"More than {self._per_minute:,} alerts in a minute: repeat this later."
        try:
            async with self._hearing:
                await self._findings.hear(findings)
        except (Unreachable, Contended) as away:
            self._warn(source, str(away))
            return 503, "The alerts could not be recorded: repeat this later."
        self._remember(source, reading.once)
        self._counted(source, "taken", len(findings))
        return 200, f"Taken: {len(findings)}."

    def _seen(self, source: str, once: str) -> bool:
        return bool(once) and (source, once) in self._taken

    def _remember(self, source: str, once: str) -> None:
        if not once:
            return
        now, taken = self._now(), self._taken
        taken[source, once] = now
        while taken and (len(taken) > _REMEMBERED or next(iter(taken.values())) < now - _REMEMBERED_S):
            taken.popitem(last=False)

    def _warn(self, source: str, why: str) -> None:
        """One line a minute for each source: a sender that is refused sends again and again."""
        now = self._now()
        if now - self._told.get(source, -_TOLD_S) >= _TOLD_S:
            self._told[source] = now
            _log.warning("alerts_refused", source=source, why=why)


class _Budget:
    """A bucket of so many findings, filled again within a minute."""

    def __init__(self, size: int, now: float) -> None:
        self._size = size
        self._left = float(size)
        self._filled = now

    def take(self, amount: int, now: float) -> bool:
        passed = max(0.0, now - self._filled)
        self._left = min(float(self._size), self._left + passed * self._size / 60)
        self._filled = now
        if amount > self._left:
            return False
        self._left -= amount
        return True
