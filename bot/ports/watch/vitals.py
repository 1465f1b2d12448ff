"""Where the vitals of this process come from."""

from __future__ import annotations

from typing import Protocol

from bot.domain.watch.self_monitoring.vitals import Vitals


class VitalsSource(Protocol):
    """Measures this process."""

    async def read(self) -> Vitals:
        """Within a few seconds, whatever is away. Does not raise."""
        ...
