"""Plain rules: parse them as teams write them, and track whether they are broken."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.policy import Operator, PolicyError, Rule
from bot.domain.judge.statistics.power import at_least

EXAMPLES = (
    "error_rate > 5% over 5m",
    "p99 > 5s for 2m",
    "health check failing for 30s",
    "any P1 alert firing",
    "gateway disconnected for 2m",
)
# A candidate that is worse than stable, or than a limit, by chance is so at most so often.
_BY_CHANCE = 0.01
# Of a rule's limit: above it, stable is in trouble too.
_TROUBLE = 0.5
_SUMS = 6  # of a slot: requests and bad ones, and what stands beside them
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TIME = r"(\d+(?:\.\d+)?)\s*(ms|sec|s|min|m|h)"
_REQUESTS = re.compile(
    r"^([a-z][\w.-]*)\s*(>=|<=|>|<|=+)\s*(\S+(?:\s+(?:%|ms|sec|s|min|m|h)(?=\s|$))?)\s*(.*)$", re.I
)
_QUANTILE = re.compile(r"^p(\d{1,3}(?:\.\d+)?)$", re.I)
_SIGNALS = (
    (re.compile(r"^health(?:\s*check)?\s+(?:is\s+)?failing\b\s*(.*)$", re.I), "health"),
    (re.compile(r"^gateway\s+(?:is\s+)?disconnected\b\s*(.*)$", re.I), "gateway"),
    (re.compile(r"^any\s+(?:([\w-]+)\s+)?alert\s+(?:is\s+)?firing\b\s*(.*)$", re.I), "alert"),
)


class RuleError(PolicyError):
    """A plain rule that cannot be read; the message says what is wrong and shows one that works."""


def parse_rule(text: str, *, enforce: bool = True) -> Rule:
    """Parse one plain rule, such as those in `EXAMPLES`. Its name is its text. Raises RuleError.

    Request rules: `METRIC op LIMIT [over TIME] [for TIME] [with at least N requests]`, where METRIC is
    error_rate, success_rate, p50 to p99.9, or another proportion that readings carry. Signal rules may end in
    `for TIME`.
    """
    said = " ".join(text.split())
    for pattern, metric in _SIGNALS:
        found = pattern.match(said)
        if found:
            subject = (found[1] or None) if metric == "alert" else None
            rest = _tail(said, found[found.re.groups], {"for"})
            return Rule(said, metric, subject=subject, for_s=rest.get("for", 0.0), enforce=enforce)  # type: ignore[arg-type]
    found = _REQUESTS.match(said)
    if not found:
        close = difflib.get_close_matches(said, EXAMPLES, n=1, cutoff=0.4)
        raise RuleError(f"cannot read the rule {said!r}; write it like {(close or EXAMPLES)[0]!r}")
    metric, op, limit, ending = found[1].lower(), found[2], found[3], found[4]
    rest = _tail(said, ending, {"over", "for", "requests"})
    timing = {"over_s": rest.get("over", 60.0), "for_s": rest.get("for", 0.0)}
    rule = _request_rule(said, metric, op, limit)
    return replace(rule, **timing, min_requests=int(rest.get("requests", rule.min_requests)), enforce=enforce)  # type: ignore[arg-type]


def _request_rule(said: str, metric: str, op: str, limit: str) -> Rule:
    quantile = _QUANTILE.match(metric)
    if quantile:
        share = float(quantile[1]) / 100
        if not 0 < share < 1:
            raise RuleError(f"{said!r}: a quantile is between p0 and p100, such as p99")
        return Rule(said, "latency", _upward(said, metric, op), _seconds(said, limit), quantile=share)
    if metric == "success_rate":
        if op not in ("<", "<="):
            raise RuleError(f"{said!r}: success_rate is bad when it is low: write 'success_rate < 95%'")
        # Fewer than 95% succeed is the same as more than 5% fail.
        return Rule(said, "error_rate", ">" if op == "<" else ">=", round(1 - _proportion(said, limit), 12))
    if metric == "error_rate":
        return Rule(said, "error_rate", _upward(said, metric, op), _proportion(said, limit))
    close = difflib.get_close_matches(metric, ("error_rate", "success_rate"), n=1, cutoff=0.7)
    if close:
        raise RuleError(f"{said!r}: there is no {metric}; did you mean {close[0]}?")
    return Rule(said, "proportion", _upward(said, metric, op), _proportion(said, limit), subject=metric)


def _upward(said: str, metric: str, op: str) -> Operator:
    if op in (">", ">="):
        return ">" if op == ">" else ">="
    raise RuleError(f"{said!r}: {metric} is bad when it is high: write > or >= instead of {op}")


def _proportion(said: str, limit: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", limit)
    if not found or not 0 <= float(found[1]) <= 100:
        raise RuleError(f"{said!r}: {limit!r} is not a percentage; write it like 5%")
    return float(found[1]) / 100


def _seconds(said: str, limit: str) -> float:
    found = re.fullmatch(_TIME, limit, re.I)
    if not found or float(found[1]) <= 0:
        raise RuleError(f"{said!r}: {limit!r} is not a time; write it with a unit, such as 5s or 250ms")
    return float(found[1]) * _UNITS[found[2].lower()]


def _tail(said: str, text: str, allowed: set[str]) -> dict[str, float]:
    """`over TIME`, `for TIME`, `with at least N requests`, in any order, each once."""
    found: dict[str, float] = {}
    pattern = re.compile(
        rf"\s*(?:(over|for)\s+{_TIME}|(?:with\s+)?at\s+least\s+(\d+)\s+(requests))(?=\s|$)", re.I
    )
    rest = text
    while rest.strip():
        match = pattern.match(rest)
        key = (match[1] or match[5]).lower() if match else ""
        if not match or key not in allowed or key in found:
            can = " and ".join(sorted(f"'{word} 2m'" for word in allowed - {"requests"}))
            raise RuleError(f"{said!r}: cannot read {rest.strip()!r} at its end; allowed there: {can}")
        found[key] = float(match[4]) if key == "requests" else float(match[2]) * _UNITS[match[3].lower()]
        if found[key] <= 0:
            raise RuleError(f"{said!r}: {rest.strip()!r} must be above 0")
        rest = rest[match.end() :]
    return found


@dataclass(frozen=True, slots=True)
class RuleState:
    """State of one rule: whether it was broken at the last readable look, and for how long without pause (measured).

    total, bad: the candidate's requests in the window. beside: of ticks in which both had requests: those of stable,
        its bad ones, the candidate's bad ones, and a thousand times how many of all these its traffic explains.
    """

    window: Window = ()
    broken: bool = False
    held_s: float = 0.0
    total: int = 0
    bad: int = 0
    detail: str = ""
    beside: tuple[int, ...] = (0, 0, 0, 0)

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        rest = [self.broken, self.held_s, self.total, self.bad, self.detail, list(self.beside)]
        return [[list(slot) for slot in self.window], *rest]

    @classmethod
    def from_json(cls, stored: list[Any]) -> RuleState:
        """Inverse of `to_json`."""
        window, broken, held_s, total, bad, detail, *beside = stored
        # Slots from before stable was counted end after two sums.
        slots = tuple((*slot, 0, 0, 0, 0)[: 1 + _SUMS] for slot in window)
        return cls(slots, broken, held_s, total, bad, detail, tuple(beside[0]) if beside else (0, 0, 0, 0))


def advance_rule(rule: Rule, state: RuleState, tick: Tick) -> RuleState:
    """The rule's state after one tick. What could not be read changes nothing: it is neither good nor bad."""
    if rule.signal is not None:
        signal = tick.signals.get(rule.signal)
        if signal is None or signal.bad is None:
            return state
        held = _held(state, signal.bad, tick.seconds)
        return RuleState(broken=signal.bad, held_s=held, detail=signal.detail)
    counts = tick.candidate.get(rule.name, Counts())
    window = push(
        state.window, rule.over_s, tick.at, (counts.total, counts.bad, *_paired(rule, tick, counts))
    )
    total, bad, *beside = sums(window, _SUMS)
    broken = _breaks(rule, total, bad)
    held = state.held_s if tick.errors else _held(state, broken, tick.seconds)
    return RuleState(window, broken, held if broken else 0.0, total, bad, "", tuple(beside))


