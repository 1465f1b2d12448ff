"""The comparison's window: what both releases did between two looks at which both could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bot.domain.judge.counters import Counts
from bot.domain.judge.look import Look

_Sums = Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Window:
    """What was read of both since the look at `since`, and has not been compared.

    spoilt: not all of it can be told apart (a first sample, traffic that rose): it is left out for both.
    """

    since: float
    candidate: tuple[tuple[str, int, int], ...] = ()
    stable: tuple[tuple[str, int, int], ...] = ()
    spoilt: bool = False

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        return [self.since, [list(c) for c in self.candidate], [list(s) for s in self.stable], self.spoilt]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Window:
        """Inverse of `to_json`."""
        return cls(stored[0], tuple(map(tuple, stored[1])), tuple(map(tuple, stored[2])), stored[3])


class Pair(NamedTuple):
    """Counts of both over the same time, or None while the window is open.

    unread_s: seconds for which the release that cannot be read now was not read; 0 when both can be.
    """

    window: Window
    candidate: _Sums | None
    stable: _Sums | None
    unread_s: float


def paired(window: Window | None, candidate: Look, stable: Look, at: float) -> Pair:
    """Close the window when both can be read at `at` (unix seconds); else carry what one of them did.

    Of a spoilt window only stable's counts are handed out, since its own trouble needs no comparison.
    """
    if window is None:
        window = Window(at, spoilt=True)
    mine, theirs = _added(window.candidate, candidate.counts), _added(window.stable, stable.counts)
    spoilt = window.spoilt or not (candidate.comparable and stable.comparable)
    if candidate.errors or stable.errors:
        silent = (look.since for look in (candidate, stable) if look.errors)
        unread_s = at - min(window.since if since is None else since for since in silent)
        return Pair(Window(window.since, _kept(mine), _kept(theirs), spoilt), None, None, unread_s)
    return Pair(Window(at), {} if spoilt else mine, theirs, 0.0)


def left_out(window: Window | None) -> Window | None:
    """Leave the open window out for both: their traffic changed within it."""
    return replace(window, spoilt=True) if window is not None else None


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
