"""The router's cumulative counts of one instance, which survive a kill of the router.

The numbers are in a small memory-mapped file, so that a host that was killed finds them again and the judge
sees no counter go backwards. Requests in flight are in memory only.
"""

from __future__ import annotations

import mmap
import time
from bisect import bisect_left
from pathlib import Path

# Upper bounds of the latency histogram in seconds, with the usual latency limits among them.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)
OUTCOMES = ("ok", "error", "refused", "reset", "timeout", "cancelled")
BAD = ("error", "refused", "reset", "timeout")

# A client that leaves sooner says nothing about the release; one that waited this long counts as a slow request, with
# the time that it waited.
CANCELLED_COUNTS_AFTER_S = 1.0

_OUTCOME = {name: place for place, name in enumerate(OUTCOMES)}
_BUCKET0 = len(OUTCOMES)
_SUM_US = _BUCKET0 + len(BOUNDS) + 1
_CELLS = _SUM_US + 1


class InstanceCounts:
    """Counts of one instance. `path` None keeps them in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        size = _CELLS * 8
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                file.truncate(size)
                self._map = mmap.mmap(file.fileno(), size)
        self._cells = memoryview(self._map).cast("Q")
        self._flights: dict[int, float] = {}
        self._answered: dict[int, float] = {}
        self._last = 0

    def begin(self) -> int:
        """Count a request that was passed to the instance; returns its ticket for `finish`."""
        self._last += 1
        self._flights[self._last] = time.monotonic()
        return self._last

    def answered(self, ticket: int) -> None:
        """Note that an endless answer began (an event stream): what follows is not latency."""
        self._answered[ticket] = time.monotonic() - self._flights[ticket]

    def finish(self, ticket: int, outcome: str | None) -> None:
        """Count the end of a request. None is not counted; `cancelled` only when the client had waited long."""
        elapsed = time.monotonic() - self._flights.pop(ticket)
        elapsed = self._answered.pop(ticket, elapsed)
        if outcome is None or (outcome == "cancelled" and elapsed < CANCELLED_COUNTS_AFTER_S):
            return
        cells = self._cells
        cells[_OUTCOME[outcome]] += 1
        cells[_BUCKET0 + bisect_left(BOUNDS, elapsed)] += 1
        cells[_SUM_US] += int(elapsed * 1e6)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def overdue(self, limit_s: float) -> int:
        """Requests in flight for longer than the histogram bound at `limit_s` or the next above it."""
        bound = next((b for b in BOUNDS if b >= limit_s * (1 - 1e-9)), BOUNDS[-1])
        since = time.monotonic() - bound
        return sum(
            started < since for ticket, started in self._flights.items() if ticket not in self._answered
        )

    def outcomes(self) -> dict[str, int]:
        return {name: self._cells[place] for name, place in _OUTCOME.items()}

    @property
    def total(self) -> int:
        return sum(self._cells[:_BUCKET0])

    @property
    def bad(self) -> int:
        return sum(self._cells[_OUTCOME[name]] for name in BAD)

    @property
    def seconds(self) -> float:
        return self._cells[_SUM_US] / 1e6

    def buckets(self) -> list[tuple[float, int]]:
        """Cumulative latency histogram, up to and including infinity."""
        found, so_far = [], 0
        for place, bound in enumerate((*BOUNDS, float("inf"))):
            so_far += self._cells[_BUCKET0 + place]
            found.append((bound, so_far))
        return found

    def close(self) -> None:
        self._cells.release()
        self._map.close()
