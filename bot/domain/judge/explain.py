"""Sentences for the card: each gives value, limit, samples and window, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log10

from bot.domain.formatting import count, duration, one_line, percent, times
from bot.domain.judge.policy import JudgePolicy, Objective, Rule
from bot.domain.judge.rules import JUST_NOW, SLOTS, RuleState, sums
from bot.domain.judge.state import JudgeState, Trial
from bot.domain.judge.statistics.confidence import bounds
from bot.domain.judge.statistics.instances import Culprit, Standing, beside
from bot.domain.judge.statistics.latency import Slower

# Sick instances that a sentence names, and letters of each.
_NAMED, _LETTERS = 2, 80
_MOST_ODDS = 1_000_000


def limit_sentence(state: JudgeState, policy: JudgePolicy, index: int, total: int, bad: int) -> str:
    """An objective's rate against its limit, after `bad` of `total`."""
    objective = policy.objectives[index]
    if not total:
        return f"no requests yet; at most {percent(objective.limit)} of {_allowed(state, objective)}"
    return _standing(state, policy, index, total, bad)


def _standing(state: JudgeState, policy: JudgePolicy, index: int, total: int, bad: int) -> str:
    objective, trial = policy.objectives[index], state.trials[index]
    limit = percent(objective.limit)
    said = f"{_share(state, objective, total, bad)}, limit {limit}"
    if trial.decided_at is not None:
        low = bounds(bad, total, policy.alpha, policy.phi).low if policy.phi is not None else 0.0
        proven = (
            f"the true rate is at least {percent(low)}"
            if low > objective.limit
            else f"the true rate is above {limit}"
        )
        return f"{said}: {proven}"
    if trial.trouble:
        return f"{said}{_trouble(state, policy, index)}"
    if bad > objective.limit * total:
        return f"{said}: above it, not yet beyond chance{_beside(state, index)}"
    if trial.log_m >= log(10):
        return f"{said}; earlier requests put it in doubt"
    missing = total < policy.floor(objective)
    return f"{said}; needs {count(policy.floor(objective))} requests" if missing else said


def _beside(state: JudgeState, index: int) -> str:
    """What stable had meanwhile, where both had traffic; empty where they did not."""
    pair = state.pairs[index]
    return f"; stable had {percent(pair.stable_bad / pair.stable_total)}" if pair.stable_total else ""


def _trouble(state: JudgeState, policy: JudgePolicy, index: int) -> str:
    if state.trials[index].trouble == "unknown":
        return ": beyond chance, but stable cannot be read now and may be above it too"
    if state.trials[index].trouble == "alike":
        pair = state.pairs[index]
        beside = percent(pair.stable_bad / pair.stable_total)
        return f": beyond chance, but stable had {beside} in the same time, so it is not shown to be worse"
    perhaps = state.trials[index].trouble == "perhaps"
    recent, span_s = state.recents[index], policy.recent_s
    total, bad = sums(recent, 4)[2:]
    if perhaps and bad <= policy.objectives[index].limit * total:  # so it was in the last third alone
        recent, span_s = recent[-JUST_NOW:], span_s * JUST_NOW / SLOTS
        total, bad = sums(recent, 4)[2:]
    lately = f"{percent(bad / total) if total else 'unknown'} in the last {duration(span_s)}"
    if perhaps:
        return f": beyond chance, but stable is above it too ({lately})"
    return f"; stable breaks it too ({lately}): rolling back would not help"


def _allowed(state: JudgeState, objective: Objective) -> str:
    if objective.kind == "errors":
        return "requests may fail"
    if objective.kind == "latency":
        return f"requests may take longer than {_bound(state, objective)}"
    return f"{objective.series or objective.name} may be bad"


def _share(state: JudgeState, objective: Objective, total: int, bad: int) -> str:
    share, of = percent(bad / total), f"({count(bad)} of {count(total)})"
    if objective.kind == "errors":
        return f"{share} of requests failed {of}"
    if objective.kind == "latency":
        return f"{share} of requests took longer than {_bound(state, objective)} {of}"
    return f"{share} of {objective.series or objective.name} was bad {of}"


def _bound(state: JudgeState, objective: Objective) -> str:
    """The time limit, and the histogram bucket that was read when it is another."""
    limit = objective.threshold_s or 0.0
    read = dict(state.buckets).get(objective.name, limit)
    if abs(read - limit) <= limit * 1e-6:
        return duration(limit)
    return f"{duration(limit)} (read at the {duration(read)} bucket)"


