"""Rules over what a lane serves, between rollouts too: plain thresholds, and burn rates of objectives.

A rule fires while one of its ways has all its conditions broken. Conditions are plain rules in the judge's notation,
each over its own window, so that a long one says it matters and a short one that it is still going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bot.domain.formatting import duration, percent
from bot.domain.judge.evidence.ticks import Signal, Tick
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy, Rule
from bot.domain.judge.rules import RuleState, Window, advance_rule, fails, push, sums
from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.domain.watch.latencies import RECENT_S, QuantileRange
from bot.domain.watch.signals import Signals, forgotten, heard, worst
from bot.domain.watch.signals import from_json as signals_from_json
from bot.domain.watch.signals import to_json as signals_to_json

ERRORS = "errors"
# The source of findings about what lanes serve.
RULES = "rule"
DAY_S, WEEK_S = 86_400.0, 604_800.0
# A tick that is older than the newest one by less than this was told twice; by more, the clock was set back.
_SET_BACK_S = 60.0
_SUMS = 3  # of a slot of `WatchState.day`: seconds that were counted, requests, bad requests


@dataclass(frozen=True, slots=True)
class WatchRule:
    """What is alerted about a lane that serves.

    ways: it fires while every condition of one of them is broken. after_deploy_s: it counts only for so long after a
    rollout succeeded, and only what the release served. rollback: it rolls that rollout back at once, where the lane
    allows it. cover: the share of each window that a lane must have served. runbook: a link; empty for the lane's.
    """

    name: str
    ways: tuple[tuple[Rule, ...], ...]
    severity: Severity = Severity.MEDIUM
    after_deploy_s: float | None = None
    rollback: bool = False
    cover: float = 0.0
    runbook: str = ""

    @property
    def conditions(self) -> tuple[Rule, ...]:
        return tuple(dict.fromkeys(condition for way in self.ways for condition in way))


class News(NamedTuple):
    """A rule that began to fire at `at` (unix seconds), or no longer does.

    value, limit, and the conditions that are broken (`said`): for people.
    """

    rule: WatchRule
    firing: bool
    at: float
    value: str = ""
    limit: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class WatchState:
    """What is known of a lane after its ticks until `at` (unix seconds).

    conditions: by their names. firing: rules by their names, each with since when. recent, day, week: what was served.
    release, release_at: the digest of what serves, as far as it is known, and since when. signals: what was heard
    beside the counts. quantiles: how long requests took lately, where the source of the lane tells it.
    """

    at: float = 0.0
    conditions: Mapping[str, RuleState] = field(default_factory=dict)
    firing: Mapping[str, float] = field(default_factory=dict)
    day: Window = ()
    week: Window = ()
    recent: Window = ()
    release: str = ""
    release_at: float = 0.0
    signals: Signals = field(default_factory=dict)
    quantiles: tuple[QuantileRange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "at": self.at,
            "conditions": {name: state.to_json() for name, state in self.conditions.items()},
            "firing": dict(self.firing),
            "day": [list(slot) for slot in self.day],
            "week": [list(slot) for slot in self.week],
            "recent": [list(slot) for slot in self.recent],
            "release": self.release,
            "release_at": self.release_at,
            "signals": signals_to_json(self.signals),
            "quantiles": [list(each) for each in self.quantiles],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> WatchState:
        """Inverse of `to_json`."""
        return cls(
            stored["at"],
            {name: RuleState.from_json(state) for name, state in stored["conditions"].items()},
            stored["firing"],
            tuple(map(tuple, stored["day"])),
            tuple(map(tuple, stored["week"])),
            tuple(map(tuple, stored["recent"])),
            stored["release"],
            # Rows from before signals were heard have none.
            stored.get("release_at", 0.0),
            signals_from_json(stored.get("signals", {})),
            tuple(QuantileRange(*each) for each in stored.get("quantiles", ())),
        )


def watched(rule: Rule) -> str | None:
    """What of a `ServedTick` the condition counts; None for signals, which ticks do not have."""
    if rule.signal is not None:
        return None
    if rule.metric == "latency":
        return f"latency>{rule.limit:g}s"
    return ERRORS if rule.metric == "error_rate" else f"proportion:{rule.subject}"


def advance_watch(
    rules: Iterable[WatchRule], state: WatchState, tick: ServedTick, release: str = ""
) -> tuple[WatchState, tuple[News, ...]]:
    """The state after a tick, and what began or ended with it.

    A tick that is not newer changes nothing, unless the clock was set back: then what lies ahead of it is forgotten.
    What a tick does not have is not known: it neither begins nor ends anything. release: the digest of what served it;
    empty for the same as before.
    """
    if tick.at <= state.at:
        if state.at - tick.at < _SET_BACK_S:
            return state, ()
        state = _before(state, tick.at)
    rules = tuple(rules)
    known = dict(state.conditions)
    if release and release != state.release:
        # What another release served says nothing about this one. The budget is the lane's: what is measured against
        # it goes on.
        for condition in (one for rule in rules if not rule.cover for one in rule.conditions):
            known.pop(condition.name, None)
        state = replace(state, release=release, release_at=tick.at)
    conditions = {
        condition.name: _advanced(condition, known.get(condition.name, RuleState()), tick, state)
        for rule in rules
        for condition in rule.conditions
    }
    day, week, recent = _added(state, tick)
    state, news = _judged(rules, replace(state, conditions=conditions), tick.at)
    return replace(state, at=tick.at, day=day, week=week, recent=recent), news


def _before(state: WatchState, at: float) -> WatchState:
    """What is known of the time before `at`."""

    def kept(window: Window) -> Window:
        return tuple(slot for slot in window if slot[0] <= at)

    return replace(
        state,
        at=at,
        conditions={
            name: replace(known, window=kept(known.window)) for name, known in state.conditions.items()
        },
        day=kept(state.day),
        week=kept(state.week),
        recent=kept(state.recent),
        release_at=min(state.release_at, at),
    )


def advance_signals(
    rules: Iterable[WatchRule], state: WatchState, origin: str, said: Mapping[str, Signal], at: float
) -> tuple[WatchState, tuple[News, ...]]:
    """The state after `origin`, such as a monitor, said at `at` (unix seconds) how it stands with these signals."""
    rules = tuple(rules)
    signals = heard(forgotten(state.signals, at), origin, said, at)
    conditions = dict(state.conditions)
    for condition in (one for rule in rules for one in rule.conditions if one.signal is not None):
        conditions[condition.name] = _of_signals(condition, replace(state, signals=signals))
    return _judged(rules, replace(state, signals=signals, conditions=conditions), at)


def _judged(
    rules: tuple[WatchRule, ...], state: WatchState, at: float
) -> tuple[WatchState, tuple[News, ...]]:
    """What fires by the conditions as they are now."""
    news = tuple(found for rule in rules if (found := _news(rule, state, at)) is not None)
    return replace(state, firing=_fire(rules, state.firing, news)), news


def _added(state: WatchState, tick: ServedTick) -> tuple[Window, Window, Window]:
    """Day, week and the last minutes with the tick."""
    served = tick.counts.get(ERRORS)
    if served is None:
        return state.day, state.week, state.recent
    added = (round(tick.seconds), served.total, served.bad)
    return (
        push(state.day, DAY_S, tick.at, added),
        push(state.week, WEEK_S, tick.at, added),
        push(state.recent, RECENT_S, tick.at, added),
    )


def _fire(
    rules: Iterable[WatchRule], before: Mapping[str, float], news: Iterable[News]
) -> Mapping[str, float]:
    """What fires after the news, of the rules that there are."""
    names = {rule.name for rule in rules}
    firing = {name: since for name, since in before.items() if name in names}
    for said in news:
        if said.firing:
            firing[said.rule.name] = said.at
        else:
            del firing[said.rule.name]
    return firing


def _advanced(condition: Rule, before: RuleState, tick: ServedTick, state: WatchState) -> RuleState:
    if condition.signal is not None:
        return _of_signals(condition, state)
    counted = tick.counts.get(watched(condition) or "")
    if counted is None:
        return before
    return advance_rule(
        condition, before, Tick(at=tick.at, seconds=tick.seconds, candidate={condition.name: counted})
    )


def _of_signals(condition: Rule, state: WatchState) -> RuleState:
    """How a signal stands. What was so before the release served is none of its trouble."""
    found = worst(state.signals, condition.signal or "")
    if found is None or not found.bad:
        return RuleState()
    held_s = max(0.0, found.at - max(found.since, state.release_at))
    return RuleState(broken=True, held_s=held_s, detail=found.detail)


def _news(rule: WatchRule, state: WatchState, at: float) -> News | None:
    way = next((way for way in rule.ways if _broken(rule, way, state.conditions)), None)
    fired = rule.name in state.firing
    if way is None:
        return News(rule, False, at) if fired else None
    return None if fired else News(rule, True, at, *_figures(way, state.conditions))


def _figures(way: tuple[Rule, ...], conditions: Mapping[str, RuleState]) -> tuple[str, str, str]:
    """The condition with the shortest window speaks for the way."""
    shown = min(way, key=lambda one: one.over_s)
    return *shown_as(shown, conditions[shown.name]), " and ".join(one.name for one in way)


def shown_now(rules: Iterable[WatchRule], state: WatchState) -> Iterable[News]:
    """What fires, as it stands now."""
    for rule in rules:
        since = state.firing.get(rule.name)
        way = next((way for way in rule.ways if _broken(rule, way, state.conditions)), None)
        if since is not None and way is not None:
            yield News(rule, True, since, *_figures(way, state.conditions))


def _broken(rule: WatchRule, way: tuple[Rule, ...], conditions: Mapping[str, RuleState]) -> bool:
    return all(
        one.name in conditions
        and fails(one, conditions[one.name])
        and _covered(rule, one, conditions[one.name])
        for one in way
    )


def _covered(rule: WatchRule, condition: Rule, state: RuleState) -> bool:
    """Whether the window is known for as long as the rule asks, to a slot."""
    if not rule.cover or not state.window:
        return not rule.cover
    return state.window[-1][0] - state.window[0][0] >= rule.cover * condition.over_s


def shown_as(condition: Rule, state: RuleState) -> tuple[str, str]:
    """What was measured, and the limit, for people: `52%` and `10%`, or `p95 above 800 ms: 12% of requests`.

    For a signal, for how long: `2 min` and `2 min`.
    """
    if condition.signal is not None:
        return duration(round(state.held_s)), duration(condition.for_s)
    share = state.bad / state.total if state.total else 0.0
    if condition.quantile is None:
        return percent(share), percent(condition.limit)
    return f"{percent(share)} above {duration(condition.limit)}", percent(1 - condition.quantile)


class Served(NamedTuple):
    """What was served in a time. seconds: for which it was counted."""

    seconds: int
    requests: int
    bad: int

    @property
    def success(self) -> float | None:
        """Share of the requests that succeeded; None without requests."""
        return 1 - self.bad / self.requests if self.requests else None


def in_recent(state: WatchState, now: float) -> Served:
    """The last five minutes before `now` (unix seconds), to half a minute; nothing when it was not measured since."""
    return Served(*sums(tuple(slot for slot in state.recent if slot[0] >= now - RECENT_S), _SUMS))


def in_day(state: WatchState) -> Served:
    """The last 24 hours, to two hours."""
    return Served(*sums(state.day, _SUMS))


def in_week(state: WatchState) -> Served:
    """The last seven days, to 14 hours."""
    return Served(*sums(state.week, _SUMS))


def error_limit(policy: JudgePolicy) -> float | None:
    """The tightest enforced limit on errors; None without one."""
    limits = (each.limit for each in policy.objectives if each.kind == "errors" and each.enforce)
    return min(limits, default=None)


def budget_left(state: WatchState, policy: JudgePolicy) -> float | None:
    """The share of a week's error budget that is left, 0 when it is spent; None without requests, or a limit on errors.

    The budget is what the tightest limit on errors allows of the requests of the last seven days.
    """
    limit, week = error_limit(policy), in_week(state)
    if limit is None or not week.requests:
        return None
    return max(0.0, 1 - week.bad / (limit * week.requests))


def on_alerts(rules: Iterable[WatchRule]) -> Iterable[tuple[WatchRule, Severity]]:
    """The rules that fire with an alert of another program or of a monitor, each with the mildest severity."""
    for rule in rules:
        for way in rule.ways:
            if len(way) == 1 and way[0].metric == "alert":
                yield rule, severity_of(way[0].subject or "") or Severity.LOW


def measured_latencies(rules: Iterable[WatchRule]) -> tuple[Rule, ...]:
    """The conditions that a policy of its own does not count."""
    return tuple(
        dict.fromkeys(
            one for rule in rules for one in rule.conditions if one.metric in ("latency", "proportion")
        )
    )
