"""Rules of self-monitoring: what is broken, for how long it has to be, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from bot.domain.formatting import duration, percent
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.self_monitoring.vitals import Vitals

SOURCE = "slipway"
_NOT_CONNECTED = "Slipway is not connected to Discord"
# What alerts of that rule are grouped by.
GATEWAY_AWAY = f"{SOURCE}: {_NOT_CONNECTED}"
WINDOW_S = 300.0
# A longer time between two looks is a process that stood still: what was before says nothing.
_GAP_S = 60.0
_ERRORS, _FEWEST = 0.01, 100
_OLDEST_EFFECT_S = 30.0
_MEMORY, _CPU = 0.8, 0.7


class SelfMeasured(NamedTuple):
    """What a rule sees. broken: None when it is not known, which neither begins nor ends anything."""

    broken: bool | None
    value: str = ""


@dataclass(frozen=True, slots=True)
class SelfRule:
    """measure: of the newest vitals and of those five minutes before, if they are known. for_s: how long it has to be
    broken. limit: for people.
    """

    name: str
    title: str
    severity: Severity
    limit: str
    measure: Callable[[Vitals, Vitals | None], SelfMeasured]
    for_s: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class SelfState:
    """What is remembered between two looks.

    window: vitals of the last five minutes, oldest first. broken: rules by their names, each with since when. firing:
    those that fire. untold: rules of which this process has told nothing yet: a former one may have.
    """

    window: tuple[Vitals, ...] = ()
    broken: Mapping[str, float] = field(default_factory=dict)
    firing: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()


def begin() -> SelfState:
    """Of a process that has just started."""
    return SelfState(untold=frozenset(rule.name for rule in RULES))


def look(state: SelfState, vitals: Vitals, process: str) -> tuple[SelfState, Sequence[Finding]]:
    """The state after `vitals`, and the findings that begin or end with it.

    process: names its findings: the same for the process that comes after it.
    """
    window, broken = _window(state, vitals), dict(state.broken)
    if len(window) == 1:
        broken.clear()
    before = window[0] if vitals.at - window[0].at >= WINDOW_S else None
    firing, found, told = set(state.firing), [], set[str]()
    for rule in RULES:
        measured = rule.measure(vitals, before)
        if measured.broken is None:
            continue
        if measured.broken:
            since = broken.setdefault(rule.name, vitals.at)
            fires = rule.name in firing or vitals.at - since >= rule.for_s
        else:
            broken.pop(rule.name, None)
            fires = False
        if fires is not (rule.name in firing) or (rule.name in state.untold and not measured.broken):
            told.add(rule.name)
            found.append(_finding(rule, measured, broken.get(rule.name, vitals.at), process, fires=fires))
        firing = firing | {rule.name} if fires else firing - {rule.name}
    return SelfState(window, broken, frozenset(firing), state.untold - told), found


def standing(state: SelfState, process: str) -> Sequence[Finding]:
    """What fires, as it stands now."""
    vitals = state.window[-1]
    before = state.window[0] if vitals.at - state.window[0].at >= WINDOW_S else None
    return [
        _finding(rule, measured, state.broken[rule.name], process, fires=True)
        for rule in RULES
        if rule.name in state.firing and (measured := rule.measure(vitals, before)).broken
    ]


def _window(state: SelfState, vitals: Vitals) -> tuple[Vitals, ...]:
    """The last five minutes, and the newest vitals before them."""
    if not state.window or not 0 < vitals.at - state.window[-1].at <= _GAP_S:
        return (vitals,)
    kept = (*state.window, vitals)
    older = sum(vitals.at - each.at >= WINDOW_S for each in kept)
    return kept[max(0, older - 1) :]


def _finding(rule: SelfRule, measured: SelfMeasured, since: float, process: str, *, fires: bool) -> Finding:
    return Finding(
        fingerprint=f"{SOURCE}/{process}/{rule.name}",
        source=SOURCE,
        title=rule.title,
        at=datetime.fromtimestamp(since, UTC),
        firing=fires,
        severity=rule.severity,
        text=rule.text if fires else "",
        value=measured.value if fires else "",
        limit=rule.limit,
        labels={"process": process, "rule": rule.name},
    )


# ---- what is measured ----


def _gateway(now: Vitals, _: Vitals | None) -> SelfMeasured:
    return SelfMeasured(now.gateway is False)


def _database(now: Vitals, _: Vitals | None) -> SelfMeasured:
    return SelfMeasured(not now.database)


def _statements(now: Vitals, before: Vitals | None) -> SelfMeasured:
    if before is None:
        return SelfMeasured(None)
    asked, failed = now.statements - before.statements, now.failed - before.failed
    if asked < _FEWEST:
        return SelfMeasured(False)
    return SelfMeasured(failed > _ERRORS * asked, percent(failed / asked))


def _redis(now: Vitals, _: Vitals | None) -> SelfMeasured:
    return SelfMeasured(now.redis is False)


def _effects(now: Vitals, _: Vitals | None) -> SelfMeasured:
    oldest_s = now.oldest_effect_s
    if oldest_s is None:
        return SelfMeasured(None)
    return SelfMeasured(oldest_s > _OLDEST_EFFECT_S, duration(round(oldest_s)))


def _loops(now: Vitals, _: Vitals | None) -> SelfMeasured:
    """While the database is away, most loops wait for it: that is another finding."""
    if not now.database:
        return SelfMeasured(None)
    late = sorted(now.late.items(), key=lambda each: -each[1])
    return SelfMeasured(bool(late), ", ".join(f"{name} for {duration(round(s))}" for name, s in late[:3]))


def _memory(now: Vitals, _: Vitals | None) -> SelfMeasured:
    if now.memory is None:
        return SelfMeasured(False)
    return SelfMeasured(now.memory > _MEMORY, percent(now.memory))


def _cpu(now: Vitals, before: Vitals | None) -> SelfMeasured:
    if before is None:
        return SelfMeasured(None)
    used = round((now.cpu_s - before.cpu_s) / (now.at - before.at), 4)
    return SelfMeasured(used > _CPU, f"{percent(used)} of a core")


RULES: Sequence[SelfRule] = (
    SelfRule(
        "gateway",
        _NOT_CONNECTED,
        Severity.CRITICAL,
        "2 min",
        _gateway,
        120.0,
        "Rollouts go on by their rules. `slipway abort` and `slipway status` work on the machine.",
    ),
    SelfRule(
        "database",
        "The database does not answer Slipway",
        Severity.CRITICAL,
        "30 s",
        _database,
        30.0,
        "Presses are refused and rollouts wait. Services go on.",
    ),
    SelfRule(
        "statements", "Slipway's database statements fail", Severity.CRITICAL, "1% over 5 min", _statements
    ),
    SelfRule(
        "redis",
        "Redis does not answer Slipway",
        Severity.MEDIUM,
        "1 min",
        _redis,
        60.0,
        "Limits and wake-ups are local to each process until it is back.",
    ),
    SelfRule(
        "effects",
        "Slipway's orders and messages are late",
        Severity.HIGH,
        "30 s",
        _effects,
        60.0,
        "A target or Discord does not take what was decided.",
    ),
    SelfRule(
        "loops",
        "A loop of Slipway has stalled",
        Severity.CRITICAL,
        "three rounds and 10 s",
        _loops,
        10.0,  # after the database was away, every loop needs a moment for its next round
        text="Restart the process: nothing is lost.",
    ),
    SelfRule("memory", "Slipway is short of memory", Severity.MEDIUM, "80% of its limit", _memory, 60.0),
    SelfRule("cpu", "Slipway is short of CPU", Severity.MEDIUM, "70% of a core over 5 min", _cpu),
)
