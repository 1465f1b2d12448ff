"""What hears findings, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.watch.findings import Finding
from bot.ports.errors import Unreachable


@dataclass
class FakeFindings:
    """Implements `bot.ports.findings.Findings`. While `away`, every call raises `Unreachable` and counts as refused."""

    away: bool = False
    refused: int = 0
    heard: list[Finding] = field(default_factory=list)

    async def hear(self, findings: Sequence[Finding]) -> None:
        if self.away:
            self.refused += 1
            raise Unreachable("The database does not answer.")
        self.heard += findings
