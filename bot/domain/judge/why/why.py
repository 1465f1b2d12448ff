"""Why the judge said what it said: what decided, the evidence over time, and what would have changed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.domain.formatting import count, counted, duration, percent, times
from bot.domain.judge.history.replay import JudgedTick, same
from bot.domain.judge.judge import WORSE, JudgePolicy, JudgeState
from bot.domain.judge.verdict import SICK, Outcome, Reason, Verdict
from bot.domain.judge.why.missing import missing
from bot.domain.judge.why.rollout_replay import Block, RolloutReplay, Subject
from bot.domain.judge.why.what_if import TooLongError, WhatIf, clock, ratio

_HEAVIEST = 3
# Of several reasons to wait, the first in this order is the one that is told.
_WAITS = ("instances", "limit", "rule", "compared", "other", "sources", "traffic", "duration")
_UNNAMED = (SICK, "crash", "duration", "sources")


@dataclass(frozen=True, slots=True)
class Line:
    """Odds of one test over time. needed: odds that decide.

    points: `(unix seconds, odds)` from 1:1 on, None where nothing counted. left_out: `(since, until)` of what did not.
    """

    label: str
    needed: float
    points: tuple[tuple[float, float | None], ...]
    left_out: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """An opened verdict.

    at: when it was decided (unix seconds). sentence: what decided. figures: the numbers behind it. changes: what would
    have changed it, each found by a replay. blocks: observations of the test that decided or came closest; lines: its
    odds, and those of the comparison with stable where that was needed. note: what cannot be said, and why.
    Times in sentences are stamps (`formatting.with_times`).
    """

    outcome: Outcome | None
    sentence: str
    hold: bool = False
    at: float | None = None
    figures: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    lines: tuple[Line, ...] = ()
    note: str = ""


def explained(
    policy: JudgePolicy,
    ticks: Sequence[JudgedTick],
    state: JudgeState | None,
    said: Verdict | None,
    *,
    over: bool,
) -> Why:
    """Open the verdict of a rollout. ticks: those that are kept. state, said: as stored with it. over: it has ended."""
    if state is None or state.at is None:
        return Why(None, "The judge has not measured this rollout.")
    ticks = [each for each in ticks if each.tick.at <= state.at]
    replay = _replay(policy, ticks, state)
    if replay is None:
        return _without_ticks(said, len(ticks))
    opened = _opened(replay)
    changes, note = _changes(opened, over=over)
    return Why(
        opened.verdict.outcome,
        _sentence(opened),
        opened.verdict.hold,
        _since(opened),
        tuple(_figures(opened)),
        changes,
        tuple(opened.blocks),
        tuple(_lines(opened)),
        note,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """The tick that decided, its verdict, the reasons of that outcome, and the one that is told first.

    test: of the objective that decided or came closest; None without objectives. blocks: its observations.
    """

    replay: RolloutReplay
    at: int
    verdict: Verdict
    binding: Sequence[tuple[Reason, Subject]]
    reason: Reason | None
    subject: Subject
    test: Subject | None
    blocks: Sequence[Block]


def _opened(replay: RolloutReplay) -> _Opened:
    at = replay.decision()
    verdict = replay.verdict(at)
    reasons = zip(verdict.reasons, replay.subjects(verdict), strict=True)
    binding = [(r, s) for r, s in reasons if r.enforced and r.outcome is verdict.outcome]
    reason, subject = _decisive(verdict, binding, replay, at)
    test = _test(replay, at, subject)
    blocks = replay.blocks(test) if test is not None else ()
    return _Opened(replay, at, verdict, binding, reason, subject, test, blocks)


def _since(opened: _Opened) -> float:
    """When it was decided: a hold lasts since its first verdict."""
    replay, at = opened.replay, opened.at
    if opened.verdict.hold:
        at = replay.since(at, lambda said: said.hold)
    return replay.ticks[at].tick.at


def _replay(policy: JudgePolicy, ticks: Sequence[JudgedTick], state: JudgeState) -> RolloutReplay | None:
    """None when the ticks do not give the state that is stored."""
    if not ticks:
        return None
    try:
        replay = RolloutReplay(policy, ticks)
    except ValueError:
        return None
    return replay if same(replay.state(len(ticks) - 1), state) else None


def _without_ticks(said: Verdict | None, kept: int) -> Why:
    """What is stored with the rollout, when the ticks behind it are not all there."""
    what = "None of its measurements are" if not kept else f"Only {counted(kept, 'measurement')} of it are"
    note = f"{what} kept, so the verdict cannot be replayed. Slipway keeps them for 30 days."
    if said is None:
        return Why(None, "The judge had no verdict in its present step.", note=note)
    binding = [r for r in said.reasons if r.enforced and r.outcome is said.outcome]
    sentence = "; ".join(_named(r) for r in binding[:_HEAVIEST]) or f"the verdict is {said.outcome}"
    return Why(said.outcome, f"{sentence}.", said.hold, note=note)


def _decisive(
    verdict: Verdict, binding: Sequence[tuple[Reason, Subject]], replay: RolloutReplay, at: int
) -> tuple[Reason | None, Subject]:
    """The reason that is told first, and what it is about."""
    if not binding:
        return None, Subject("duration")
    if verdict.outcome is Outcome.FAIL or verdict.outcome is Outcome.ERROR:
        return binding[0]
    if verdict.outcome is Outcome.PASS:
        tests = [(r, s) for r, s in binding if s.kind in ("limit", "compared")]
        return max(tests, key=lambda each: replay.odds(at, each[1]), default=binding[0])
    state = replay.state(at)
    troubled = [(r, s) for r, s in binding if s.kind == "limit" and state.trials[s.index].trouble]
    return min(troubled or binding, key=lambda each: _WAITS.index(each[1].kind))


def _test(replay: RolloutReplay, at: int, subject: Subject) -> Subject | None:
    """The test of the subject, or that of an enforced objective with the highest odds; None without objectives."""
    if subject.kind in ("limit", "compared"):
        return subject
    objectives = list(enumerate(replay.policy.objectives))
    tests = [Subject("limit", n) for n, o in objectives if o.enforce]
    tests += [Subject("compared", n) for n, o in objectives if o.enforce and o.ratio is not None]
    return max(tests, key=lambda each: replay.odds(at, each), default=None)


def _named(reason: Reason) -> str:
    """The reason with its name, as on the card: the sentence of a plain rule starts with the rule."""
    plain = reason.sentence.startswith(reason.objective) or reason.objective in _UNNAMED
    return reason.sentence if plain else f"{reason.objective}: {reason.sentence}"


def _sentence(opened: _Opened) -> str:
    if opened.reason is None:
        return "Outside of a soak, nothing is decided."
    said = _named(opened.reason)
    measured = next((r.sentence for r in opened.verdict.reasons if r.objective == "duration"), "")
    if not measured or opened.verdict.outcome is Outcome.FAIL or opened.subject.kind == "duration":
        return f"{said}."
    return f"{said}; {measured}."


def _figures(opened: _Opened) -> Iterator[str]:
    """The numbers behind the verdict, a line each."""
    replay, at, test = opened.replay, opened.at, opened.test
    if test is None:
        return
    now, needed = ratio(replay.odds(at, test)), ratio(replay.policy.evidence_needed)
    objective = replay.policy.objectives[test.index]
    claim = f"that it breaks the limit of {percent(objective.limit)}"
    if test.kind == "compared":
        claim = f"that it is worse than {times(objective.ratio or 1.0)} stable's rate"
    closest = "" if test == opened.subject or opened.subject.kind == "duration" else "The closest objective, "
    yield f"{closest}{objective.name}{',' if closest else ':'} odds of {now} {claim}; FAIL takes {needed}."
    if test.kind == "limit" and _compared(replay, test):
        shown = ratio(replay.odds(at, Subject("compared", test.index)))
        yield f"Compared with stable: odds of {shown} that it is worse; FAIL takes {ratio(WORSE)} as well."
    seen = [b for b in opened.blocks if b.until <= replay.ticks[at].tick.at]
    yield _counted(seen, replay)
    if opened.verdict.outcome is Outcome.FAIL and test == opened.subject:
        yield "Weighed most: " + ", ".join(_heaviest(seen)) + "."


def _counted(blocks: Sequence[Block], replay: RolloutReplay) -> str:
    """How many blocks counted, and why the others did not."""
    left_out = Counter(b.left_out for b in blocks if b.left_out)
    number = counted(len(blocks) - left_out.total(), "block")
    requests = count(sum(b.total for b in blocks if not b.left_out))
    said = f"{number} of {duration(replay.policy.block_s)} counted, with {requests} requests."
    if left_out:
        said += " Left out: " + ", ".join(f"{n} ({why})" for why, n in left_out.most_common()) + "."
    return said


def _heaviest(blocks: Sequence[Block]) -> list[str]:
    """The blocks after which the odds rose most."""
    first = [(1.0, blocks[0])] if blocks else []
    rises = [*first, *((before.odds, block) for before, block in pairwise(blocks))]
    rises.sort(key=lambda rise: rise[1].odds / rise[0], reverse=True)
    some = sorted(rises[:_HEAVIEST], key=lambda rise: rise[1].until)
    return [
        f"{clock(b.since)} {count(b.bad)} of {count(b.total)} bad (odds {ratio(before)} → {ratio(b.odds)})"
        for before, b in some
        if b.odds > before
    ]


def _compared(replay: RolloutReplay, test: Subject) -> bool:
    """Whether the limit alone does not decide: stable has had traffic beside the candidate."""
    last = replay.state(len(replay.ticks) - 1)
    return replay.policy.on_common_trouble == "hold" and last.pairs[test.index].stable_total > 0


def _lines(opened: _Opened) -> Iterator[Line]:
    replay, test = opened.replay, opened.test
    if test is None:
        return
    objective = replay.policy.objectives[test.index]
    label = f"{objective.name} above {percent(objective.limit)}"
    if test.kind == "compared":
        label = f"{objective.name} above {times(objective.ratio or 1.0)} stable's"
    yield _line(label, replay.policy.evidence_needed, opened.blocks)
    if test.kind == "limit" and _compared(replay, test):
        yield _line("worse than stable", WORSE, replay.blocks(Subject("compared", test.index)))


def _line(label: str, needed: float, blocks: Sequence[Block]) -> Line:
    """After a time that was left out, the odds are still what they were."""
    points: list[tuple[float, float | None]] = []
    left_out: list[tuple[float, float]] = []
    before, gap = 1.0, True
    for block in blocks:
        if block.left_out:
            points.append((block.until, None))
            since = left_out.pop()[0] if gap and left_out else block.since
            left_out.append((since, block.until))
        else:
            points += [(block.since, before)] if gap else []
            points.append((block.until, block.odds))
        before, gap = block.odds, bool(block.left_out)
    return Line(label, needed, tuple(points), tuple(left_out))


def _changes(opened: _Opened, *, over: bool) -> tuple[tuple[str, ...], str]:
    """What would have changed it, and a note where not all of that could be found."""
    found: list[str] = []
    note = ""
    try:
        for sentence in _answers(opened, over=over):
            found.append(sentence)
    except TooLongError:
        note = "This rollout is too long to try every change on it."
    also = [r.objective for r, s in opened.binding if s != opened.subject]
    if also and opened.verdict.outcome is Outcome.FAIL:
        found.append(f"{', '.join(also)} failed it at the same time.")
    return tuple(found), note


def _answers(opened: _Opened, *, over: bool) -> Iterator[str]:
    what_if, subject = WhatIf(opened.replay, opened.at), opened.subject
    if opened.verdict.outcome is Outcome.FAIL:
        yield from what_if.failure(subject, opened.blocks)
    elif opened.verdict.outcome is Outcome.ERROR:
        yield from what_if.unreadable()
    elif opened.verdict.outcome is Outcome.INSUFFICIENT:
        yield from missing(what_if, [s for _, s in opened.binding], over=over)
    elif subject.kind in ("limit", "compared"):
        yield from what_if.success(subject)
