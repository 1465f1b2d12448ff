"""The comparison's window: what both releases did between two looks at which both could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.evidence.histogram import NOTHING, Histogram
from bot.domain.judge.evidence.look import Look

_Sums = Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Window:
    """What was read of both since the look at `since`, and has not been compared.

    spoilt: not all of it can be told apart (a first sample, traffic that rose): it is left out for both.
    latency: histograms of candidate and stable; None when one of them is not known.
    """

    since: float
    candidate: tuple[tuple[str, int, int], ...] = ()
    stable: tuple[tuple[str, int, int], ...] = ()
    spoilt: bool = False
    latency: tuple[Histogram, Histogram] | None = (NOTHING, NOTHING)

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        counts = [list(c) for c in self.candidate], [list(s) for s in self.stable]
        return [self.since, *counts, self.spoilt, self.latency and [h.to_json() for h in self.latency]]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Window:
        """Inverse of `to_json`."""
        counts = tuple(map(tuple, stored[1])), tuple(map(tuple, stored[2]))
        if len(stored) == 4:  # from before histograms were kept
            return cls(stored[0], *counts, stored[3])
        both = stored[4] and (Histogram.from_json(stored[4][0]), Histogram.from_json(stored[4][1]))
        return cls(stored[0], *counts, stored[3], both)


class Pair(NamedTuple):
    """Counts of both over the same time, or None while the window is open.

    unread_s: seconds for which the release that cannot be read now was not read; 0 when both can be.
    latency: histograms of candidate and stable over the same time, where they are known.
    """

    window: Window
    candidate: _Sums | None
    stable: _Sums | None
    unread_s: float
    latency: tuple[Histogram, Histogram] | None = None


def paired(window: Window | None, candidate: Look, stable: Look, at: float) -> Pair:
    """Close the window when both can be read at `at` (unix seconds); else carry what one of them did.

    Of a spoilt window only stable's counts are handed out, since its own trouble needs no comparison.
    """
    if window is None:
        window = Window(at, spoilt=True)
    mine, theirs = _added(window.candidate, candidate.counts), _added(window.stable, stable.counts)
    spoilt = window.spoilt or not (candidate.comparable and stable.comparable)
    latency = None if spoilt else _answered(window, candidate, stable)
    if candidate.errors or stable.errors:
        silent = (look.since for look in (candidate, stable) if look.errors)
        unread_s = at - min(window.since if since is None else since for since in silent)
        kept = Window(window.since, _kept(mine), _kept(theirs), spoilt, latency)
        return Pair(kept, None, None, unread_s)
    return Pair(Window(at), {} if spoilt else mine, theirs, 0.0, latency)


def left_out(window: Window | None) -> Window | None:
    """Leave the open window out for both: their traffic changed within it."""
    return replace(window, spoilt=True) if window is not None else None


def _answered(window: Window, candidate: Look, stable: Look) -> tuple[Histogram, Histogram] | None:
    if window.latency is None or candidate.latency is None or stable.latency is None:
        return None
    return window.latency[0].plus(candidate.latency), window.latency[1].plus(stable.latency)


def _added(carried: tuple[tuple[str, int, int], ...], counts: _Sums) -> _Sums:
    if not carried:
        return counts
    before = {name: (total, bad) for name, total, bad in carried}
    return {
        name: Counts(c.total + before.get(name, (0, 0))[0], c.bad + before.get(name, (0, 0))[1])
        for name, c in counts.items()
    }


def _kept(sums: _Sums) -> tuple[tuple[str, int, int], ...]:
    return tuple((name, c.total, c.bad) for name, c in sums.items())
