"""Behaviour of each version of a demo service, and changes to it while it runs."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

# Kinds of requests. Only production's traffic has gift cards.
KINDS_STAGING: dict[str, float] = {"card": 0.7, "invoice": 0.3}
KINDS_PRODUCTION: dict[str, float] = {"card": 0.64, "invoice": 0.28, "gift-card": 0.08}


def kinds(environment: str) -> dict[str, float]:
    """Shares of request kinds in the traffic of an environment; they add up to 1."""
    return KINDS_PRODUCTION if environment == "production" else KINDS_STAGING


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Proportions are of all requests; times in seconds. `fails_kind`: every request of that kind fails.

    database_fails: soon after its first request in production, the database that all versions use fails for a moment.
    """

    error_rate: float = 0.0
    fails_kind: str = ""
    latency_s: float = 0.008
    slow_share: float = 0.0
    slow_s: float = 3.0
    dies_at_start: bool = False
    degrades_after_s: float | None = None
    degraded_error_rate: float = 0.15
    database_fails: bool = False

    def outcome(self, kind: str, served_for_s: float, rng: random.Random) -> tuple[bool, float]:
        """Whether a request fails, and how many seconds it takes."""
        rate = self.error_rate
        if self.degrades_after_s is not None and served_for_s >= self.degrades_after_s:
            rate = max(rate, self.degraded_error_rate)
        failed = kind == self.fails_kind or rng.random() < rate
        slow = rng.random() < self.slow_share
        return failed, self.slow_s if slow else self.latency_s * rng.uniform(0.6, 1.6)


VERSIONS: dict[str, Behaviour] = {
    "1.4.0": Behaviour(),
    "1.5.0": Behaviour(latency_s=0.006),
    "1.5.1": Behaviour(fails_kind="gift-card"),
    "1.5.2": Behaviour(slow_share=0.2),
    "1.5.3": Behaviour(dies_at_start=True),
    "1.5.4": Behaviour(degrades_after_s=20.0),
    "1.5.5": Behaviour(database_fails=True),
    "1.6.0": Behaviour(),  # marked as irreversible in the catalog
}


# In place of a version in `Overrides`: what all versions of a lane have in common, such as their database.
EVERY = "*"

# Within the demo's folder, in the part that containers see too.
OVERRIDES = Path("services") / "behaviour.json"


class Overrides:
    """Changes to a running version, in a file that every instance watches.

    `{"checkout/production/1.5.0": {"error_rate": 0.1, "latency_ms": 200}}`; a missing file changes nothing. What
    it says of `checkout/production/*` holds for all versions.
    """

    LOOK_EVERY_S = 0.2

    def __init__(self, path: Path, key: str, base: Behaviour) -> None:
        self._path, self._base = path, base
        self._keys = key, f"{key.rpartition('/')[0]}/{EVERY}"
        self._looked, self._mtime, self._now = 0.0, 0.0, base

    def behaviour(self) -> Behaviour:
        now = time.monotonic()
        if now - self._looked < self.LOOK_EVERY_S:
            return self._now
        self._looked = now
        try:
            mtime = self._path.stat().st_mtime
            if mtime != self._mtime:
                found = json.loads(self._path.read_text())
                changed = {name: value for key in self._keys for name, value in found.get(key, {}).items()}
                self._now, self._mtime = apply(self._base, changed), mtime
        except FileNotFoundError:
            self._now = self._base
        return self._now


def apply(base: Behaviour, changed: dict[str, float]) -> Behaviour:
    """`base` with the JSON API's settings applied. Raises ValueError for unknown names and wrong values."""
    result = base
    for name, value in changed.items():
        if not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{name} must be a number that is not negative, not {value!r}")
        match name:
            case "error_rate" | "slow_share":
                if value > 1:
                    raise ValueError(f"{name} is a proportion, at most 1, not {value}")
                if name == "error_rate":
                    result = replace(result, error_rate=float(value), fails_kind="")
                else:
                    result = replace(result, slow_share=float(value))
            case "latency_ms":
                result = replace(result, latency_s=value / 1000)
            case "slow_ms":
                result = replace(result, slow_s=value / 1000)
            case _:
                raise ValueError(f"unknown setting {name!r}: error_rate, latency_ms, slow_share or slow_ms")
    return result
