"""History of what a lane served between rollouts: counts per tick, thinned to minutes with age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bot.domain.judge.evidence.counters import Baseline, Counts, InconsistentError, Sample, baseline
from bot.domain.judge.evidence.look import Look, Side
from bot.domain.judge.evidence.ticks import LONGEST_GAP_TICKS, EvidenceState, Tick
from bot.domain.judge.policy import JudgePolicy, Rule, Series

DAY_S = 86_400.0
# What one failure brings along shows within seconds and minutes, so a day of full ticks is enough to see it, at every
# hour of the day. Two weeks have each weekday twice, which the daily and weekly cycle needs.
FULL_S = DAY_S
KEPT_S = 14 * DAY_S
# A lane with ticks of 1 s would have five times as many in a day. This is a day of the usual 5 s.
MOST_FULL_TICKS = 17_280
MINUTE_S = 60.0
# A store keeps full ticks in blocks of this length and thins whole blocks, so no minute is thinned twice.
BLOCK_S = 600.0
# Requests by how long they took: bounds in seconds, rising, each with how many took at most so long.
Histogram = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class ServedTick:
    """What stable did in the `seconds` before `at` (unix seconds).

    counts: by what was counted (`measure`), or by the objectives and rules of a policy (`named`). What could not be
    read is left out; zero requests are a count. Between ticks, nothing is known. Times are whole milliseconds.
    latencies: of a tick that was just read, where its source has a histogram; they are not stored.
    """

    at: float
    seconds: float
    counts: Mapping[str, Counts]
    latencies: Histogram = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class LastRead:
    """Where stable's counters stood at `at` (unix seconds). whole: further sources could be read too."""

    side: Side
    at: float
    whole: bool = True


class Edges(NamedTuple):
    """Where ticks end that are kept in full, and where those that are kept at all (unix seconds)."""

    full_since: float
    kept_since: float


def measure(series: Series) -> str:
    """What a series counts. Two objectives with one measure count the same; another latency limit is another one."""
    if series.kind == "latency":
        return f"latency>{series.threshold_s:g}s"
    return "errors" if series.kind == "errors" else f"proportion:{series.source}"


def served(
    last: LastRead | None,
    policy: JudgePolicy,
    sample: Sample,
    at: float,
    every_s: float | None = None,
    *,
    also: tuple[Rule, ...] = (),
) -> tuple[LastRead | None, ServedTick | None]:
    """What stable did since `last`, and where it stands at `at` (unix seconds); None where that is not known.

    every_s: planned seconds between two samples, by default the policy's. also: rules to count for, too. A sample that
    cannot be read leaves `last` as it is, and the next tick is longer. Beyond three planned ones nothing is known, as
    after a restart or another release: the sample only says where the counters stand. Raises PolicyError when a latency
    limit lies above the source's histogram.
    """
    policy, at = replace(policy, rules=also) if policy.rules != also else policy, round(at, 3)
    longest_s = LONGEST_GAP_TICKS * (every_s or policy.tick_s)
    if last is not None and not last.at < at <= last.at + longest_s:
        last = None
    if sample.error is not None or not sample.readings:
        return last, None
    look = Look(policy, at, sample, _with_newcomers(last, policy, sample))
    if look.side is None or len(look.errors) > len(sample.unread):
        return last, None
    now = LastRead(look.side, at, not sample.unread)
    if last is None or not look.comparable:
        return now, None
    whole = now.whole and last.whole
    counts = {
        measure(series): look.counts[series.name]
        for series in policy.series
        if whole or series.kind != "proportion"
    }
    return now, ServedTick(at, round(at - last.at, 3), counts) if counts else None


def served_in_rollout(
    before: EvidenceState, after: EvidenceState, policy: JudgePolicy, tick: Tick
) -> ServedTick | None:
    """What stable did by a tick of a rollout, between its evidence `before` and `after`; None where that is not known.

    It covers the comparison's window: since both releases were last read.
    """
    if tick.stable is None or before.window is None or not (_has_counts(before) and _has_counts(after)):
        return None
    at = round(tick.at, 3)
    seconds = round(at - before.window.since, 3)
    if not 0 < seconds <= LONGEST_GAP_TICKS * policy.tick_s:
        return None
    counts = {measure(series): tick.stable[series.name] for series in policy.series}
    return ServedTick(at, seconds, counts) if counts else None


def _has_counts(state: EvidenceState) -> bool:
    return state.stable is not None and bool(state.stable.present)


def _with_newcomers(last: LastRead | None, policy: JudgePolicy, sample: Sample) -> Side | None:
    """What was last read, with instances that were not seen before as they stand now.

    The judge counts an instance that appears in full, since it belongs to the rollout. Of one that appears between
    rollouts, it is not known for how long it has been counting: a source may have found it only now.
    """
    if last is None or last.side.release != sample.release:
        return None
    known = {seen.instance for seen in last.side.seen}
    new: list[Baseline] = []
    for reading in sample.readings:
        if reading.instance not in known and not reading.delta:
            try:
                new.append(baseline(reading, policy.series, {}))
            except InconsistentError:
                continue  # the look says so
    return replace(last.side, seen=(*last.side.seen, *new)) if new else last.side


def edges(now: float, tick_s: float) -> Edges:
    """The edges at `now` (unix seconds) for ticks of `tick_s` seconds."""
    full_s = min(FULL_S, MOST_FULL_TICKS * tick_s)
    return Edges((now - full_s) // BLOCK_S * BLOCK_S, now - KEPT_S)


def compact(ticks: Iterable[ServedTick], at: Edges) -> list[ServedTick]:
    """The ticks in order: full ones from `at.full_since` on, minutes before, none from before `at.kept_since`."""
    kept = [tick for tick in in_order(ticks) if tick.at >= at.kept_since]
    full = [tick for tick in kept if tick.at >= at.full_since]
    return minutes(tick for tick in kept if tick.at < at.full_since) + full


def minutes(ticks: Iterable[ServedTick]) -> list[ServedTick]:
    """Ticks summed up by the minute in which they end: counts and seconds are kept, and `at` is that of the last.

    Ticks that counted different things stay apart.
    """
    sums: dict[tuple[float, tuple[str, ...]], ServedTick] = {}
    for tick in in_order(ticks):
        key = (tick.at // MINUTE_S, tuple(sorted(tick.counts)))
        before = sums.get(key)
        sums[key] = tick if before is None else _together(before, tick)
    return sorted(sums.values(), key=lambda tick: tick.at)


def in_order(ticks: Iterable[ServedTick]) -> list[ServedTick]:
    """The ticks by time, each once: a save is repeated when its answer was lost."""
    return sorted({tick.at: tick for tick in ticks}.values(), key=lambda tick: tick.at)


def named(ticks: Iterable[ServedTick], policy: JudgePolicy) -> Sequence[ServedTick]:
    """The ticks with counts by the policy's objectives and rules; those that counted none of them are left out.

    An objective with a latency limit that was not counted at the time has no counts there.
    """
    measures = [(series.name, measure(series)) for series in policy.series]
    found = []
    for tick in ticks:
        counts = {name: tick.counts[key] for name, key in measures if key in tick.counts}
        if counts:
            found.append(ServedTick(tick.at, tick.seconds, counts))
    return found


def _together(before: ServedTick, tick: ServedTick) -> ServedTick:
    counts = {
        name: Counts(count.total + before.counts[name].total, count.bad + before.counts[name].bad)
        for name, count in tick.counts.items()
    }
    return ServedTick(tick.at, round(before.seconds + tick.seconds, 3), counts)
