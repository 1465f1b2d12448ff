"""Memory and processor time of this process, against the limit of its control group."""

from __future__ import annotations

import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# Version 1 says "no limit" by a number near 2**63.
_NO_LIMIT = 1 << 60
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file")


class ProcessUsage:
    """limit_mb: against which this process's own memory counts; without it, its control group's limit and use.

    root: where the control group is mounted; in a container, that is its own.
    """

    def __init__(self, limit_mb: int | None = None, root: Path = _ROOT) -> None:
        self._limit = limit_mb * 1024 * 1024 if limit_mb else None
        self._root = root

    def memory(self) -> float | None:
        """Share of the limit that is in use, not counting files that could be dropped; None without a limit."""
        if self._limit is not None:
            import psutil  # only for those who set a limit

            used: int = psutil.Process().memory_info().rss
            return used / self._limit
        for limit, current, inactive in (_V2, _V1):
            share = self._share(self._root / limit, self._root / current, inactive)
            if share is not None:
                return share
        return None

    def cpu_s(self) -> float:
        """Processor seconds since the process started."""
        return time.process_time()

    def _share(self, limit: Path, current: Path, inactive: str) -> float | None:
        try:
            most, used = limit.read_text("ascii").strip(), int(current.read_text("ascii"))
            stat = (current.parent / "memory.stat").read_text("ascii")
        except (OSError, ValueError):
            return None
        if not most.isdecimal() or int(most) >= _NO_LIMIT or not int(most):
            return None
        lines = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
        return max(0, used - int(lines.get(inactive, "0"))) / int(most)
