"""State of the judge between two ticks: frozen, small, and stored with the rollout as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.domain.judge.rules import RuleState, Window
from bot.domain.judge.statistics.instances import Instances
from bot.domain.judge.statistics.latency import LatencyState

STATE_VERSION = 1

# Sums over the recent past: requests and bad of the candidate, requests and bad of stable.
Recent = Window


@dataclass(frozen=True, slots=True)
class Trial:
    """One test since first traffic.

    log_a: log of A_j for each alternative. log_m, peak: log of M now and at its highest.
    total, bad, stable_total, stable_bad: what it has seen of candidate and stable.
    decided_at: unix time at which it reached what it needed.
    expected, found: bad requests that the limit allows in the block that is still open, and those that it has.
    trouble: why the candidate is not failed though it is above the limit: stable breaks the same limit now (`shared`),
        may by chance (`perhaps`), cannot be compared now (`unknown`), or fails no less often (`alike`).
    """

    log_a: tuple[float, ...]
    log_m: float = 0.0
    peak: float = 0.0
    total: int = 0
    bad: int = 0
    stable_total: int = 0
    stable_bad: int = 0
    decided_at: float | None = None
    trouble: Literal["perhaps", "shared", "unknown", "alike"] | None = None
    expected: float = 0.0
    found: int = 0


@dataclass(frozen=True, slots=True)
class SoakState:
    """The present soak: when it began, seconds measured in it, `(total, bad)` for each objective, all requests."""

    since: float | None = None
    measured_s: float = 0.0
    counts: tuple[tuple[int, int], ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True)
class JudgeState:
    """Everything that the judge remembers between two ticks.

    ticks: since first traffic. blocks: those that are complete; block_since: when the open one began (unix seconds).
    One test for each objective in each of: trials (the candidate
        against the limit), pairs (candidate against stable), stables (stable against the limit).
    errors: what could not be read at the last tick; error_since: since when that is so (unix seconds).
    buckets: `(objective or rule, histogram bound read in seconds)`. instances: the candidate's, told apart.
    latency: of the test whether the candidate is slower than stable; None before both had requests.
    """

    at: float | None = None
    ticks: int = 0
    blocks: int = 0
    block_since: float | None = None
    trials: tuple[Trial, ...] = ()
    pairs: tuple[Trial, ...] = ()
    stables: tuple[Trial, ...] = ()
    recents: tuple[Recent, ...] = ()
    rules: tuple[RuleState, ...] = ()
    soak: SoakState = SoakState()
    errors: tuple[str, ...] = ()
    error_since: float | None = None
    crashed: str | None = None
    buckets: tuple[tuple[str, float], ...] = ()
    instances: Instances = field(default_factory=Instances)
    latency: LatencyState | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values, with a version."""
        return {
            "version": STATE_VERSION,
            "at": self.at,
            "ticks": self.ticks,
            "blocks": self.blocks,
            "block_since": self.block_since,
            "trials": [_trial_to_json(trial) for trial in self.trials],
            "pairs": [_trial_to_json(trial) for trial in self.pairs],
            "stables": [_trial_to_json(trial) for trial in self.stables],
            "recents": [[list(slot) for slot in recent] for recent in self.recents],
            "rules": [rule.to_json() for rule in self.rules],
            "soak": [
                self.soak.since,
                self.soak.measured_s,
                [list(c) for c in self.soak.counts],
                self.soak.requests,
            ],
            "errors": list(self.errors),
            "error_since": self.error_since,
            "crashed": self.crashed,
            "buckets": [list(bucket) for bucket in self.buckets],
            "instances": self.instances.to_json(),
            "latency": self.latency.to_json() if self.latency else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> JudgeState:
        """Inverse of `to_json`. Raises ValueError for a version that this Slipway does not know."""
        if stored.get("version") != STATE_VERSION:
            raise ValueError(
                f"the judge's stored state has version {stored.get('version')!r}; this Slipway reads {STATE_VERSION}"
            )
        since, measured_s, counts, *requests = stored["soak"]
        return cls(
            at=stored["at"],
            ticks=stored["ticks"],
            blocks=stored.get("blocks", stored["ticks"]),
            block_since=stored.get("block_since"),
            trials=tuple(_trial_from_json(trial) for trial in stored["trials"]),
            pairs=tuple(_trial_from_json(trial) for trial in stored["pairs"]),
            stables=tuple(_trial_from_json(trial) for trial in stored["stables"]),
            recents=tuple(tuple(tuple(slot) for slot in recent) for recent in stored["recents"]),
            rules=tuple(RuleState.from_json(rule) for rule in stored["rules"]),
            soak=SoakState(since, measured_s, tuple((total, bad) for total, bad in counts), *requests),
            errors=tuple(stored["errors"]),
            error_since=stored["error_since"],
            crashed=stored["crashed"],
            buckets=tuple((name, bound) for name, bound in stored["buckets"]),
            instances=Instances.from_json(stored.get("instances")),
            latency=LatencyState.from_json(stored["latency"]) if stored.get("latency") else None,
        )


def _trial_to_json(trial: Trial) -> list[Any]:
    return [
        list(trial.log_a),
        trial.log_m,
        trial.peak,
        trial.total,
        trial.bad,
        trial.stable_total,
        trial.stable_bad,
        trial.decided_at,
        trial.trouble,
        trial.expected,
        trial.found,
    ]


def _trial_from_json(stored: list[Any]) -> Trial:
    return Trial(tuple(stored[0]), *stored[1:])
