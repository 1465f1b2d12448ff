"""Self-watch: what is wrong with this process becomes an alert, or goes to sinks directly while it cannot."""

from __future__ import annotations

import asyncio

import structlog

from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.self_monitoring.rules import begin, look, standing
from bot.engine.stepper import Contended
from bot.engine.watch.self_monitoring.direct_delivery import DirectDelivery
from bot.ports.errors import Unreachable
from bot.ports.watch.findings import Findings
from bot.ports.watch.meter import NoWatchMeter, WatchMeter
from bot.ports.watch.vitals import VitalsSource

log = structlog.get_logger(__name__)

_HEARD_WITHIN_S = 5.0


class SelfWatch:
    """Runs in every process; `process` names its findings, and is the same after a restart.

    What a former process told is over unless this one finds it too. What fires is told again every `retell_s` seconds:
    another process of the same name may have ended it.
    """

    def __init__(
        self,
        vitals: VitalsSource,
        findings: Findings,
        process: str,
        *,
        directly: DirectDelivery | None = None,
        meter: WatchMeter | None = None,
        retell_s: float = 30.0,
    ) -> None:
        self._vitals = vitals
        self._findings = findings
        self._process = process
        self._directly = directly
        self._meter = meter or NoWatchMeter()
        self._retell_s = retell_s
        self._retell_at = 0.0
        self._state = begin()
        self._untold: dict[str, Finding] = {}

    async def once(self) -> bool:
        """One round of the loop."""
        vitals = await self._vitals.read()
        self._meter.process(len(vitals.late), vitals.memory)
        self._state, found = look(self._state, vitals, self._process)
        for finding in found:
            if finding.firing:
                log.warning("slipway_unwell", trouble=finding.title, value=finding.value, limit=finding.limit)
        if vitals.at >= self._retell_at:
            self._retell_at = vitals.at + self._retell_s
            found = [*standing(self._state, self._process), *found]
        self._untold |= {finding.fingerprint: finding for finding in found}
        await self._tell(vitals.at)
        return False

    async def stop(self) -> None:
        if self._directly:
            await self._directly.stop()

    async def _tell(self, at: float) -> None:
        """Tell all at once. What cannot be recorded waits, and sinks are told it meanwhile."""
        if self._untold and await self._heard(list(self._untold.values())):
            self._untold.clear()
        if self._directly:
            await self._directly.tell([each for each in self._untold.values() if each.firing], at)

    async def _heard(self, findings: list[Finding]) -> bool:
        try:
            async with asyncio.timeout(_HEARD_WITHIN_S):
                await self._findings.hear(findings)
        except (Unreachable, Contended, TimeoutError):
            return False
        return True
