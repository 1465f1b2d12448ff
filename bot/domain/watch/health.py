"""How a lane that serves is doing: what its users saw lately, its checks, its budget, and its open alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.policy import JudgePolicy
from bot.domain.judge.rules import SLOTS, Window, sums
from bot.domain.phrasebook.locations import checked_from, fails_from
from bot.domain.records import Active, Lock
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.checks import CheckResult, Monitor, MonitorState, Seen, p95
from bot.domain.watch.latencies import RECENT_S, QuantileRange
from bot.domain.watch.rules import (
    DAY_S,
    WEEK_S,
    Served,
    WatchRule,
    WatchState,
    budget_left,
    error_limit,
    in_recent,
)


@dataclass(frozen=True, slots=True)
class Latency:
    """The share of the requests that took longer than `limit_s` (seconds), and the share that may.

    lies: where the quantile lay in the last minutes; None where the source of the lane has no histogram.
    """

    limit_s: float
    slow: float
    allowed: float
    lies: QuantileRange | None = None

    @property
    def over(self) -> bool:
        # 1 - 0.95 is a little above 0.05.
        return self.slow > self.allowed + 1e-12


class Availability(NamedTuple):
    """The share that was well in a time, and how much of it was measured (seconds); the rest is a gap."""

    share: float
    measured_s: float


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """A monitored check, as its answers are stored; None for what is not known.

    last: None also when it was asked too long ago to say anything. p95_s: how long answers took in the last minute,
    against `limit_s` (seconds). firing: the rules that fire. seen: what each of its locations saw the last time; empty
    for a check that is asked by the controller alone.
    """

    name: str
    critical: bool = False
    last: CheckResult | None = None
    day: Availability | None = None
    week: Availability | None = None
    p95_s: float | None = None
    limit_s: float | None = None
    firing: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()

    @property
    def places(self) -> str:
        """What is not as usual in its locations, in a few words; empty when nothing is."""
        heard = [each for each in self.seen if each.result is not None]
        failed = [each.location for each in heard if each.result is not None and not each.result.passed]
        said = []
        if failed and self.last is not None and self.last.passed:
            said.append(fails_from(failed))
        if len(heard) < len(self.seen):
            said.append(checked_from(len(heard), len(self.seen)))
        return ", ".join(said)

    @property
    def well(self) -> bool:
        return not self.firing and (self.last is None or self.last.passed)


@dataclass(frozen=True, slots=True)
class Serving:
    """The release that serves. since, by: of the rollout that brought it; None and empty when none is known."""

    version: str
    since: datetime | None = None
    by: str = ""
    rollout_id: int | None = None


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """Figures of one lane; None for what is not known.

    errors: share of failed requests in the last five minutes, against `limit`. latency: of the same minutes, the one
    nearest to its limit. day, week: share that succeeded; of the worst check's time (`by_checks`) where no requests
    were counted. budget: what is left of a week's error budget, where the lane has one of its own. at: unix seconds of
    the newest measurement.
    """

    lane: Lane
    alerts: tuple[Alert, ...] = ()
    errors: float | None = None
    limit: float | None = None
    day: Availability | None = None
    week: Availability | None = None
    budget: float | None = None
    at: float | None = None
    latency: Latency | None = None
    checks: tuple[CheckHealth, ...] = ()
    by_checks: bool = False
    serving: Serving | None = None
    active: Active | None = None
    lock: Lock | None = None
    drift: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong, as far as it is known. What is silenced is wrong all the same."""
        slow = self.latency is not None and self.latency.over
        return not self.alerts and not self.failing and not slow and all(check.well for check in self.checks)

    @property
    def failing(self) -> bool:
        """Whether more requests fail than may."""
        return self.errors is not None and self.limit is not None and self.errors > self.limit

    @property
    def known(self) -> bool:
        """Whether anything is known of how it is doing now."""
        return self.errors is not None or any(check.last is not None for check in self.checks)


