"""What hears findings: of rules, of monitors, and of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.watch.alerts.findings import Finding


class Findings(Protocol):
    """Takes findings. They are in the database when the call returns."""

    async def hear(self, findings: Sequence[Finding]) -> None:
        """Take findings; those that say nothing new change nothing. Raises `Unreachable`: tell them again later."""
        ...
