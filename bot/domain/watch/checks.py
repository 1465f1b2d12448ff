"""Checks on a schedule: what each answered, and which answers are a finding. All times are given."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from bot.domain.formatting import counted, duration
from bot.domain.judge.evidence.counters import Signal
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding, Severity

HOUR_S = 3600.0
# The signal of critical checks.
HEALTH = "health"
_MINUTE_S = 60.0
_LONGEST_FINGERPRINT = 100


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check answered once.

    at: when it was asked (unix seconds). seconds: how long it took. said: what is wrong, as a sentence; empty when it
    passed. parts: what of the service is not well, where it says so; not kept.
    """

    at: float
    seconds: float
    said: str = ""
    parts: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.said


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check answered in one location the last time it was asked; None when nothing was heard from there."""

    location: str
    result: CheckResult | None = None


@dataclass(frozen=True, slots=True)
class MonitorRules:
    """When answers of a check are a finding.

    failures, within_s: so many failures in a row, the first and the last at most so far apart. availability: the
    smallest share of the last `over_s` seconds in which the check passed, judged once it was monitored for `after_s`.
    p95_s, slow_for_s: the 95th percentile of how long answers take, and how long it may be higher.
    """

    failures: int = 3
    within_s: float = 180.0
    availability: float = 0.985
    over_s: float = 7 * 86_400.0
    after_s: float = 86_400.0
    p95_s: float = 0.8
    slow_for_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Monitor:
    """A check on a schedule.

    timed: how long its answers take is judged too. runbook: a link; empty for none. signals: what rules over the lane
    can hear from it: `health`, or a part of the service. locations: where it is asked; empty for the controller alone.
    fails_in: in so many of them it must fail.
    """

    lane: Lane
    name: str
    every_s: float = 60.0
    critical: bool = False
    timed: bool = True
    rules: MonitorRules = field(default_factory=MonitorRules)
    runbook: str = ""
    signals: frozenset[str] = frozenset()
    locations: tuple[str, ...] = ()
    fails_in: int = 1

    @property
    def longest_s(self) -> float:
        """The longest time that one answer stands for. More between two answers is a gap: Slipway was down."""
        return 2 * self.every_s


class MonitorRule(StrEnum):
    """The rules by the names that fingerprints have."""

    FAILING = "failing"
    UNAVAILABLE = "unavailable"
    SLOW = "slow"


class Hour(NamedTuple):
    """How long a check passed and failed in the hour that begins at `since` (unix seconds). The rest is a gap."""

    since: float
    up_s: float
    down_s: float


@dataclass(frozen=True, slots=True)
class MonitorState:
    """What is remembered between two answers.

    failed: times of the newest failures in a row; failing_since: of the first of them. recent: when and how fast it
    answered in the last minute. slow_since: since when the 95th percentile is too high. hours: in order, as far back as
    availability is judged. firing: the rules that fire. seen: what each location saw the last time. untold: rules of
    which this process has told nothing yet: what a former one told last may not be saved, so it is told again.
    """

    last: CheckResult | None = None
    failed: tuple[float, ...] = ()
    failing_since: float | None = None
    recent: tuple[tuple[float, float], ...] = ()
    slow_since: float | None = None
    hours: tuple[Hour, ...] = ()
    firing: frozenset[MonitorRule] = frozenset()
    seen: tuple[Seen, ...] = ()
    untold: frozenset[MonitorRule] = frozenset(MonitorRule)


def observe(
    monitor: Monitor, state: MonitorState, result: CheckResult
) -> tuple[MonitorState, Sequence[Finding]]:
    """What is remembered after `result`, and the findings that begin or end with it."""
    rules = monitor.rules
    hours = _with_interval(monitor, state, result)
    state = _counted(rules, _forget_gap(monitor, state, result), result)
    if monitor.timed:
        state = _timed(rules, state, result)
    state = replace(state, hours=hours, last=replace(result, parts=()))
    verdicts = {
        rule: verdict for rule in MonitorRule if (verdict := _verdict(monitor, state, rule)) is not None
    }
    told = [
        rule
        for rule, fires in verdicts.items()
        if rule in state.untold or fires is not (rule in state.firing)
    ]
    findings = [_finding(monitor, state, rule, fires=verdicts[rule]) for rule in told]
    firing = {rule for rule in MonitorRule if verdicts.get(rule, rule in state.firing)}
    return replace(state, firing=frozenset(firing), untold=state.untold.difference(told)), findings


def signals(monitor: Monitor, result: CheckResult) -> Mapping[str, Signal]:
    """What rules hear. Without an answer that tells the service's parts apart, all of them are away."""
    return {
        name: Signal(
            not result.passed and (name == HEALTH or not result.parts or name in result.parts), result.said
        )
        for name in monitor.signals
    }


