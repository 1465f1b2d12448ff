"""A replay of the ticks that are kept gives the states that the judge had."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.postgres.serialization import point_columns, read_judged
from bot.domain.judge.evidence.ticks import (
    CounterReading,
    Sample,
    Signal,
    Tick,
    begin_evidence,
    difference,
    traffic_rose,
)
from bot.domain.judge.history.replay import JudgedTick, judged_tick, replayed, same
from bot.domain.judge.judge import JudgePolicy, JudgeState, advance, begin, begin_soak, parse_rule, verdict
from bot.domain.judge.verdict import Outcome, failing
from bot.domain.records import SeriesPoint
from tests.support.rules.judging import COMPARED, FIVE, SLOW, failures
from tests.support.virtual_time import EPOCH

RULES = tuple(map(parse_rule, ("error_rate > 20% over 30s", "health check failing for 10s")))
POLICY = JudgePolicy((COMPARED, SLOW), RULES, planned_ticks=24, settle_s=2.0)
BUCKETS = (0.5, 2.0, float("inf"))


def lived(seed: int, policy: JudgePolicy, length: int = 40) -> tuple[list[JudgedTick], list[JudgeState]]:
    """A rollout in which everything happens that can: its ticks as they are kept, and the judge's states."""
    random, at = Random(seed), 1_750_000_000.123456
    evidence, state, kept, states = begin_evidence(), begin(policy), [], []
    counters = {"1.5.0": [0, 0, 0], "1.4.0": [0, 0, 0]}
    required = None
    for number in range(length):
        at += FIVE * random.choice((1, 1, 1, 0.37, 2.9))
        both_bad = 0.4 if random.random() < 0.15 else 0.0
        samples = []
        for name, requests in (("1.5.0", 20), ("1.4.0", 80)):
            served = random.randrange(requests) if random.random() < 0.9 else 0
            rate = both_bad or (0.08 if name == "1.5.0" and seed % 2 else 0.01)
            slow = failures(random, served, 0.02)
            totals = counters[name]
            for index, more in enumerate((served, failures(random, served, rate), slow)):
                totals[index] += more
            silent = "x" * 500 if random.random() < 0.12 else None
            histogram = tuple(
                zip(BUCKETS, (totals[0] - totals[2], totals[0] - totals[2], totals[0]), strict=True)
            )
            parts = tuple((f"i{n}", totals[0] // 3 + n, totals[1] // 3) for n in (2, 10, 1))
            reading = CounterReading("a", totals[0], totals[1], histogram, parts=parts)
            samples.append(Sample(at, name, () if silent else (reading,), silent))
        if random.random() < 0.1:
            evidence = traffic_rose(evidence, at - 1)
        if random.random() < 0.15 or number == 3:
            state, required = begin_soak(state, at - random.random()), 60.0
        signals = {
            "health": Signal(random.choice((False, True, None)), "starting" * 60),
            "alert": Signal(True),
        }
        evidence, seen = difference(evidence, policy, at, samples[0], samples[1], signals=signals)
        kept.append(judged_tick(state, policy, seen, required))
        state = advance(state, policy, seen)
        states.append(state)
    return kept, states


def stored(each: JudgedTick) -> JudgedTick:
    """As the database gives it back, which keeps no order of keys."""
    counts = {n: (c.total, c.bad) for n, c in each.tick.candidate.items()}
    beside = {n: (c.total, c.bad) for n, c in (each.tick.stable or {}).items()}
    row = point_columns(SeriesPoint(EPOCH, 5, counts, beside, judged=each))["counts"]
    return read_judged(json.loads(json.dumps(row, sort_keys=True)))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from((None, 1.0, 3.0)))
def test_a_replay_of_kept_ticks_gives_every_state_of_the_judge(seed: int, phi: float | None) -> None:
    policy = replace(POLICY, phi=phi)
    kept, states = lived(seed, policy)
    again = list(replayed(policy, map(stored, kept)))
    assert len(again) == len(states)
    for replay, state in zip(again, states, strict=True):
        assert same(replay, state)
        # As the engine stores it.
        assert same(replay, JudgeState.from_json(json.loads(json.dumps(state.to_json()))))
        assert failing(replay, policy) == (verdict(state, policy, soak_required_s=60).outcome is Outcome.FAIL)


@given(st.integers(0, 10_000), st.integers(0, 39))
def test_a_replay_may_begin_at_any_state(seed: int, since: int) -> None:
    kept, states = lived(seed, POLICY)
    *_, last = replayed(POLICY, kept[since:], states[since - 1] if since else None)
    assert same(last, states[-1])


def test_one_tick_less_gives_another_state() -> None:
    kept, states = lived(1, POLICY)
    for missing in (n for n, each in enumerate(kept) if each.tick.candidate["errors"].total):
        *_, last = replayed(POLICY, kept[:missing] + kept[missing + 1 :])
        assert not same(last, states[-1])


def test_a_soak_that_began_after_the_last_tick_makes_no_difference() -> None:
    kept, states = lived(2, POLICY)
    *_, last = replayed(POLICY, kept)
    assert same(last, begin_soak(states[-1], kept[-1].tick.at + 1))


def test_what_sources_say_is_kept_in_brief() -> None:
    kept, _ = lived(3, POLICY, length=80)
    assert any(each.tick.errors for each in kept)
    assert (
        max(len(json.dumps(point_columns(SeriesPoint(EPOCH, 5, {}, {}, judged=k))["counts"])) for k in kept)
        < 1200
    )
    assert all(set(each.tick.signals) <= {"health"} for each in kept)


def test_a_histograms_buckets_are_kept_with_the_ticks_that_change_them() -> None:
    buckets = {"p99": 2.0}
    first = Tick(5.0, FIVE, {}, buckets=buckets)
    state = begin(POLICY)
    assert judged_tick(state, POLICY, first, None).tick.buckets == buckets
    state = advance(state, POLICY, first)
    assert judged_tick(state, POLICY, replace(first, at=10.0), None).tick.buckets == {}
    assert judged_tick(state, POLICY, replace(first, buckets={"p99": 5.0}), None).tick.buckets == {"p99": 5.0}
