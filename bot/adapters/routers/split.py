"""Choice of requests for the candidate: exactly its share, in random order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator


class Shuffle:
    """Decides for each request whether it goes to the candidate, `weight` in every 100.

    A hundred requests are cut into as many equal stretches as the rarer side gets requests, and each stretch
    sends one, at a random place, to that side. Counting every twentieth request would be as exact, but a
    client that makes every twentieth request a special one would then only meet one of the releases.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._weight = 0
        self._draws: Iterator[bool] = iter(())

    def next(self, weight: int) -> bool:
        if weight <= 0 or weight >= 100:
            return weight >= 100
        if weight != self._weight:
            self._weight, self._draws = weight, iter(())
        drawn = next(self._draws, None)
        if drawn is None:
            self._draws = iter(self._hundred(weight))
            drawn = next(self._draws)
        return drawn

    def _hundred(self, weight: int) -> list[bool]:
        rarer = min(weight, 100 - weight)
        rare_is_candidate = weight == rarer
        draws = [not rare_is_candidate] * 100
        for stretch in range(rarer):
            start, end = 100 * stretch // rarer, 100 * (stretch + 1) // rarer
            draws[self._rng.randrange(start, end)] = rare_is_candidate
        return draws


def sticks(value: str, salt: str, weight: int) -> bool:
    """Whether requests with `value` go to the candidate at `weight`; at any higher weight they still do.

    `salt` (the candidate's digest) makes each rollout start with other people.
    """
    drawn = hashlib.blake2b(f"{salt}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64 * 100 < weight