def _paired(rule: Rule, tick: Tick, candidate: Counts) -> tuple[int, int, int, int]:
    """What `RuleState.beside` adds up, of one tick; zeros unless both releases had requests in it."""
    stable = (tick.stable or {}).get(rule.name, Counts())
    if not (candidate.total and stable.total):
        return 0, 0, 0, 0
    share = candidate.total / (candidate.total + stable.total)
    return stable.total, stable.bad, candidate.bad, round(1000 * share * (candidate.bad + stable.bad))


def tolerated_share(rule: Rule) -> float:
    """The share of requests that may be bad."""
    return rule.limit if rule.quantile is None else 1 - rule.quantile


def _breaks(rule: Rule, total: int, bad: int, of: float = 1.0) -> bool:
    """Whether the rate breaks that part of the limit."""
    tolerated = of * tolerated_share(rule)
    rate = bad / total if total else 0.0
    # 1 - 0.99 is a little above 0.01, and exactly 1% of requests must not hang on that.
    above = rate > tolerated + 1e-12 or (rule.op == ">=" and rate >= tolerated - 1e-12)
    return total >= max(1, rule.min_requests) and above


def shared(rule: Rule, state: RuleState) -> bool:
    """Whether stable was in trouble in the same ticks, and the candidate no more often than chance explains.

    Trouble is more than half of the rule's limit: near the limit, chance decides which of two releases breaks it.
    """
    stable_total, stable_bad, bad, expected = state.beside
    in_trouble = _breaks(rule, stable_total, stable_bad, _TROUBLE)
    if rule.signal is not None or not state.broken or not in_trouble:
        return False
    both = bad + stable_bad
    return at_least(bad, both, expected / 1000 / both) > _BY_CHANCE