def standing(monitor: Monitor, state: MonitorState) -> Sequence[Finding]:
    """What fires, as it stands now. Not the availability: it is below its limit for days, whatever people do."""
    rules = (MonitorRule.FAILING, MonitorRule.SLOW)
    return [_finding(monitor, state, rule, fires=True) for rule in rules if rule in state.firing]


def given_up(monitor: Monitor, state: MonitorState, at: float) -> Sequence[Finding]:
    """The ends of what fires, for a check that is no longer asked."""
    ended = replace(state, last=CheckResult(at, 0.0))
    return [_finding(monitor, ended, rule, fires=False) for rule in MonitorRule if rule in state.firing]


def availability(hours: Iterable[Hour], since: float) -> float | None:
    """The share of the monitored time from `since` on (unix seconds) in which a check passed; None without any.

    Hours that began before `since` are left out.
    """
    up_s, down_s = _sums(hours, since)
    return up_s / (up_s + down_s) if up_s + down_s else None


def as_share(share: float) -> str:
    """`0.98496` -> `"98.49%"`: rounded down, so that what is below a limit never reads as the limit."""
    return f"{math.floor(round(share * 1e4, 6)) / 100:g}%"


def p95(seconds: Sequence[float]) -> float:
    """The 95th percentile by nearest rank. Raises IndexError without values."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def fingerprint(lane: Lane, name: str, rule: MonitorRule) -> str:
    """At most 100 characters; long names give way to a hash."""
    text = f"check:{lane}:{name}:{rule}"
    if len(text) <= _LONGEST_FINGERPRINT:
        return text
    return f"check:{hashlib.sha256(f'{lane}:{name}'.encode()).hexdigest()}:{rule}"


# ---- what is remembered ----


def _forget_gap(monitor: Monitor, state: MonitorState, result: CheckResult) -> MonitorState:
    """After a gap, how fast answers were before says nothing. A clock that was set back is a gap too."""
    if state.last is None or 0 <= result.at - state.last.at <= monitor.longest_s:
        return state
    failed = tuple(at for at in state.failed if at < result.at)
    since = state.failing_since if failed else None
    return replace(state, recent=(), slow_since=None, failed=failed, failing_since=since)


def _counted(rules: MonitorRules, state: MonitorState, result: CheckResult) -> MonitorState:
    if result.passed:
        return replace(state, failed=(), failing_since=None)
    since = result.at if state.failing_since is None else state.failing_since
    return replace(state, failed=(*state.failed, result.at)[-rules.failures :], failing_since=since)


def _timed(rules: MonitorRules, state: MonitorState, result: CheckResult) -> MonitorState:
    """A failure has no time of its own: it neither begins nor ends a slow spell."""
    if not result.passed:
        return state
    kept = tuple(each for each in state.recent if each[0] > result.at - _MINUTE_S)
    recent = (*kept, (result.at, result.seconds))
    if p95([seconds for _, seconds in recent]) <= rules.p95_s:
        return replace(state, recent=recent, slow_since=None)
    return replace(
        state, recent=recent, slow_since=result.at if state.slow_since is None else state.slow_since
    )


def _with_interval(monitor: Monitor, state: MonitorState, result: CheckResult) -> tuple[Hour, ...]:
    """The hours with the time since the last answer: up if that one passed, and neither if it is too long ago."""
    last = state.last
    if last is None or not 0 < result.at - last.at <= monitor.longest_s:
        return state.hours
    oldest = result.at - monitor.rules.over_s - HOUR_S
    hours = [hour for hour in state.hours if hour.since >= oldest]
    for since, seconds in _by_hour(last.at, result.at):
        before = hours.pop() if hours and hours[-1].since == since else Hour(since, 0.0, 0.0)
        up_s, down_s = (seconds, 0.0) if last.passed else (0.0, seconds)
        hours.append(Hour(since, before.up_s + up_s, before.down_s + down_s))
    return tuple(hours)


def _by_hour(begin: float, end: float) -> Iterator[tuple[float, float]]:
    """The hours that the time from `begin` to `end` lies in, each with its seconds."""
    while begin < end:
        since = begin // HOUR_S * HOUR_S
        until = min(end, since + HOUR_S)
        yield since, until - begin
        begin = until


def _sums(hours: Iterable[Hour], since: float) -> tuple[float, float]:
    counted_ones = [hour for hour in hours if hour.since >= since]
    return math.fsum(hour.up_s for hour in counted_ones), math.fsum(hour.down_s for hour in counted_ones)


# ---- what fires ----


def _verdict(monitor: Monitor, state: MonitorState, rule: MonitorRule) -> bool | None:
    """Whether the rule fires; None when the answers so far do not say: then it stays as it is."""
    rules, last = monitor.rules, state.last
    assert last is not None
    if rule is MonitorRule.FAILING:
        enough = len(state.failed) == rules.failures and last.at - state.failed[0] <= rules.within_s
        return False if last.passed else (True if enough else None)
    if rule is MonitorRule.SLOW:
        if state.slow_since is None:
            return False if state.recent or not monitor.timed else None
        return True if last.at - state.slow_since >= rules.slow_for_s else None
    up_s, down_s = _sums(state.hours, last.at - rules.over_s)
    monitored_s = up_s + down_s
    # Compared in whole milliseconds: sums of seconds are not exact.
    allowed_ms = round((1 - rules.availability) * monitored_s * 1000)
    return monitored_s >= rules.after_s and round(down_s * 1000) > allowed_ms


def _finding(monitor: Monitor, state: MonitorState, rule: MonitorRule, *, fires: bool) -> Finding:
    last = state.last
    assert last is not None
    value, limit, began = _figures(monitor, state, rule)
    said = {
        MonitorRule.FAILING: f"Check “{monitor.name}” fails",
        MonitorRule.UNAVAILABLE: f"Check “{monitor.name}” passed too seldom",
        MonitorRule.SLOW: f"Check “{monitor.name}” is slow",
    }[rule]
    worst = monitor.critical or rule is MonitorRule.UNAVAILABLE
    return Finding(
        fingerprint=fingerprint(monitor.lane, monitor.name, rule),
        source="monitor",
        title=said,
        at=datetime.fromtimestamp(began if fires else last.at, UTC),
        firing=fires,
        severity=Severity.CRITICAL if worst else Severity.MEDIUM,
        lane=monitor.lane,
        text=last.said if fires and rule is MonitorRule.FAILING else "",
        value=value if fires else "",
        limit=limit,
        runbook=monitor.runbook,
        labels={"check": monitor.name, "rule": str(rule)},
        lasting=rule is MonitorRule.UNAVAILABLE,
    )


def _figures(monitor: Monitor, state: MonitorState, rule: MonitorRule) -> tuple[str, str, float]:
    """Value and limit for people, and since when."""
    rules, at = monitor.rules, state.last.at if state.last else 0.0
    if rule is MonitorRule.FAILING:
        since = at if state.failing_since is None else state.failing_since
        in_a_row = f"{counted(len(state.failed), 'failure')} in a row"
        return in_a_row, f"{rules.failures} within {duration(rules.within_s)}", since
    if rule is MonitorRule.UNAVAILABLE:
        share = availability(state.hours, at - rules.over_s)
        shown = "" if share is None else f"{as_share(share)} of the last {_days(rules.over_s)}"
        return shown, as_share(rules.availability), at
    since = at if state.slow_since is None else state.slow_since
    slow = duration(p95([seconds for _, seconds in state.recent])) if state.recent else ""
    return f"p95 {slow}" if slow else "", f"{duration(rules.p95_s)} for {duration(rules.slow_for_s)}", since


def _days(seconds: float) -> str:
    return counted(round(seconds / 86_400), "day") if seconds % 86_400 == 0 else duration(seconds)
