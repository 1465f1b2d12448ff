"""What to plan where no share of the traffic gives evidence: a probe or plain rules judge."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf

from bot.domain.formatting import counted, duration, percent
from bot.domain.judge.history.planning import (
    LONGEST_S,
    SHARES,
    TIMES,
    needed_s,
    rate_in_words,
    rounded_s,
    strictest,
    written,
)
from bot.domain.judge.policy import JudgePolicy, Rule

# A broken release fails nearly every probe.
_BROKEN = 0.99
# A rule sees a whole window of the candidate, and then as much again.
_WINDOWS = 2.0


def probe_lines(policy: JudgePolicy, looks_s: float | None, *, exclusive: bool) -> tuple[str, ...]:
    """For people: what the probes of a lane can find, and a plan. Empty without an enforced objective.

    looks_s: probes of a release a second, of all its instances; None: one instance, once a tick.
    exclusive: whether two releases never run at once.
    """
    strict = strictest(policy)
    if strict is None:
        return ()
    looks_s = looks_s or 1 / policy.tick_s
    some = min(_BROKEN, TIMES * strict.limit)
    found = {rate: needed_s(policy, strict, rate, looks_s) for rate in (some, _BROKEN)}
    floor_s = policy.floor(strict) / looks_s
    lines = [
        f"Probes judge here: about {_looks(looks_s)}, whatever share of the traffic a release has.",
        *(
            f"  a release that fails {percent(rate)} of them is found {_after(s)}"
            for rate, s in found.items()
        ),
        f"A soak needs {counted(policy.floor(strict), 'probe')} to pass, which takes {duration(rounded_s(floor_s))}.",
        "A probe finds what fails for everyone, and not what fails for some users or some requests.",
    ]
    soak_s = max(found[some], floor_s)
    if soak_s > LONGEST_S:
        return (*lines, "No soak within 1 h finds the first: a shorter tick: gives more probes.")
    return (*lines, _suggestion(None if exclusive else SHARES[1], soak_s))


def rule_lines(policy: JudgePolicy, requests_s: float | None, *, exclusive: bool) -> tuple[str, ...]:
    """For people: from which share of the traffic on each enforced plain rule can decide, and a plan.

    requests_s: of the whole lane, a second; None where it is not known.
    """
    rules = [rule for rule in policy.rules if rule.enforce]
    if not rules:
        return (
            "Its policy has no enforced objective and no enforced rule: only checks and time can judge here.",
        )
    head = f"This lane has about {rate_in_words(requests_s)}. " if requests_s else ""
    lines = [
        f"{head}Only plain rules judge here, without a stated chance of a false alarm:",
        *(f"  {rule.name}: {_decides(rule, requests_s)}" for rule in rules),
        f"A soak needs {counted(max(1, policy.min_requests), 'request')} to pass, whatever the rules say.",
    ]
    if any(rule.signal is None for rule in rules):
        lines.append("An objective, such as errors: 1%, judges the same requests with a stated chance.")
    if requests_s is None:
        return (*lines, "How many requests this lane has is not known, so no soak is suggested.")
    share = 1.0 if exclusive else _first_share(rules, requests_s)
    if share is None:
        return (
            *lines,
            "No share has enough requests for every rule: only checks, signals and time can judge here.",
        )
    longest_s = max((rule.over_s if rule.signal is None else 0.0) + rule.for_s for rule in rules)
    soak_s = max(_WINDOWS * longest_s, policy.min_requests / (requests_s * share))
    if soak_s > LONGEST_S:
        return (
            *lines,
            "No soak within 1 h has enough requests: only checks, signals and time can judge here.",
        )
    return (*lines, _suggestion(None if share == 1 else share, soak_s))


def _decides(rule: Rule, requests_s: float | None) -> str:
    if rule.signal is not None:
        after = f"after {duration(rule.for_s)}" if rule.for_s else "at once"
        return f"{after}, whatever the traffic"
    least = f"{counted(rule.min_requests, 'request')} in {duration(rule.over_s)}"
    if requests_s is None:
        return f"from {least} on"
    share = next((share for share in _shares() if _enough(rule, requests_s * share)), None)
    return f"from {percent(share)} of the traffic on ({least})" if share else f"never ({least})"


def _first_share(rules: list[Rule], requests_s: float) -> float | None:
    """The smallest share with which every rule can decide."""
    fit = (share for share in _shares() if all(_enough(rule, requests_s * share) for rule in rules))
    return next(fit, None)


def _enough(rule: Rule, requests_s: float) -> bool:
    return rule.signal is not None or requests_s * rule.over_s >= rule.min_requests


def _shares() -> Iterator[float]:
    yield from (*SHARES, 1.0)


def _looks(looks_s: float) -> str:
    return rate_in_words(looks_s).replace("request", "probe")


def _after(seconds: float) -> str:
    return "never" if seconds == inf else f"after about {duration(ceil(seconds))}"


def _suggestion(share: float | None, soak_s: float) -> str:
    """A plan as it is written in the catalog. share: of the first shift; None: all at once."""
    if share is None:
        return f"Suggested: [{{verify: /healthz}}, {{shift: 100}}, {{observe: {written(soak_s)}}}]"
    shifts = f"{{shift: {share * 100:g}}}, {{soak: {written(soak_s)}}}, {{shift: 100}}"
    return f"Suggested: [{{verify: /healthz}}, {shifts}, {{observe: 30m}}]"
