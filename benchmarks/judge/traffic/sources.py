"""Trouble with what is read: looks at which a release is silent, counters that are late or start over."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from benchmarks.judge.traffic.scenario import TICK_S, Case, Look, Scenario, Stream, with_looks
from bot.domain.judge.evidence.ticks import Counts

SIDES = ("candidate", "stable")


def with_gaps(model: Stream, share: float) -> Stream:
    """Each release by itself cannot be read at `share` of the looks. The history has the gaps of stable, too.

    What was not read is read at the next look that succeeds, since counters go on.
    """

    def gappy(random: Random, case: Case) -> Scenario:
        known = model(random, case)
        looks = [
            replace(look, unread=frozenset(side for side in SIDES if random.random() < share))
            for look in known.looks
        ]
        history, carried = [], (0, 0)
        for requests, bad in known.history:
            carried = (carried[0] + requests, carried[1] + bad)
            if random.random() >= share:
                history.append(carried)
                carried = (0, 0)
        return replace(with_looks(known, looks), history=tuple(history))

    return gappy


def with_lag(model: Stream, share: float) -> Stream:
    """At `share` of the looks a release's counters stand still, though they can be read: the next look has both."""

    def lagging(random: Random, case: Case) -> Scenario:
        known = model(random, case)
        late = {side: Counts() for side in SIDES}
        looks = []
        for look in known.looks:
            counts = {}
            for side, before in late.items():
                (now,) = look.candidate if side == "candidate" else look.stable
                both = Counts(before.total + now.total, before.bad + now.bad)
                stands = random.random() < share
                late[side], counts[side] = (both, Counts()) if stands else (Counts(), both)
            looks.append(replace(look, candidate=(counts["candidate"],), stable=(counts["stable"],)))
        return with_looks(known, looks)

    return lagging


def with_resets(model: Stream, every_s: int) -> Stream:
    """Each release's counters start over every `every_s` seconds on average; what they had since the look is lost."""

    def resetting(random: Random, case: Case) -> Scenario:
        known = model(random, case)
        looks = [_reset(random, look, TICK_S / every_s) for look in known.looks]
        return with_looks(known, looks)

    return resetting


def _reset(random: Random, look: Look, chance: float) -> Look:
    reset = frozenset(side for side in SIDES if random.random() < chance)
    candidate, stable = (
        tuple(_later(random, each) if side in reset else each for each in counts)
        for side, counts in zip(SIDES, (look.candidate, look.stable), strict=True)
    )
    return replace(look, reset=reset, candidate=candidate, stable=stable)


def _later(random: Random, counts: Counts) -> Counts:
    """What came after a moment of the tick: each request with the same chance."""
    kept = random.random()
    bad = sum(random.random() < kept for _ in range(counts.bad))
    return Counts(bad + sum(random.random() < kept for _ in range(counts.total - counts.bad)), bad)