def _held(state: RuleState, broken: bool, seconds: float) -> float:
    """Seconds without pause; the first tick that finds it broken starts at zero."""
    if not broken:
        return 0.0
    return state.held_s + seconds if state.broken else 0.0


def fails(rule: Rule, state: RuleState) -> bool:
    """Whether the rule has been broken for as long as it demands."""
    return state.broken and state.held_s >= rule.for_s


def in_doubt(rule: Rule, state: RuleState) -> bool:
    """Whether it would be broken, had it lasted for its time or were there as many requests as its minimum.

    Of requests, more must be bad than chance explains at the limit: one slow request of 30 says nothing of p99.
    """
    if fails(rule, state):
        return False
    if rule.signal is not None:
        return state.broken
    return state.bad > 0 and at_least(state.bad, state.total, tolerated_share(rule)) <= _BY_CHANCE


SLOTS = 12
JUST_NOW = SLOTS // 3  # the slots at the end of a window that are its last third

# One slot: when it began (unix seconds, a multiple of the slot's length), then the sums in it.
Slot = tuple[float, ...]
Window = tuple[Slot, ...]


def push(window: Window, span_s: float, at: float, values: tuple[int, ...]) -> Window:
    """The window with `values` added at time `at`, without slots that are older than `span_s`."""
    length = span_s / SLOTS
    begin = at // length * length
    if window and window[-1][0] >= begin:
        last = window[-1]
        merged = (last[0], *[a + b for a, b in zip(last[1:], values, strict=True)])
        kept = (*window[:-1], merged)
    else:
        kept = (*window, (begin, *values))
    oldest = at - span_s
    while kept[0][0] + length <= oldest:
        kept = kept[1:]
    return kept


def sums(window: Window, width: int) -> tuple[int, ...]:
    """The `width` sums over the whole window; zeros when it is empty."""
    if not window:
        return (0,) * width
    return tuple([int(sum(column)) for column in list(zip(*window, strict=True))[1:]])
