"""Signals: what is said of a lane beside the counts of its requests, such as whether its bot is connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.judge.evidence.ticks import Signal

# A signal that was not heard for so long is not known to have been the same in between, and after the second time it is
# forgotten: a monitor may have left the catalog.
_LONGEST_GAP_S, _FORGOTTEN_S = 180.0, 600.0
# What is older than what was heard last by less than this was told twice.
_SET_BACK_S = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one origin says of one signal: since when it is so, and when it was last heard (unix seconds)."""

    bad: bool
    since: float
    at: float
    detail: str = ""


# By signal, then by origin.
Signals = Mapping[str, Mapping[str, Heard]]


def heard(signals: Signals, origin: str, said: Mapping[str, Signal], at: float) -> Signals:
    """The signals after `origin` said these at `at`. What it could not read stays as it was."""
    found = {name: dict(of) for name, of in signals.items()}
    for name, signal in said.items():
        if signal.bad is None:
            continue
        before = found.setdefault(name, {}).get(origin)
        if before is not None and before.at - at >= _SET_BACK_S:
            before = None  # the clock was set back
        if before is not None and at <= before.at:
            continue
        same = before is not None and before.bad == signal.bad and at - before.at <= _LONGEST_GAP_S
        since = before.since if before is not None and same else at
        if signal.since is not None:
            since = min(since, signal.since)
        found[name][origin] = Heard(signal.bad, since, at, signal.detail)
    return found


def forgotten(signals: Signals, at: float) -> Signals:
    """The signals without what was not heard for a long time."""
    kept = {
        name: {origin: one for origin, one in of.items() if at - one.at <= _FORGOTTEN_S}
        for name, of in signals.items()
    }
    return {name: of for name, of in kept.items() if of}


def worst(signals: Signals, name: str) -> Heard | None:
    """The origin that has said for the longest time that it is bad, else any; None when none says anything."""
    of = signals.get(name, {}).values()
    return min(of, key=lambda one: (not one.bad, one.since), default=None)


def to_json(signals: Signals) -> dict[str, Any]:
    """As JSON values."""
    return {
        name: {origin: [one.bad, one.since, one.at, one.detail] for origin, one in of.items()}
        for name, of in signals.items()
    }


def from_json(stored: Mapping[str, Any]) -> Signals:
    """Inverse of `to_json`."""
    return {name: {origin: Heard(*one) for origin, one in of.items()} for name, of in stored.items()}
