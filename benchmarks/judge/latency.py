"""Warnings of the judge about a slower candidate, beside a Mann-Whitney test of the medians on the same streams.

Stable's latencies are log-normal with a median of 40 ms and sigma 0.5, read at the bounds of the router's histogram, in
ticks of 5 s for 10 minutes. Mann-Whitney is as Kayenta applies it (`contestants.py`): one data point a tick for each
release, its median as the histogram has it, judged after 200, 400 and 600 s.

A false warning is one about a candidate that is as fast as stable, or exactly at what is tolerated, 1.5 times as slow,
with bounds in steps of 1.5, so that nothing is lost between them. (Mann-Whitney tolerates less, so it is not compared
there.) Missed: none within the 10 minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean

from benchmarks.judge.contestants import CONFIDENCE, TOLERANCE
from benchmarks.judge.mann_whitney import shifted_up
from benchmarks.report import Row, show
from bot.domain.judge.judge import JudgePolicy
from bot.domain.judge.statistics.latency import RATIO, advance_latency
from tests.support.rules.latencies import Stream, drift, fair, shared_outages, spells

TICKS, EVERY = 120, 40
POLICY = JudgePolicy(planned_ticks=TICKS)
FINE = tuple(0.002 * RATIO**step for step in range(20))
HAPROXY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WEATHER = {
    "independent": fair,
    "both ten times as slow in 10% of the ticks": shared_outages,
    "both drift to five times as slow and back": drift,
    "each eight times as slow in 20% of its own ticks": spells,
}


@dataclass(frozen=True)
class Found:
    """Seconds until the judge warned and until Mann-Whitney found the candidate slower, by run; `inf` for never."""

    judge: list[float]
    mann_whitney: list[float]


def found(stream: Stream, runs: int) -> Found:
    """Both on the same `runs` streams."""
    pairs = [_run(stream, run) for run in range(runs)]
    return Found([mine for mine, _ in pairs], [other for _, other in pairs])


def _run(stream: Stream, run: int) -> tuple[float, float]:
    state, mine, other = None, inf, inf
    medians: tuple[list[float], list[float]] = [], []
    for tick in stream.ticks(run, TICKS):
        assert tick.latency is not None
        state = advance_latency(state, POLICY, tick)
        if state is not None and state.warned_at is not None:
            mine = min(mine, tick.at)
        for values, histogram in zip(medians, tick.latency, strict=True):
            median = histogram.quantile(0.5)
            if median is not None and median.value < inf:
                values.append(median.value)
        if tick.at % (EVERY * 5) == 0 and shifted_up(*medians, CONFIDENCE, TOLERANCE):
            other = min(other, tick.at)
    return mine, other


def run(quick: bool = False) -> list[Row]:
    """False warnings by kind of traffic and split, and seconds until a slower candidate is warned about."""
    runs = 10 if quick else 25
    rows = []
    for times, bounds in ((1.0, Stream().bounds), (RATIO, FINE)):
        for name, weather in WEATHER.items():
            streams = [
                Stream(*split, times=times, weather=weather, bounds=bounds) for split in ((25, 100), (1, 19))
            ]
            both = [found(stream, runs) for stream in streams]
            rows.append(_false(f"{_slow(times)}, {name}", both, compared=times == 1))
    for times in (2.0, 3.0, 5.0):
        for split in ((25, 100), (2, 38), (1, 4)):
            rows.append(_detected(Stream(*split, times=times), runs if runs < 25 else 15))
    rows.append(
        _detected(replace(Stream(times=3.0), bounds=HAPROXY), runs if runs < 25 else 15, ", HAProxy's bounds")
    )
    return rows


def _slow(times: float) -> str:
    return "as fast as stable" if times == 1 else f"{times:g} times as slow"


def _share(seconds: Sequence[float]) -> float:
    return 100 * sum(at < inf for at in seconds) / len(seconds)


def _false(what: str, both: Sequence[Found], *, compared: bool) -> Row:
    share = _share([at for each in both for at in each.judge])
    other = _share([at for each in both for at in each.mann_whitney])
    beside, baseline = ("Mann-Whitney", other) if compared else ("", None)
    return Row(f"false warnings, {what}", share, "%", beside, baseline, goal="<= 1%", ok=share <= 1)


def _detected(stream: Stream, runs: int, more: str = "") -> Row:
    both = found(stream, runs)
    split = f"{stream.candidate / 5:g}/{stream.stable / 5:g} requests a second"
    return Row(
        f"seconds to the warning, {_slow(stream.times)}, {split}{more}{_missed(both.judge)}",
        _mean(both.judge),
        "s",
        f"Mann-Whitney{_missed(both.mann_whitney)}",
        _mean(both.mann_whitney),
    )


def _mean(seconds: Sequence[float]) -> float:
    return fmean([at for at in seconds if at < inf] or [inf])


def _missed(seconds: Sequence[float]) -> str:
    share = 100 - _share(seconds)
    return f" ({share:.0f}% missed)" if share else ""


if __name__ == "__main__":
    show(run(), __doc__ or "")
