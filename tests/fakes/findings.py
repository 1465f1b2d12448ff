"""What hears findings, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.watch.alerts.findings import Finding
from bot.ports.errors import Unreachable


@dataclass
class FakeFindings:
    """Implements `bot.ports.watch.findings.Findings`. While `away`, calls raise `Unreachable` and count as refused."""

    away: bool = False
    refused: int = 0
    heard: list[Finding] = field(default_factory=list)

    async def hear(self, findings: Sequence[Finding]) -> None:
        if self.away:
            self.refused += 1
            raise Unreachable("The database does not answer.")
        self.heard += findings

    def told(self) -> list[tuple[str, bool]]:
        """Title, and whether it fires, of all that was heard."""
        return [(finding.title, finding.firing) for finding in self.heard]
