"""Limits of one instance of a release: memory, processors, processes."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from bot.adapters.runtimes.spec import Frozen
from bot.values import Part, shaped

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?) ?([KMG]?)i?B?$", re.IGNORECASE)

Size = Annotated[str, *shaped(_SIZE.pattern, 'a size such as "512MB" or "2GB"')]


class LimitsSettings(Part):
    """What one instance may use."""

    memory: Size | None = Field(
        default=None, description='Such as "512MB"; an instance that needs more is killed.'
    )
    cpus: float | None = Field(default=None, gt=0, description="Number of processors, such as 0.5.")
    pids: int | None = Field(default=None, ge=1, description="Number of processes and threads.")


class Limits(Frozen):
    """memory: as text, such as `512MB`, in powers of 1024."""

    memory: str | None = Field(default=None, pattern=_SIZE)
    cpus: float | None = Field(default=None, gt=0)
    pids: int | None = Field(default=None, ge=1)

    @property
    def nano_cpus(self) -> int:
        """0 for no limit."""
        return round((self.cpus or 0) * 1_000_000_000)

    @property
    def memory_bytes(self) -> int:
        """0 for no limit."""
        found = _SIZE.match(self.memory or "")
        return int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
