"""Findings in the log alone."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bot.domain.watch.findings import Finding

_log = structlog.get_logger(__name__)


class LoggedFindings:
    """Implements `bot.ports.findings.Findings` where no alerts are kept: they are only in the log."""

    async def hear(self, findings: Sequence[Finding]) -> None:
        for found in findings:
            _log.warning(
                "alert_heard" if found.firing else "alert_over",
                fingerprint=found.fingerprint,
                severity=str(found.severity),
                lane=str(found.lane or ""),
                title=found.title,
            )
