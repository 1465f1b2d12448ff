"""What each verdict does: only an explicit PASS moves forward, everything else holds, asks, and has a deadline."""

from __future__ import annotations

import pytest

from bot.domain.errors import Refused
from bot.domain.judge.judge import Outcome, Reason, Verdict
from bot.domain.rollout.events import Delayed, DrawCard, LockLane, TimerDue
from bot.domain.rollout.machine import machine
from bot.domain.rollout.machine.progress import because, passed
from bot.domain.rollout.model import Action
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak
from tests.support.actors import DEV, LEAD, LEAD2, ONCALL
from tests.support.rules.story import GATE, SOAK_S, VERIFY, Story

GATED_LATE = (VERIFY, Shift(5), Soak(SOAK_S), GATE, Shift(100), Observe(SOAK_S))


def _at_late_gate() -> Story:
    story = Story(GATED_LATE).applied().verified().applied().soaked()
    assert story.phase == "gated"
    return story


def _starved() -> Story:
    """Held after a soak with too few requests."""
    story = Story().to_soak()
    for _ in range(6):
        story.tick(1)
    assert story.phase == "held"
    return story


def test_what_an_order_waits_for_counts_until_it_is_reached() -> None:
    story = Story()
    pulling = Delayed(story.rollout.generation, story.at, "1.5.0 is starting: pulling 45 of 120 MB")
    before = story.rollout.outcome
    assert story.tell(pulling).rollout.waits_for == pulling.why
    assert (story.last.effects, story.last.transitions) == ((DrawCard(),), ())
    assert story.rollout.outcome == before
    assert story.tell(pulling).last.effects == (), "it says what was said"
    assert story.applied().rollout.waits_for == ""
    assert story.tell(pulling).last.effects == (), "it comes late"


def test_what_an_order_waited_for_is_over_with_the_next_order() -> None:
    story = Story().to_shift()
    story.tell(Delayed(story.rollout.generation, story.at, "the target cannot be reached"))
    assert story.rollout.waits_for
    former = story.rollout.generation
    assert story.act(ONCALL, Action.ROLL_BACK).rollout.waits_for == ""
    assert story.tell(Delayed(former, story.at, "it is late")).rollout.waits_for == ""
    back = Delayed(story.rollout.generation, story.at, "1.4.0 is starting: pulling 1 of 9 MB")
    assert story.tell(back).rollout.waits_for == back.why
    halted = story.apply_failed().rollout
    assert (halted.phase, halted.waits_for) == ("halted", "")


def test_a_soak_is_time_that_was_measured() -> None:
    story = Story().to_soak().later(3600).soaked(25)
    assert story.phase == "soaking"
    assert story.soaked(5).phase == "shifting"


def test_a_bad_candidate_is_heard_at_a_gate() -> None:
    story = _at_late_gate().tick(100, 40)

    assert story.phase == "rolling_back"
    assert len(story.seen(LockLane)) == 1


@pytest.mark.parametrize("prepare", ["paused", "held", "shifting", "taking over"])
def test_a_failing_judge_is_heard_wherever_there_is_traffic(prepare: str) -> None:
    story = {
        "paused": lambda: Story().to_soak().act(LEAD, Action.PAUSE),
        "held": lambda: Story().to_hold(),
        "shifting": lambda: Story().to_shift(),
        "taking over": lambda: Story().to_soak().soaked().applied().soaked(),
    }[prepare]()

    assert story.tick(200, 100).phase == "rolling_back"


def test_too_little_evidence_holds_and_asks_with_a_deadline() -> None:
    story = _starved()

    assert story.rollout.hold is not None
    assert story.posted()[-1].what == "held"
    assert story.posted()[-1].mention_roles == ("on-call",)
    assert set(machine.timers(story.rollout)) == {"hold"}
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 5)


def test_a_held_rollout_goes_on_by_itself_when_the_verdict_becomes_pass() -> None:
    story = _starved().tick(500)

    assert story.phase == "shifting"
    assert story.rollout.hold is None
    assert "No longer on hold. PASS" in " ".join(t.why for t in story.transitions)


def test_more_of_too_little_stays_held_without_asking_again() -> None:
    story = _starved()
    asked = len(story.posted())
    assert story.tick(1).phase == "held"
    assert len(story.posted()) == asked


def test_sources_that_cannot_be_read_hold_only_beyond_the_policys_limit() -> None:
    story = Story().to_soak().tick().blind()
    assert story.phase == "soaking"

    story.blinded()
    assert story.rollout.hold is not None and "could not measure" in story.rollout.hold.why
    assert story.phase == "held"


