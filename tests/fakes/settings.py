"""Settings of adapters that only tests have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KindOnly:
    """Implements `bot.domain.config.AdapterSettings`: of a check or a sink with nothing else to set."""

    kind: str
