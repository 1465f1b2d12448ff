"""Cost of judging: one tick of one rollout, from readings to verdict, and a thousand rollouts every 5 s."""

from __future__ import annotations

import json
from random import Random
from time import process_time

from benchmarks.report import Row, show
from bot.domain.judge.evidence.ticks import (
    CounterReading,
    EvidenceState,
    Sample,
    Signal,
    begin_evidence,
    difference,
)
from bot.domain.judge.judge import (
    JudgePolicy,
    JudgeState,
    Objective,
    advance,
    begin,
    begin_soak,
    parse_rule,
    verdict,
)

POLICY = JudgePolicy(
    (Objective("errors", "errors", 0.01, ratio=2.0), Objective("p99", "latency", 0.01, 2.0, ratio=2.0)),
    (parse_rule("error_rate > 5% over 5m"), parse_rule("health check failing for 30s")),
)
FINE = {"health": Signal(bad=False)}


def _sample(release: str, at: float, total: int, bad: int) -> Sample:
    good = total - bad
    buckets = ((0.1, good // 2), (0.5, good), (2.0, good), (5.0, total), (float("inf"), total))
    return Sample(at, release, (CounterReading("router", total, bad, buckets),))


def run(quick: bool = False) -> list[Row]:
    """Seconds of one core for each part of a tick, two objectives compared with stable and two plain rules."""
    ticks, random = (400 if quick else 4000), Random(1)
    evidence, state = begin_evidence(), begin_soak(begin(POLICY), 0.0)
    spent = {"difference": 0.0, "advance": 0.0, "verdict": 0.0, "states to JSON and back": 0.0}
    bad = stable_bad = 0
    for number in range(ticks):
        at = number * 5.0
        bad, stable_bad = bad + (random.random() < 0.1), stable_bad + (random.random() < 0.9)
        samples = _sample("1.5.0", at, number * 50, bad), _sample("1.4.0", at, number * 450, stable_bad)
        marks = [process_time()]
        evidence, tick = difference(evidence, POLICY, at, *samples, signals=FINE)
        marks.append(process_time())
        state = advance(state, POLICY, tick)
        marks.append(process_time())
        verdict(state, POLICY, soak_required_s=600.0)
        marks.append(process_time())
        text = json.dumps([evidence.to_json(), state.to_json()])
        stored = json.loads(text)
        assert (EvidenceState.from_json(stored[0]), JudgeState.from_json(stored[1])) == (evidence, state)
        marks.append(process_time())
        for name, begun, ended in zip(spent, marks[:-1], marks[1:], strict=True):
            spent[name] += ended - begun
    each = {name: seconds / ticks * 1e6 for name, seconds in spent.items()}
    rows = [Row(f"one tick: {name}", micros, "us") for name, micros in each.items()]
    rows[1] = Row("one tick: advance", each["advance"], "us", goal="<= 100 us", ok=each["advance"] <= 100)
    core = sum(each.values()) * 1e-6 * 1000 / 5 * 100
    rows.append(
        Row(
            "1,000 rollouts every 5 s, the judge's part",
            core,
            "% of a core",
            goal="<= 50% with everything else",
        )
    )
    rows.append(Row("stored evidence and judge state of a rollout", len(text), "bytes"))
    return rows


if __name__ == "__main__":
    show(run(), __doc__ or "")