def test_measuring_again_lets_the_soak_go_on_where_it_was() -> None:
    story = Story().to_hold().tick()
    assert story.phase == "soaking"
    assert story.rollout.hold is None

    assert story.soaked().phase == "shifting"


def test_measuring_again_while_observing_goes_on_observing() -> None:
    story = Story().to_soak().soaked().applied().tick()
    story.blinded()
    assert story.tick().phase == "observing"


def test_a_source_that_blinks_at_the_end_of_a_soak_does_not_call_people() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE).soaked().blind()

    assert story.phase == "soaking"
    assert not story.rollout.step_done
    assert story.tick().rollout.step_done


def test_common_trouble_holds_since_going_back_would_not_help() -> None:
    story = Story().to_soak()
    for _ in range(8):
        if story.phase == "soaking":
            story.tick(200, 20, stable_bad=100)

    assert story.phase == "held"
    assert story.rollout.verdict is not None
    assert story.rollout.verdict.hold


def test_a_hold_that_no_one_decides_rolls_back() -> None:
    story = Story().to_hold().due("hold")

    assert story.phase == "rolling_back"
    assert "no decision was made in time" in story.rollout.outcome
    assert len(story.seen(LockLane)) == 1


def test_a_hold_may_wait_and_ask_again_where_the_policy_says_so() -> None:
    story = Story(hold_outcome="wait").to_hold()
    first = machine.timers(story.rollout)["hold"]
    asked = len(story.posted())

    story.due("hold")

    assert story.phase == "held"
    assert machine.timers(story.rollout)["hold"] > first
    assert len(story.posted()) == asked + 1


def test_a_timer_row_of_an_older_deadline_does_nothing() -> None:
    story = Story().to_hold()
    due = machine.timers(story.rollout)["hold"]
    story.act(LEAD, Action.EXTEND, seconds=60)

    story.tell(TimerDue("hold", story.rollout.step, due))

    assert story.phase == "held"


# ---- people at a hold --------------------------------------------------------------------------------------


def test_promoting_without_pass_needs_the_quorum_without_the_requester() -> None:
    story = Story(promote_quorum=2).to_hold()
    with pytest.raises(Refused, match="requested this rollout"):
        story.act(DEV, Action.PROMOTE)
    with pytest.raises(Refused, match="release-manager"):
        story.act(ONCALL, Action.PROMOTE)

    story.act(LEAD, Action.PROMOTE).act(LEAD, Action.PROMOTE)
    assert story.phase == "held"

    assert story.act(LEAD2, Action.PROMOTE, reason="traffic is low on Sundays").phase == "shifting"


def test_votes_given_in_the_soak_count_in_the_hold() -> None:
    story = Story(promote_quorum=2).to_soak().act(LEAD, Action.PROMOTE)
    story.blinded()
    assert story.act(LEAD2, Action.PROMOTE).phase == "shifting"


def test_promoting_skips_the_rest_of_the_soak_but_no_gate() -> None:
    story = Story(GATED_LATE).applied().verified().applied().act(LEAD, Action.PROMOTE)
    assert story.phase == "gated"
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 5)


def test_nothing_is_promoted_while_paused() -> None:
    story = Story().to_hold().act(LEAD, Action.PAUSE)
    assert Action.PROMOTE not in machine.allowed_actions(story.rollout, story.at)
    with pytest.raises(Refused, match="paused"):
        story.act(LEAD, Action.PROMOTE)


def test_extending_a_starved_hold_gives_it_measured_time() -> None:
    story = _starved().act(DEV, Action.EXTEND, seconds=20)
    assert story.phase == "soaking"
    assert story.tick(500).phase == "soaking"
    assert story.soaked(15).phase == "shifting"


def test_extending_while_nothing_can_be_measured_gives_people_time() -> None:
    story = Story().to_hold()
    before = machine.timers(story.rollout)["hold"]

    story.act(DEV, Action.EXTEND)

    assert story.phase == "held"
    assert machine.timers(story.rollout)["hold"] > before


def test_extending_a_soak_without_a_time_doubles_it() -> None:
    story = Story().to_soak().act(DEV, Action.EXTEND).soaked()
    assert story.phase == "soaking"
    assert story.soaked().phase == "shifting"


