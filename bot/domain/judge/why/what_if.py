"""What would have changed a verdict: each answer is found by a replay with the change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.formatting import count, duration, percent, stamp, times
from bot.domain.judge.evidence.ticks import Signal
from bot.domain.judge.history.replay import JudgedTick, replayed
from bot.domain.judge.judge import JudgePolicy, JudgeState, Objective, Rule
from bot.domain.judge.verdict import Outcome, failing, verdict
from bot.domain.judge.why import edits
from bot.domain.judge.why.rollout_replay import Block, RolloutReplay, Subject, odds

# Ticks that all replays of one answer may take together: about 3 s of processor time.
BUDGET = 25_000
# A stretch of at most so many blocks is looked for that decided alone.
_STRETCH = 5
_LIMITS_S = (30, 60, 120, 300, 600, 1800, 3600)

Edit = Callable[[int, JudgedTick], JudgedTick]


class TooLongError(Exception):
    """The replays would take too long."""


class WhatIf:
    """Changes to one verdict: that of tick `at`. Raises TooLongError beyond `BUDGET`."""

    def __init__(self, replay: RolloutReplay, at: int) -> None:
        self.replay = replay
        self.policy = replay.policy
        self.at = at
        self._left = BUDGET

    # ---- what would have kept it from failing --------------------------------------------------------------

    def failure(self, subject: Subject, blocks: Sequence[Block]) -> Iterator[str]:
        """What would have kept it from failing by then."""
        if subject.kind == "crash":
            yield from self._without_crash()
        elif subject.kind == "rule" and self.policy.rules[subject.index].signal is not None:
            yield from self._one_good_signal(subject)
        else:
            yield from self._fewer_bad(subject)
            if subject.kind != "rule":
                yield from self._without_stretch(subject, blocks)
            yield from self._other_limit(subject)

    def _without_crash(self) -> Iterator[str]:
        found, _ = self.first_failure(0, lambda _, each: replace(each, tick=replace(each.tick, crashed=None)))
        said = "not have failed by then (`on_restart: ignore` only notes it)"
        yield f"Without the restart it would {said if found is None else 'have failed all the same'}."

    def _one_good_signal(self, subject: Subject) -> Iterator[str]:
        name = self.policy.rules[subject.index].signal or ""

        def good(number: int, each: JudgedTick) -> JudgedTick:
            if number != self.at:
                return each
            return replace(each, tick=replace(each.tick, signals={**each.tick.signals, name: Signal(False)}))

        found, _ = self.first_failure(self.at, good)
        if found is None:
            yield "One look that found it fine, even the last one, would have kept it from failing then."

    def _fewer_bad(self, subject: Subject) -> Iterator[str]:
        names, noun, bad = self.alike(subject), self.noun(subject), self.bad(subject)
        most = sum(each for _, each in bad)

        def without(last: int) -> tuple[int | None, JudgeState | None]:
            taken = edits.last_bad(bad, last)
            return self.first_failure(
                min(taken), lambda n, each: edits.more_bad(each, names, -taken.get(n, 0))
            )

        fewest = edits.smallest(range(1, most + 1), lambda last: without(last)[0] is None)
        if fewest is not None:
            said = f"With {fewer(fewest, most, noun)} it would still have been undecided"
            yield f"{said}{self._at_odds(subject, without(fewest)[1])}."
        elif most:
            yield f"Without any {noun} it would have failed all the same."

    def _without_stretch(self, subject: Subject, blocks: Sequence[Block]) -> Iterator[str]:
        """The shortest run of blocks without which it would not have failed."""
        end = self.replay.ticks[self.at].tick.at
        mattered = [b for b in blocks if not b.left_out and b.until <= end]
        for length in range(1, min(_STRETCH, len(mattered) - 1) + 1):
            runs = (mattered[n : n + length] for n in range(len(mattered) - length + 1))
            run = max(runs, key=lambda run: self._beyond(subject, run))
            state = self._without(run[0].since, run[-1].until)
            if state is not None:
                what = "block" if length == 1 else f"{length} blocks"
                bad, total = sum(b.bad for b in run), sum(b.total for b in run)
                of = f"{count(bad)} {noun_of(bad, self.noun(subject))} of {count(total)}"
                now = ratio(odds(self.replay.trial(state, subject).log_m))
                yield (
                    f"Without the {what} from {clock(run[0].since)} ({of}) the odds would have been {now} "
                    f"of the {ratio(self.policy.evidence_needed)} needed."
                )
                return

    def _without(self, since: float, until: float) -> JudgeState | None:
        """The state when nothing of that time had counted; None when it would have failed all the same."""
        first = next(n for n, each in enumerate(self.replay.ticks) if since < each.tick.at)

        def edit(_: int, each: JudgedTick) -> JudgedTick:
            return edits.emptied(each) if since < each.tick.at <= until else each

        found, state = self.first_failure(first, edit)
        return state if found is None else None

    def _beyond(self, subject: Subject, run: Sequence[Block]) -> float:
        """Bad requests beyond those that the limit or the comparison allows."""
        objective = self.policy.objectives[subject.index]
        total, bad = sum(b.total for b in run), sum(b.bad for b in run)
        if subject.kind == "limit":
            return bad - objective.limit * total
        weighted = (objective.ratio or 1.0) * total
        return bad - weighted / (weighted + sum(b.stable_total for b in run)) * sum(
            b.bad + b.stable_bad for b in run
        )

    def _other_limit(self, subject: Subject) -> Iterator[str]:
        found = edits.smallest(
            self._limits(subject, up=True),
            lambda limit: self.first_failure(0, policy=self.with_limit(subject, limit))[0] is None,
        )
        if found is not None:
            yield f"{self._instead(subject, found)} would not have failed it by then."

    # ---- what would have kept it from passing --------------------------------------------------------------

    def success(self, subject: Subject) -> Iterator[str]:
        """What would have kept it from passing. `subject`: an objective."""
        names, noun = self.alike(subject), self.noun(subject)
        soak = self.soak()
        counts = {n: self.replay.ticks[n].tick.candidate.get(names[0]) for n in soak}
        room = {n: c.total - c.bad for n, c in counts.items() if c is not None}
        whole = sum(room.values())

        def outcome(more: int) -> Outcome:
            added = edits.spread(room, more)
            _, state = self.first_failure(
                soak[0], lambda n, each: edits.more_bad(each, names, added.get(n, 0))
            )
            return self.outcome(state)

        kept = edits.smallest(range(1, whole + 1), lambda more: outcome(more) is not Outcome.PASS)
        failed = edits.smallest(range(1, whole + 1), lambda more: outcome(more) is Outcome.FAIL)
        over = f"spread over the {count(whole)} good requests of this soak"
        if kept is not None and kept != failed:
            yield f"{count(kept)} more {noun_of(kept, noun)}, {over}, would have kept it from passing."
        if failed is not None:
            more = f"more {noun_of(failed, noun)}, {over}," if kept == failed else "of them"
            yield f"{count(failed)} {more} would have failed it."
        lower = edits.smallest(
            self._limits(subject, up=False), lambda limit: not self._passes(subject, limit)
        )
        if lower is not None:
            yield f"{self._instead(subject, lower)} would have kept it from passing."

    def _passes(self, subject: Subject, limit: float) -> bool:
        policy = self.with_limit(subject, limit)
        _, state = self.first_failure(0, policy=policy)
        return self.outcome(state, policy) is Outcome.PASS

    # ---- what would have kept it waiting -------------------------------------------------------------------

    def unreadable(self) -> Iterator[str]:
        """What would have kept it from ERROR."""
        state, last = self.replay.state(self.at), self.replay.ticks[self.at]
        fine = {rule.signal: Signal(False) for rule in self.policy.rules if rule.signal is not None}
        read = replace(last, tick=replace(last.tick, errors=(), signals={**last.tick.signals, **fine}))
        (after,) = replayed(self.policy, [read], self.replay.before(self.at))
        if self.outcome(after) is not Outcome.ERROR and state.error_since is not None:
            yield f"One look after {clock(state.error_since)} that could be read would have kept it waiting."
        lasted = (state.at or 0.0) - (state.error_since or 0.0)
        longer = next((each for each in _LIMITS_S if each > lasted), None)
        if longer is not None:
            yield f"With `error_limit` at {duration(longer)} it would still have been waiting then."

    # ---- shared --------------------------------------------------------------------------------------------

    def first_failure(
        self, first: int, edit: Edit | None = None, policy: JudgePolicy | None = None
    ) -> tuple[int | None, JudgeState | None]:
        """The first failure up to the verdict when ticks from `first` on are changed, and the state there."""
        self.spend(self.at + 1 - first)
        policy = policy or self.policy
        some = enumerate(self.replay.ticks[first : self.at + 1], first)
        ticks = (edit(number, each) if edit else each for number, each in some)
        state: JudgeState | None = None
        for number, state in enumerate(replayed(policy, ticks, self.replay.before(first)), first):
            # A failure of its own before this one, which people decided against, changes nothing here.
            if failing(state, policy) and (number == self.at or not self.replay.failed[number]):
                return number, state
        return None, state

    def spend(self, ticks: int) -> None:
        """Count `ticks` more as replayed."""
        self._left -= ticks
        if self._left < 0:
            raise TooLongError

    def outcome(self, state: JudgeState | None, policy: JudgePolicy | None = None) -> Outcome:
        """The verdict's outcome if this were the state after the tick."""
        required = self.replay.ticks[self.at].required_s
        said = verdict(state, policy or self.policy, soak_required_s=required) if state is not None else None
        return said.outcome if said is not None else Outcome.INSUFFICIENT

    def soak(self) -> range:
        """The ticks of the verdict's soak, up to it."""
        ticks, first = self.replay.ticks, self.at
        while first and ticks[first - 1].soak_since == ticks[self.at].soak_since:
            first -= 1
        return range(first, self.at + 1)

    def bad(self, subject: Subject) -> list[tuple[int, int]]:
        """`(tick, bad requests)` up to the verdict, newest first."""
        name, ticks = self._of(subject).name, self.replay.ticks
        found = ((n, ticks[n].tick.candidate.get(name)) for n in range(self.at, -1, -1))
        return [(n, counts.bad) for n, counts in found if counts is not None and counts.bad]

    def alike(self, subject: Subject) -> list[str]:
        return edits.counting_alike(self.policy, self._of(subject).name)

    def noun(self, subject: Subject) -> str:
        kind = edits.series_of(self.policy, self._of(subject).name).kind
        return {"errors": "failed requests", "latency": "slow requests"}.get(kind, "bad results")

    def with_limit(self, subject: Subject, limit: float) -> JudgePolicy:
        """The policy with another limit, or another ratio for a comparison."""
        of = self._of(subject)
        if isinstance(of, Rule):
            return edits.with_rule(self.policy, subject.index, replace(of, limit=limit))
        changed = replace(of, ratio=limit) if subject.kind == "compared" else replace(of, limit=limit)
        return edits.with_objective(self.policy, subject.index, changed)

    def _of(self, subject: Subject) -> Objective | Rule:
        return (self.policy.rules if subject.kind == "rule" else self.policy.objectives)[subject.index]

    def _limit(self, subject: Subject) -> float:
        of = self._of(subject)
        return of.ratio or 1.0 if isinstance(of, Objective) and subject.kind == "compared" else of.limit

    def _limits(self, subject: Subject, *, up: bool) -> list[float]:
        """Other limits to try, nearest first. None for a rule on a time: other times were not counted."""
        of = self._of(subject)
        if isinstance(of, Rule) and of.metric == "latency":
            return []
        found = edits.ladder(self._limit(subject), up=up)
        return found if subject.kind == "compared" else [each for each in found if each < 1]

    def _instead(self, subject: Subject, limit: float) -> str:
        now = self._limit(subject)
        if subject.kind == "compared":
            return f"Tolerating {times(limit)} stable's rate instead of {times(now)}"
        return f"A limit of {percent(limit)} instead of {percent(now)}"

    def _at_odds(self, subject: Subject, state: JudgeState | None) -> str:
        if state is None or subject.kind == "rule":
            return ""
        now = ratio(odds(self.replay.trial(state, subject).log_m))
        return f", at odds of {now} of the {ratio(self.policy.evidence_needed)} needed"


def fewer(number: int, most: int, noun: str) -> str:
    """`6 fewer failed requests (the last 6 of 41)`."""
    last = "the last" if number == 1 else f"the last {count(number)}"
    which = "all of them" if number == most else f"{last} of {count(most)}"
    return f"{count(number)} fewer {noun_of(number, noun)} ({which})"


def noun_of(number: int, noun: str) -> str:
    return noun[:-1] if number == 1 else noun


def ratio(value: float) -> str:
    """Odds for people: `1:14`, `1.4:1`, `812:1`, `74,700:1`, `over 1,000,000:1`."""
    if value > 1e6:
        return "over 1,000,000:1"
    if value < 0.995:
        return f"1:{1 / max(value, 1e-6):.2g}" if value > 0.01 else "under 1:100"
    return f"{value:.2g}:1" if value < 9.95 else f"{count(round(float(f'{value:.3g}')))}:1"


def clock(at: float) -> str:
    """A unix time as a stamp, shown by `formatting.with_times`."""
    return stamp(datetime.fromtimestamp(at, UTC))
