"""What is missing for a PASS while the judge waits: requests, time, a quieter stable, or fewer failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain.formatting import count, duration
from bot.domain.judge.history.replay import replayed
from bot.domain.judge.verdict import Outcome
from bot.domain.judge.why import edits
from bot.domain.judge.why.rollout_replay import Subject
from bot.domain.judge.why.what_if import WhatIf, clock, fewer, noun_of

# Ticks for which a rollout is followed when all of its requests are good from now on.
_AHEAD = 720
_EPSILON_S = 1e-3


def missing(what_if: WhatIf, subjects: Sequence[Subject], *, over: bool) -> Iterator[str]:
    """What is missing for PASS. subjects: of the reasons that wait. over: the rollout has ended."""
    state, required = what_if.replay.state(what_if.at), what_if.replay.ticks[what_if.at].required_s
    for subject in subjects:
        if subject.kind in ("limit", "traffic"):
            yield from _requests(what_if, subject, over=over)
    left = (required or 0.0) - state.soak.measured_s
    if left > _EPSILON_S:
        yield f"{duration(round(left, 1))} more of measured time {'was' if over else 'is'} needed for PASS."
    if any(s.kind == "instances" for s in subjects):
        ignoring = replace(what_if.policy, on_sick_instance="ignore")
        would = (
            "have passed" if what_if.outcome(state, ignoring) is Outcome.PASS else "not have passed either"
        )
        yield f"Without regard to single instances (`on_sick_instance: ignore`) it would {would}."
        return
    limits = [s for s in subjects if s.kind == "limit"]
    troubled = next((s for s in limits if state.trials[s.index].trouble), None)
    if troubled is not None:
        yield from _without_stable(what_if, troubled)
    elif left <= _EPSILON_S:
        for subject in limits:
            yield from _fewer_bad(what_if, subject)
    if required is not None and state.soak.requests:
        yield _all_good(what_if, over=over)


def _requests(what_if: WhatIf, subject: Subject, *, over: bool) -> Iterator[str]:
    state, policy = what_if.replay.state(what_if.at), what_if.policy
    if subject.kind == "traffic":
        needed, seen = policy.min_requests, state.soak.requests
    else:
        needed, seen = policy.floor(policy.objectives[subject.index]), state.soak.counts[subject.index][0]
    lacking = max(1, needed) - seen
    if lacking <= 0:
        return
    rate = seen / state.soak.measured_s if state.soak.measured_s else 0.0
    soon = f" (about {duration(round(lacking / rate))} at this rate)" if rate else "; none came so far"
    verb = ("was" if over else "is") if lacking == 1 else ("were" if over else "are")
    yield f"{count(lacking)} more {noun_of(lacking, 'requests')} {verb} needed for PASS{soon}."


def _without_stable(what_if: WhatIf, subject: Subject) -> Iterator[str]:
    found, _ = what_if.first_failure(0, policy=replace(what_if.policy, on_common_trouble="ignore"))
    alone = "Judged by its limits alone (`on_common_trouble: ignore`) it would"
    if found is None:
        yield f"{alone} not have failed either."
    else:
        yield f"{alone} have failed at {clock(what_if.replay.ticks[found].tick.at)}."


def _fewer_bad(what_if: WhatIf, subject: Subject) -> Iterator[str]:
    names, bad = what_if.alike(subject), what_if.bad(subject)
    most = sum(each for _, each in bad)

    def passes(last: int) -> bool:
        taken = edits.last_bad(bad, last)
        _, state = what_if.first_failure(
            min(taken), lambda n, each: edits.more_bad(each, names, -taken.get(n, 0))
        )
        return what_if.outcome(state) is Outcome.PASS

    fewest = edits.smallest(range(1, most + 1), passes)
    if fewest is not None:
        yield f"With {fewer(fewest, most, what_if.noun(subject))} it would have passed."


def _all_good(what_if: WhatIf, *, over: bool) -> str:
    """The time until `PASS` when nothing is bad any more, at the soak's own rate."""
    replay, policy = what_if.replay, what_if.policy
    soak = [replay.ticks[n].tick for n in what_if.soak()]
    ahead = edits.good_ticks(soak, replay.ticks[what_if.at], policy, _AHEAD)
    for number, state in enumerate(replayed(policy, ahead, replay.state(what_if.at)), 1):
        what_if.spend(1)
        if what_if.outcome(state) is Outcome.PASS:
            takes = f"about {duration(number * policy.tick_s)}, at this rate."
            if over:
                return f"If all requests after that had been good, it would have passed in {takes}"
            return f"If all requests from now on are good, it passes in {takes}"
    within = duration(_AHEAD * policy.tick_s)
    if over:
        return f"Even if all requests after that had been good, it would not have passed within {within}."
    return f"Even if all requests from now on are good, it does not pass within {within}."
