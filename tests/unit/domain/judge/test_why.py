"""Every verdict can be opened: what decided, what counted, and changes that a replay confirms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.judge.evidence.ticks import Counts, Signal, Tick
from bot.domain.judge.history.replay import JudgedTick, judged_tick, replayed
from bot.domain.judge.judge import JudgePolicy, Objective, Outcome, advance, begin, begin_soak, parse_rule
from bot.domain.judge.verdict import verdict
from bot.domain.judge.why import Line, edits, explained
from bot.domain.judge.why.what_if import ratio
from tests.support.rules.judging import COMPARED, ERRORS, FIVE, failures
from tests.support.rules.lived import LIMIT, SOAK_S, TWICE, Lived, looks, unread


def number_in(pattern: str, sentences: Iterable[str]) -> float:
    (found,) = (m for m in (re.search(pattern, each) for each in sentences) if m)
    return float(found[1].replace(",", ""))


def without_last(lived: Lived, fewer: int) -> Callable[[JudgedTick], JudgedTick]:
    left, taken = fewer, {}
    for each in reversed(lived.kept):
        taken[each.tick.at] = min(left, each.tick.candidate["errors"].bad)
        left -= taken[each.tick.at]

    def edit(each: JudgedTick) -> JudgedTick:
        counts = each.tick.candidate["errors"]
        better = {"errors": Counts(counts.total, counts.bad - taken[each.tick.at])}
        return replace(each, tick=replace(each.tick, candidate=better))

    return edit


@settings(max_examples=40)
@given(st.integers(0, 500), st.sampled_from((LIMIT, TWICE, replace(LIMIT, phi=1.0))), st.floats(0.03, 0.3))
def test_a_failure_names_the_fewest_failures_less_that_change_it(
    seed: int, policy: JudgePolicy, rate: float
) -> None:
    lived = Lived(policy, looks(rate, seed=seed))
    if lived.verdict is None or lived.verdict.outcome is not Outcome.FAIL:
        return
    why = lived.why(over=True)
    assert (why.outcome, why.at, why.note) == (Outcome.FAIL, lived.kept[-1].tick.at, "")
    fewer = int(number_in(r"^With ([\d,]+) fewer failed request", why.changes))
    assert lived.again(without_last(lived, fewer)) is not Outcome.FAIL
    assert lived.again(without_last(lived, fewer - 1)) is Outcome.FAIL


@settings(max_examples=40)
@given(st.integers(0, 500), st.floats(0.03, 0.3))
def test_a_failure_names_the_next_round_limit_that_changes_it(seed: int, rate: float) -> None:
    lived = Lived(LIMIT, looks(rate, seed=seed))
    if lived.verdict is None or lived.verdict.outcome is not Outcome.FAIL:
        return
    limit = number_in(r"^A limit of ([\d.]+)% instead of 1%", lived.why().changes) / 100
    lower = next((each for each in edits.ladder(limit, up=False) if each > 0.01), None)
    for other, fails in ((limit, False), (lower, True)):
        if other is not None:
            policy = replace(LIMIT, objectives=(replace(ERRORS, limit=other),))
            assert (lived.again(lambda each: each, policy) is Outcome.FAIL) is fails


@settings(max_examples=40)
@given(st.integers(0, 500), st.floats(0.03, 0.3))
def test_a_failure_names_the_blocks_without_which_it_would_not_be_one(seed: int, rate: float) -> None:
    lived = Lived(LIMIT, looks(rate, seed=seed))
    if lived.verdict is None or lived.verdict.outcome is not Outcome.FAIL:
        return
    said = next((each for each in lived.why().changes if each.startswith("Without the")), None)
    if said is None:
        return
    minutes, seconds = map(int, re.findall(r"T00:(\d\d):(\d\d)Z", said)[0])
    since = 60 * minutes + seconds
    length = re.search(r"Without the (\d+) blocks", said)
    until = since + FIVE * (int(length[1]) if length else 1)

    def edit(each: JudgedTick) -> JudgedTick:
        gone = since < each.tick.at <= until
        return replace(each, tick=replace(each.tick, candidate={}, stable={})) if gone else each

    assert lived.again(edit) is not Outcome.FAIL


@settings(max_examples=20)
@given(st.integers(0, 500), st.floats(0.0, 0.006))
def test_a_pass_names_how_many_failures_more_would_have_kept_it_from_passing(seed: int, rate: float) -> None:
    lived = Lived(LIMIT, looks(rate, seed=seed))
    if lived.verdict is None or lived.verdict.outcome is not Outcome.PASS:
        return
    changes = lived.why().changes
    room = {n: each.tick.candidate["errors"] for n, each in enumerate(lived.kept)}
    good = {n: c.total - c.bad for n, c in room.items()}

    def outcome(more: int) -> Outcome:
        added = iter(edits.spread(good, more).values())
        return lived.again(lambda each: edits.more_bad(each, ["errors"], next(added)))

    kept = int(number_in(r"^([\d,]+) more failed requests?, spread over", changes))
    assert outcome(kept) is not Outcome.PASS
    assert outcome(kept - 1) is Outcome.PASS
    failed = int(
        number_in(
            r"^([\d,]+) (?:of them )?would have failed it|^([\d,]+) more failed.*would have failed it",
            changes,
        )
    )
    assert outcome(failed) is Outcome.FAIL


def test_what_counted_and_what_did_not_is_there_block_by_block() -> None:
    seen = looks(0.1, n=9)
    seen[2:4] = [unread(3), unread(4)]
    seen[5] = replace(seen[5], candidate={"errors": Counts()}, requests=0)
    seen[6] = replace(seen[6], candidate={"errors": Counts()}, requests=0, settling=True)
    why = Lived(replace(LIMIT, min_bad=1000), seen).why()
    assert [b.left_out for b in why.blocks] == [
        "",
        "",
        "could not be read",
        "could not be read",
        "",
        "no requests",
        "traffic had just risen",
        "",
        "",
    ]
    assert [(b.total, b.bad) for b in why.blocks if not b.left_out] == [
        (t.candidate["errors"].total, t.candidate["errors"].bad) for t in seen if t.candidate["errors"].total
    ]
    line, beside = why.lines
    assert (line.needed, beside.needed) == (100.0, 3.0)
    assert line.left_out == ((10.0, 20.0), (25.0, 35.0))
    assert [at for at, odds in line.points if odds is None] == [15.0, 20.0, 30.0, 35.0]
    assert line.points[0] == (0.0, 1.0)
    assert line.points[-1] == (45.0, pytest.approx(why.blocks[-1].odds))
    assert any(
        "Left out: 2 (could not be read), 1 (no requests), 1 (traffic had just risen)." in f
        for f in why.figures
    )


def test_a_block_of_several_ticks_is_one_observation() -> None:
    why = Lived(replace(LIMIT, burst_s=15.0), looks(0.0, n=7)).why()
    assert [(b.since, b.until, b.total) for b in why.blocks] == [(0, 15, 75), (15, 30, 75), (30, 35, 25)]


def test_held_because_stable_has_the_same_trouble() -> None:
    lived = Lived(LIMIT, looks(0.002, both=0.12))
    why = lived.why()
    assert (why.outcome, why.hold) == (Outcome.INSUFFICIENT, True)
    assert "stable breaks it too" in why.sentence
    assert any(b.left_out == "stable broke the limit too" for b in why.blocks)
    alone = next(each for each in why.changes if each.startswith("Judged by its limits alone"))
    assert lived.again(lambda each: each, replace(LIMIT, on_common_trouble="ignore")) is Outcome.FAIL
    assert "have failed at ⟨1970-01-01T00:" in alone
    held = [n for n in range(len(lived.kept)) if _held(lived, n)]
    assert why.at == lived.kept[held[0]].tick.at


def _held(lived: Lived, number: int) -> bool:
    states = list(replayed(lived.policy, lived.kept[: number + 1]))
    return verdict(states[-1], lived.policy, soak_required_s=SOAK_S).hold


def test_above_the_limit_but_not_worse_than_stable() -> None:
    seen = looks(0.0, stable=0.0, n=30)
    seen[29] = replace(seen[29], candidate={"errors": Counts(25, 7)}, stable={"errors": Counts(100, 30)})
    lived = Lived(replace(LIMIT, phi=1.0), seen)
    assert lived.state.trials[0].trouble == "alike"
    why = lived.why()
    assert (why.outcome, why.hold) == (Outcome.INSUFFICIENT, False)
    assert "so it is not shown to be worse" in why.sentence
    beside = odds_in(why.lines[1])[-1]
    assert beside < 3
    assert (
        f"Compared with stable: odds of {ratio(beside)} that it is worse; FAIL takes 3:1 as well."
        in why.figures
    )
    alone = "Judged by its limits alone (`on_common_trouble: ignore`) it would have failed at ⟨1970-01-01T00:02:30Z⟩."
    assert alone in why.changes


def odds_in(line: Line) -> list[float]:
    return [odds for _, odds in line.points if odds is not None]


def test_missing_requests_are_counted_and_so_is_the_time_until_it_passes() -> None:
    lived = Lived(LIMIT, looks(0.0, n=20, requests=2))
    why = lived.why()
    assert (why.outcome, why.hold) == (Outcome.INSUFFICIENT, False)
    assert why.changes[:2] == (
        "10 more requests are needed for PASS (about 25 s at this rate).",
        "3 min 20 s more of measured time is needed for PASS.",
    )
    assert (
        why.changes[2] == "If all requests from now on are good, it passes in about 3 min 20 s, at this rate."
    )
    assert (
        lived.why(over=True).changes[0] == "10 more requests were needed for PASS (about 25 s at this rate)."
    )
    more = [
        Tick(n * FIVE, FIVE, {"errors": Counts(2, 0)}, {"errors": Counts(100, 0)}, requests=2)
        for n in range(21, 61)
    ]
    passed = Lived(LIMIT, [*looks(0.0, n=20, requests=2), *more])
    assert passed.verdict is not None and passed.verdict.outcome is Outcome.PASS
    assert passed.kept[-1].tick.at - lived.kept[-1].tick.at == 200


def test_a_soak_that_is_complete_names_the_failures_that_keep_it_from_passing() -> None:
    lived = Lived(replace(LIMIT, on_common_trouble="ignore"), looks(0.013, stable=0.0, seed=4))
    assert lived.verdict is not None and lived.verdict.outcome is Outcome.INSUFFICIENT
    why = lived.why()
    fewer = int(number_in(r"^With (\d+) fewer failed request.* it would have passed\.$", why.changes))
    assert lived.again(without_last(lived, fewer)) is Outcome.PASS
    assert lived.again(without_last(lived, fewer - 1)) is not Outcome.PASS


def test_no_requests_at_all() -> None:
    why = Lived(LIMIT, [Tick(n * FIVE, FIVE, {"errors": Counts()}) for n in range(1, 61)]).why()
    assert why.changes == ("50 more requests are needed for PASS; none came so far.",)
    assert why.lines == () or not any(odds for line in why.lines for _, odds in line.points)


def test_an_error_says_what_would_have_kept_it_waiting() -> None:
    lived = Lived(LIMIT, [*looks(0.0, n=9), *(unread(n) for n in range(10, 60))])
    why = lived.why(over=True)
    assert (why.outcome, why.at) == (Outcome.ERROR, lived.kept[-1].tick.at)
    assert why.sentence.startswith("could not measure for 60 s: router: no answer")
    assert why.changes == (
        "One look after ⟨1970-01-01T00:00:45Z⟩ that could be read would have kept it waiting.",
        "With `error_limit` at 2 min it would still have been waiting then.",
    )
    longer = Lived(replace(LIMIT, error_limit_s=120.0), [k.tick for k in lived.kept])
    assert longer.verdict is not None and longer.verdict.outcome is Outcome.INSUFFICIENT


def test_a_crash_a_plain_rule_and_a_signal_are_opened_too() -> None:
    crashed = Lived(
        LIMIT, [*looks(0.0, n=5), replace(looks(0.0, n=6)[5], crashed="instance a was replaced by b")]
    )
    assert crashed.why().changes == (
        "Without the restart it would not have failed by then (`on_restart: ignore` only notes it).",
    )
    rule = parse_rule("error_rate > 10% over 30s")
    seen = [replace(t, candidate={rule.name: t.candidate["errors"]}, stable=None) for t in looks(0.3)]
    beside = [replace(t, candidate={**t.candidate, "errors": Counts(25, 0)}) for t in seen]
    both = Lived(JudgePolicy((ERRORS,), (rule,)), beside).why()
    assert both.sentence.startswith("error_rate > 10% over 30s: ")
    assert both.figures[0].startswith("The closest objective, errors, odds of 1:")
    plain = Lived(JudgePolicy((), (rule,)), seen)
    why = plain.why()
    assert why.sentence.startswith("error_rate > 10% over 30s: ")
    assert why.lines == ()
    assert why.changes[0].startswith("With ")
    health = parse_rule("health check failing for 10s")
    ill = {"health": Signal(True, "1.5.0 is not ready")}
    sick = Lived(JudgePolicy((), (health,)), [replace(t, signals=ill) for t in looks(0.0)])
    assert sick.why().changes == (
        "One look that found it fine, even the last one, would have kept it from failing then.",
    )


def test_a_soak_that_a_sick_instance_keeps_from_passing_says_what_ignoring_it_would_have_done() -> None:
    policy = replace(LIMIT, objectives=(replace(ERRORS, limit=0.05),), on_common_trouble="ignore")
    seen = []
    for tick in looks(0.0, n=60, requests=400):
        apart = {f"i{n}": Counts(100, 8 if n == 1 else 0) for n in range(4)}
        seen.append(replace(tick, candidate={"errors": Counts(400, 8)}, instances=apart))
    lived = Lived(policy, seen)
    assert lived.verdict is not None and lived.verdict.outcome is Outcome.INSUFFICIENT
    why = lived.why()
    assert why.sentence.startswith("i1, 1 of 4 instances, is sick: ")
    assert why.changes == (
        "Without regard to single instances (`on_sick_instance: ignore`) it would have passed.",
    )
    assert why.note == ""
    assert [line.label for line in why.lines] == ["errors above 5%"]


def test_a_failure_that_people_decided_against_does_not_hide_what_would_have_changed_the_next_one() -> None:
    rule = parse_rule("error_rate > 10% over 30s")
    policy = JudgePolicy((), (rule,))
    bad = {6: 9, 7: 9, 30: 9, 31: 9}
    ticks = [Tick(n * FIVE, FIVE, {rule.name: Counts(20, bad.get(n, 0))}) for n in range(1, 33)]
    state, kept = begin_soak(begin(policy), 0.0), []
    for tick in ticks:
        kept.append(judged_tick(state, policy, tick, SOAK_S))
        state = advance(state, policy, tick)
    why = explained(policy, kept, state, verdict(state, policy, soak_required_s=SOAK_S), over=True)
    # At the 31st tick 18 of 140 in the window are bad, where 14 may be; at the 30th it was 9.
    assert why.at == 31 * FIVE
    assert (
        why.changes[0]
        == "With 4 fewer failed requests (the last 4 of 36) it would still have been undecided."
    )


def test_two_objectives_that_fail_together_are_both_named() -> None:
    policy = JudgePolicy((COMPARED, Objective("p99", "latency", 0.01, 2.0)), planned_ticks=60)
    seen = [replace(t, candidate={**t.candidate, "p99": t.candidate["errors"]}) for t in looks(0.6)]
    why = Lived(policy, seen).why()
    assert "p99 failed it at the same time." in why.changes[-1]
    assert "Without any failed requests it would have failed all the same." in why.changes


def test_without_its_ticks_a_verdict_is_told_as_it_is_stored() -> None:
    lived = Lived(LIMIT, looks(0.1))
    none = explained(LIMIT, [], lived.state, lived.verdict, over=True)
    some = explained(LIMIT, lived.kept[1:], lived.state, lived.verdict, over=True)
    other = explained(JudgePolicy(()), lived.kept, lived.state, lived.verdict, over=True)
    for why, note in (
        (none, "None of its measurements are"),
        (some, f"Only {len(lived.kept) - 1} measurements of it are"),
    ):
        assert (why.outcome, why.changes, why.lines) == (Outcome.FAIL, (), ())
        assert "of requests failed" in why.sentence
        assert why.note == f"{note} kept, so the verdict cannot be replayed. Slipway keeps them for 30 days."
    assert other.note
    assert explained(LIMIT, [], None, None, over=False).sentence == "The judge has not measured this rollout."


def test_later_ticks_than_the_stored_state_are_not_taken() -> None:
    lived = Lived(LIMIT, looks(0.0, n=20))
    early = Lived(LIMIT, looks(0.0, n=15))
    assert explained(LIMIT, lived.kept, early.state, early.verdict, over=False) == early.why()


def test_a_rollout_that_is_too_long_for_every_change_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    lived = Lived(LIMIT, looks(0.002))
    monkeypatch.setattr("bot.domain.judge.why.what_if.BUDGET", 300)
    why = lived.why()
    assert why.note == "This rollout is too long to try every change on it."
    assert (why.outcome, why.lines != ()) == (Outcome.PASS, True)


@settings(max_examples=60)
@given(st.integers(0, 2000), st.integers(1, 40))
def test_whatever_happened_it_can_be_opened(seed: int, length: int) -> None:
    random, seen = Random(seed), []
    for n in range(1, length + 1):
        if random.random() < 0.2:
            seen.append(unread(n))
            continue
        mine = Counts(random.randrange(20), 0)
        mine = Counts(mine.total, failures(random, mine.total, random.choice((0, 0.01, 0.5))))
        theirs = Counts(random.randrange(50), 0)
        theirs = Counts(theirs.total, failures(random, theirs.total, random.choice((0, 0.01, 0.5))))
        beside = {"errors": theirs} if random.random() < 0.8 else None
        seen.append(Tick(n * FIVE, FIVE, {"errors": mine}, beside, requests=mine.total))
    lived = Lived(random.choice((LIMIT, TWICE)), seen, soak_s=100.0)
    why = lived.why(over=bool(seed % 2))
    assert lived.verdict is not None
    assert why.outcome is lived.verdict.outcome
    assert why.sentence.endswith(".")
    assert sum(b.total for b in why.blocks) <= sum(k.tick.candidate["errors"].total for k in lived.kept)
    assert all(each[0].isupper() or each[0].isdigit() for each in why.changes)


def test_good_ticks_follow_the_last_one_at_the_rate_of_the_soak() -> None:
    lived = Lived(TWICE, looks(0.0, n=4))
    ahead = list(edits.good_ticks([each.tick for each in lived.kept], lived.kept[-1], TWICE, 3))
    assert [each.tick.at for each in ahead] == [25.0, 30.0, 35.0]
    assert [each.tick.candidate for each in ahead] == [{"errors": Counts(25, 0)}] * 3
    assert [each.tick.stable for each in ahead] == [{"errors": Counts(100, 0)}] * 3
    assert [each.tick.requests for each in ahead] == [25] * 3


def test_ticks_in_which_a_source_counted_only_stable_are_no_evidence_of_the_comparison() -> None:
    policy = JudgePolicy((Objective("errors", "errors", 0.5, ratio=2.0),), planned_ticks=60)
    seen = looks(0.2)
    why = Lived(
        policy, [replace(tick, candidate={}) if n == 1 else tick for n, tick in enumerate(seen)]
    ).why()
    assert why.sentence.startswith("errors against stable: ")
    assert (why.blocks[1].total, why.blocks[1].left_out) == (0, "no requests")
