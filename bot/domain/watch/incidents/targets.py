"""How soon an incident is to be acknowledged and its users well again, by severity.

The defaults are the targets of the teams that Slipway was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.watch.alerts.findings import Severity

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class ResponseTarget:
    """Seconds from the beginning of the trouble."""

    acknowledge_s: float
    restore_s: float


TARGETS: Mapping[Severity, ResponseTarget] = {
    Severity.CRITICAL: ResponseTarget(900.0, 1800.0),
    Severity.HIGH: ResponseTarget(1800.0, _HOUR),
    Severity.MEDIUM: ResponseTarget(_HOUR, 4 * _HOUR),
    Severity.LOW: ResponseTarget(4 * _HOUR, 24 * _HOUR),
}


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """How incidents of a lane are followed up.

    postmortem_s: so long after a production incident was closed, its owner is asked for the post-mortem.
    """

    targets: Mapping[Severity, ResponseTarget] = field(default_factory=lambda: TARGETS)
    postmortem_s: float = 48 * _HOUR

    def of(self, severity: Severity) -> ResponseTarget:
        return self.targets.get(severity) or TARGETS[severity]