@dataclass(frozen=True, slots=True)
class Strip:
    """The share of failed requests in slots of `slot_s` seconds from `since` on (unix seconds).

    It is None in a slot without requests.
    """

    lane: Lane
    since: float
    slot_s: float
    shares: tuple[float | None, ...]

    @property
    def empty(self) -> bool:
        return all(share is None for share in self.shares)


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Lanes of one server, what is wrong first; and all its open alerts, the worst first."""

    lanes: tuple[LaneHealth, ...]
    alerts: tuple[Alert, ...]


def lane_health(
    lane: Lane,
    policy: JudgePolicy,
    state: WatchState | None,
    alerts: tuple[Alert, ...],
    now: float,
    *,
    rules: Iterable[WatchRule] = (),
    checks: tuple[CheckHealth, ...] = (),
) -> LaneHealth:
    """The figures at `now` (unix seconds)."""
    state = state or WatchState()
    recent, limit = in_recent(state, now).success, error_limit(policy)
    day, week = _counted(state.day, DAY_S, now), _counted(state.week, WEEK_S, now)
    by_checks = day is None and week is None
    if by_checks:
        day = _worst(check.day for check in checks)
        week = _worst(check.week for check in checks)
    return LaneHealth(
        lane,
        alerts,
        errors=None if recent is None else 1 - recent,
        limit=limit,
        day=day,
        week=week,
        budget=budget_left(state, policy) if state.at else None,
        at=state.at or None,
        latency=latency(rules, state, now),
        checks=checks,
        by_checks=by_checks and week is not None,
    )


def check_health(
    name: str,
    monitor: Monitor,
    state: MonitorState | None,
    now: float,
    *,
    critical: bool = False,
    day: tuple[float, float] = (0.0, 0.0),
    week: tuple[float, float] = (0.0, 0.0),
) -> CheckHealth:
    """The check at `now` (unix seconds). day, week: seconds in which it passed and failed."""
    if state is None:
        return CheckHealth(name, critical, seen=tuple(map(Seen, monitor.locations)))
    asked = state.last is not None and now - state.last.at <= max(monitor.longest_s, RECENT_S)
    timed = asked and monitor.timed and state.recent
    return CheckHealth(
        name,
        critical,
        state.last if asked else None,
        _passed(*day),
        _passed(*week),
        p95([seconds for _, seconds in state.recent]) if timed else None,
        monitor.rules.p95_s if monitor.timed else None,
        tuple(sorted(state.firing)),
        tuple(_fresh(state.seen, name, monitor, now) for name in monitor.locations),
    )


def _fresh(known: Iterable[Seen], location: str, monitor: Monitor, now: float) -> Seen:
    result = next((each.result for each in known if each.location == location), None)
    old = result is not None and now - result.at > max(monitor.longest_s, RECENT_S)
    return Seen(location, None if old else result)


def strip(lane: Lane, since: float, slot_s: float, slots: int, counts: Mapping[int, Counts]) -> Strip:
    """From what was counted, by the numbers of the slots."""
    found = (counts.get(number, Counts()) for number in range(slots))
    return Strip(lane, since, slot_s, tuple(each.bad / each.total if each.total else None for each in found))


def latency(rules: Iterable[WatchRule], state: WatchState, now: float) -> Latency | None:
    """Of the limits on latency that have requests in the last minutes before `now`, the one nearest to being broken."""
    found = []
    for condition in {one.name: one for rule in rules for one in rule.conditions}.values():
        known = state.conditions.get(condition.name)
        if condition.metric != "latency" or condition.quantile is None or known is None or not known.total:
            continue
        if known.window[-1][0] >= now - RECENT_S:
            lies = next(
                (
                    each
                    for each in state.quantiles
                    if each.quantile == condition.quantile and each.at >= now - RECENT_S
                ),
                None,
            )
            allowed = round(1 - condition.quantile, 12)
            found.append(Latency(condition.limit, known.bad / known.total, allowed, lies))
    return max(found, key=lambda each: each.slow / each.allowed, default=None)


def _counted(window: Window, span_s: float, now: float) -> Availability | None:
    """Of the requests in the slots that end in the last `span_s` seconds; None without any."""
    recent = tuple(slot for slot in window if slot[0] + span_s / SLOTS > now - span_s)
    served = Served(*sums(recent, len(Served._fields)))
    return Availability(served.success, min(served.seconds, span_s)) if served.success is not None else None


def _passed(up_s: float, down_s: float) -> Availability | None:
    return Availability(up_s / (up_s + down_s), up_s + down_s) if up_s + down_s else None


def _worst(found: Iterable[Availability | None]) -> Availability | None:
    return min((each for each in found if each is not None), key=lambda each: each.share, default=None)
