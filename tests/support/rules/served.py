"""What a stable release served, for tests of what the judge learns from it: 20 requests a second in ticks of 5 s."""

from __future__ import annotations

from random import Random

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from tests.support.rules.judging import failures

RPS, TICK_S = 20, 5


def ticks_of(
    bad: list[int], total: int = RPS * TICK_S, seconds: float = 5.0, start: float = 0.0
) -> list[ServedTick]:
    return [
        ServedTick(start + (n + 1) * seconds, seconds, {"errors": Counts(total, each)})
        for n, each in enumerate(bad)
    ]


def independent(random: Random, rate: float = 0.005, count: int = 720) -> list[int]:
    return [failures(random, RPS * TICK_S, rate) for _ in range(count)]


def in_runs(random: Random, length: int, rate: float = 0.005, count: int = 720) -> list[int]:
    """Failures in runs of `length` requests, each within a tick."""
    return [length * failures(random, RPS * TICK_S, rate / length) for _ in range(count)]


def in_outages(random: Random, ticks: int, rate: float = 0.009, count: int = 2160) -> list[int]:
    """60% of the requests of `ticks` ticks fail at a time."""
    found, left = [], 0
    for _ in range(count):
        left = ticks if random.random() < rate / 0.6 / ticks else left - 1
        found.append(failures(random, RPS * TICK_S, 0.6 if left > 0 else 0.0))
    return found