def compared_sentence(objective: Objective, trial: Trial) -> str:
    """The candidate's rate against stable's, over the time in which both had traffic."""
    limit = f"limit {times(objective.ratio or 1.0)} stable's rate"
    if not trial.total or not trial.stable_total:
        return f"no traffic on both releases at the same time yet; {limit}"
    rate, stable = trial.bad / trial.total, trial.stable_bad / trial.stable_total
    said = f"candidate {percent(rate)} (of {count(trial.total)})"
    said += f", stable {percent(stable)} (of {count(trial.stable_total)})"
    if trial.decided_at is None:
        return f"{said}; {limit}"
    excess = f"{times(rate / stable)} stable's rate" if stable else "stable has none"
    return f"{said}: {excess}, limit {times(objective.ratio or 1.0)}"


def latency_sentence(found: Slower) -> str:
    """The latency of both, and the odds that the candidate is slower."""
    name, chance = f"p{found.quantile * 100:g}", f"(odds {_odds(found.odds)}:1)"
    stable = _latency(found.stable_s)
    now = _latency(found.candidate_s) if found.candidate_s < inf else f"over {duration(found.last_s)}"
    return f"{name} went from {stable} to {now} {chance}"


def _latency(seconds: float) -> str:
    return duration(float(f"{seconds:.2g}"))


def _odds(odds: float) -> str:
    """Two significant digits, rounded down."""
    if odds >= _MOST_ODDS:
        return f"over {count(_MOST_ODDS)}"
    unit = 10 ** max(0, int(log10(max(1.0, odds))) - 1)
    return count(int(odds) // unit * unit)


def traffic_sentence(seen: int, needed: int) -> str:
    """How many requests a soak had that is judged by plain rules alone."""
    said = f"{count(seen)} requests" if seen else "no requests yet"
    return said if seen >= needed else f"{said}; {count(needed)} are needed"


def rule_sentence(rule: Rule, state: RuleState, *, failed: bool, shared: bool = False) -> str:
    """A plain rule's value against its limit. shared: stable has the same trouble."""
    if rule.signal is not None:
        if not state.broken:
            return f"{rule.name}: no"
        what = f"{rule.name}: yes" + (f" ({state.detail})" if state.detail else "")
        return what if failed or not rule.for_s else f"{what}, for {duration(state.held_s)} so far"
    if not state.total:
        return f"{rule.name}: no requests"
    slower = f" took longer than {duration(rule.limit)}" if rule.metric == "latency" else " bad"
    share = percent(state.bad / state.total)
    said = f"{rule.name}: {share}{slower} ({count(state.bad)} of {count(state.total)})"
    if state.total < rule.min_requests:
        return f"{said}; applies from {count(rule.min_requests)} requests"
    if shared:
        beside = percent(state.beside[1] / state.beside[0])
        return f"{said}; stable has {beside}: rolling back would not help"
    return said if failed or not state.broken else f"{said}, for {duration(state.held_s)} so far"


def sick_sentence(state: JudgeState, objective: Objective, found: Sequence[Standing]) -> str:
    """Instances that fail more often than the others, and what to do about them."""
    of, names = sum(one.here for one in state.instances.serving), [_called(one.name) for one in found]
    if len(found) == 1:
        who, which, it = f"{names[0]}, 1 of {of} instances, is sick", "its", "its machine is"
    else:
        if len(names) > _NAMED:
            names[_NAMED:] = [f"{len(names) - _NAMED} more"]
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        who, which, it = f"{len(found)} of {of} instances are sick ({listed})", "their", "their machines are"
    total, bad = sum(one.total for one in found), sum(one.bad for one in found)
    rest = beside(state.instances, found)
    said = f"{who}: {percent(bad / total)} of {which} requests failed ({count(bad)} of {count(total)})"
    said += f", limit {percent(objective.limit)}"
    if rest.total:
        said += f", but {percent(rest.bad / rest.total)} on the others"
    return (
        f"{said}; if {it} at fault, promote and replace {'it' if len(found) == 1 else 'them'}, else roll back"
    )


def _called(instance: str) -> str:
    """The name that a source gave it, which can be anything."""
    return one_line(instance, _LETTERS) or "an instance without a name"


def culprit_sentence(found: Culprit, limit: float) -> str:
    """Where nearly all failures come from."""
    what = (
        f"all {count(found.failures)} failures"
        if found.bad == found.failures
        else f"nearly all failures ({count(found.bad)} of {count(found.failures)})"
    )
    said = f"{what} come from 1 of {found.others + 1} instances, {_called(found.name)}"
    rest, well = found.beside, found.beside.bad <= limit * found.beside.total
    others, verb = ("the other", "is") if found.others == 1 else (f"the other {found.others}", "are")
    within = f"{others} {verb} within the limit"
    return f"{said}; {within if well else f'{others} failed {percent(rest.bad / rest.total)}'}"
