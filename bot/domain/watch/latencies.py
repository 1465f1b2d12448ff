"""How long requests took in the last minutes, as far as the bounds of a histogram tell it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import isinf
from typing import NamedTuple

from bot.domain.judge.history.served import Histogram
from bot.domain.judge.rules import Window, push, sums

RECENT_S = 300.0


class QuantileRange(NamedTuple):
    """A quantile of the requests until `at` (unix seconds) lies between two bounds in seconds.

    upto_s: None where it lies above the highest one.
    """

    quantile: float
    above_s: float
    upto_s: float | None
    at: float


@dataclass(frozen=True, slots=True)
class RecentLatencies:
    """Requests of the last minutes. bounds: in seconds, rising. window: how many took at most so long, and how many
    there were.
    """

    bounds: tuple[float, ...] = ()
    window: Window = ()

    def plus(self, at: float, gained: Histogram, total: int) -> RecentLatencies:
        """With what came until `at` (unix seconds). Another source has other bounds: what was known is dropped."""
        finite = [(bound, count) for bound, count in gained if not isinf(bound)]
        bounds = tuple(bound for bound, _ in finite)
        everything = max(total, gained[-1][1])
        window = self.window if bounds == self.bounds else ()
        counts = (*(count for _, count in finite), everything)
        return RecentLatencies(bounds, push(window, RECENT_S, at, counts))

    def at_quantile(self, quantile: float, at: float) -> QuantileRange | None:
        """Where the quantile lies; None without requests."""
        *counts, everything = sums(self.window, len(self.bounds) + 1)
        if not everything:
            return None
        place = bisect_left(counts, quantile * everything * (1 - 1e-12))
        above_s = self.bounds[place - 1] if place else 0.0
        return QuantileRange(quantile, above_s, self.bounds[place] if place < len(self.bounds) else None, at)