@pytest.mark.parametrize("seconds", [-1.0, 1e9])
def test_nonsensical_extensions_are_refused(seconds: float) -> None:
    with pytest.raises(Refused, match="cannot be extended by"):
        Story().to_soak().act(DEV, Action.EXTEND, seconds=seconds)


# ---- a judge that goes blind at a gate ---------------------------------------------------------------------


def _blind_at_gate() -> Story:
    story = _at_late_gate()
    for _ in range(6):
        story.blind()
    assert story.phase == "gated"
    return story


def test_an_approval_while_the_judge_is_blind_holds_instead_of_moving_traffic() -> None:
    story = _blind_at_gate().act(LEAD, Action.APPROVE)

    assert story.phase == "held"
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 5)
    assert story.rollout.grants
    assert story.rollout.approvals == ()


def test_it_goes_on_when_the_judge_sees_again() -> None:
    assert _blind_at_gate().act(LEAD, Action.APPROVE).blind().phase == "held"
    assert _blind_at_gate().act(LEAD, Action.APPROVE).tick().phase == "shifting"


def test_it_does_not_go_on_with_a_tick_that_speaks_against_the_candidate() -> None:
    story = _blind_at_gate().act(LEAD, Action.APPROVE).tick(bad=3)
    assert (story.phase, story.ordered()[-1]) == ("held", ("1.4.0", "1.5.0", 5))
    assert story.tick().phase == "shifting"

    failing = _blind_at_gate().act(LEAD, Action.APPROVE)
    while failing.phase == "held":
        failing.tick(bad=60)
    assert failing.phase == "rolling_back"


def test_people_may_go_on_blind_by_the_promotion_quorum_or_take_more_time() -> None:
    story = _blind_at_gate().act(LEAD, Action.APPROVE)
    before = machine.timers(story.rollout)["hold"]
    story.act(LEAD, Action.EXTEND, seconds=60)
    assert machine.timers(story.rollout)["hold"] > before
    assert story.act(LEAD2, Action.PROMOTE).phase == "shifting"


def test_a_pause_at_such_a_hold_waits_at_the_gate_and_goes_on_with_resume() -> None:
    story = _blind_at_gate().act(LEAD, Action.APPROVE).act(LEAD, Action.PAUSE).tick()
    assert story.phase == "gated"
    assert story.rollout.step_done
    assert machine.timers(story.rollout) == {}

    assert story.act(LEAD, Action.RESUME).phase == "shifting"


def test_resuming_into_blindness_holds_and_pausing_again_does_not_get_around_it() -> None:
    story = _at_late_gate().act(LEAD, Action.PAUSE).act(LEAD, Action.APPROVE)
    for _ in range(6):
        story.blind()
    story.act(LEAD, Action.RESUME)
    assert story.phase == "held"

    assert story.act(LEAD, Action.PAUSE).act(LEAD, Action.RESUME).phase == "held"


def test_a_gate_for_two_counts_its_own_votes_and_not_those_to_promote() -> None:
    two = Gate("production", "release-manager", quorum=2)
    story = Story((VERIFY, Shift(5), Soak(SOAK_S), two, Shift(100)), promote_quorum=2)
    story.applied().verified().applied().act(LEAD, Action.PROMOTE).soaked()

    assert story.phase == "gated"
    assert story.act(LEAD2, Action.APPROVE).phase == "gated"


def _verdict(outcome: Outcome, *reasons: tuple[str, Outcome, bool]) -> Verdict:
    said = (Reason(name, each, f"{name}: {each}", enforced=enforced) for name, each, enforced in reasons)
    return Verdict(outcome, tuple(said))


def test_people_hear_the_enforced_reasons_behind_the_outcome_and_three_at_most() -> None:
    verdict = _verdict(
        Outcome.FAIL,
        ("watched", Outcome.FAIL, False),
        ("good", Outcome.PASS, True),
        *((name, Outcome.FAIL, True) for name in ("one", "two", "three", "four")),
    )
    assert because(verdict) == "one: FAIL; two: FAIL; three: FAIL"
    assert because(_verdict(Outcome.ERROR, ("watched", Outcome.ERROR, False))) == "the verdict is ERROR"


def test_people_hear_what_a_pass_rests_on_and_three_reasons_at_most() -> None:
    four = _verdict(Outcome.PASS, *((name, Outcome.PASS, True) for name in ("one", "two", "three", "four")))
    assert passed(four) == "one: PASS; two: PASS; three: PASS"
    assert passed(_verdict(Outcome.PASS)) == "this lane has nothing to judge"
