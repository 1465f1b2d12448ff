"""The way forward and the ways back, told as stories."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bot.domain.errors import IllegalTransition, UserError
from bot.domain.judge.evidence.ticks import Tick
from bot.domain.rollout import plans
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    DrawCard,
    Event,
    LockLane,
    LogLine,
    MarkKnownGood,
    Measured,
    Reported,
    SetDesired,
    TimerDue,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import SYSTEM, Action, Actor, Phase
from bot.domain.rollout.steps import Gate, Observe, RunChecks, Shift, Soak, Verify
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.rules.story import CANARY, LANE, NEW, OLD, SOAK_S, T0, VERIFY, Story

STRAIGHT = (VERIFY, Shift(100), Observe(SOAK_S))


# ---- forward -----------------------------------------------------------------------------------------------


def test_a_good_release_walks_the_whole_plan_and_becomes_stable() -> None:
    story = Story().to_soak().soaked().applied().soaked().applied(100)

    assert story.phase == "succeeded"
    assert story.ordered() == [
        ("1.4.0", "1.5.0", 0),
        ("1.4.0", "1.5.0", 5),
        ("1.4.0", "1.5.0", 100),
        ("1.5.0", None, 0),
    ]
    assert story.seen(MarkKnownGood) == [MarkKnownGood(LANE, NEW)]
    assert [(n.what, n.mention_roles, n.mention_users) for n in story.posted()] == [
        ("gate_opened", ("release-manager",), ()),
        ("succeeded", (), ()),
    ]
    assert story.rollout.ended_at == story.at
    assert machine.timers(story.rollout) == {}


def test_generations_rise_by_one_with_every_order_and_start_above_the_lanes() -> None:
    story = Story().to_soak().soaked().applied().soaked().applied(100)

    assert [e.desired.generation for e in story.seen(SetDesired)] == [4, 5, 6, 7]
    assert story.rollout.generation == story.rollout.confirmed == 7


def test_the_former_stable_is_kept_warm_when_the_candidate_takes_over() -> None:
    story = Story().to_soak().soaked().applied().soaked()

    assert story.seen(SetDesired)[-1].desired.warm == (OLD,)
    assert story.rollout.current is None
    assert machine.timers(story.rollout) == {}  # an order's time is measured where it is executed


def test_checks_run_once_the_candidate_is_ready_and_not_before() -> None:
    story = Story()
    assert not story.seen(RunChecks)

    story.applied().tell(Applied(story.rollout.generation, story.at, 0))

    assert [(e.step, e.checks, e.release) for e in story.seen(RunChecks)] == [(0, VERIFY.checks, NEW)]


def test_failed_checks_end_the_rollout_without_traffic_and_take_the_candidate_away() -> None:
    story = Story().applied().verified(False, "/healthz answered 500 instead of 200")

    assert story.phase == "failed"
    assert story.ordered()[-1] == ("1.4.0", None, 0)
    assert not story.rollout.had_traffic
    assert "/healthz answered 500" in story.rollout.outcome
    assert story.posted()[-1].mention_users == (DEV.id,)
    assert not story.seen(LockLane)


def test_a_candidate_that_cannot_be_started_fails_without_a_rollback() -> None:
    assert Story().apply_failed("exit code 1").phase == "failed"
    assert Story().crashed().phase == "failed"


def test_a_shift_is_done_only_when_the_weight_is_observed() -> None:
    story = Story().to_shift().applied(0)
    assert story.phase == "shifting"
    assert story.rollout.observed_weight == 0

    assert story.applied(5).phase == "soaking"


def test_a_shift_counts_as_traffic_from_its_order_on() -> None:
    story = Story().to_shift()

    assert story.rollout.had_traffic
    assert story.rollout.observed_weight == 0
    assert story.rollout.judge_state is not None


def test_a_shift_that_is_not_confirmed_rolls_back() -> None:
    story = Story().to_shift().apply_failed("port taken")
    assert story.phase == "rolling_back"
    assert story.ordered()[-1] == ("1.4.0", None, 0)


def test_a_shift_that_fails_because_stable_is_gone_halts_where_the_traffic_is() -> None:
    story = Story().to_soak().soaked().apply_failed("1.4.0 crashed", unsafe=True)

    assert story.phase == "halted"
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 100)
    assert story.posted()[-1].what == "halted"


def test_a_warm_stable_that_dies_at_the_end_does_not_take_traffic_from_a_good_candidate() -> None:
    story = Story().to_soak().soaked().applied().soaked().apply_failed("1.4.0 does not stay up")
    assert story.phase == "shifting"
    assert "1.4.0 does not stay up" in story.rollout.outcome

    assert story.seen(SetDesired)[-1].desired.warm == ()
    assert story.seen(SetDesired)[-1].delay_s > 0

    assert story.applied(100).phase == "succeeded"


def test_a_candidate_that_dies_while_taking_over_is_rolled_back() -> None:
    story = Story().to_soak().soaked().applied().soaked()

    assert story.apply_failed("1.5.0 is gone", unsafe=True).phase == "rolling_back"
    assert story.ordered()[-1] == ("1.4.0", None, 0)


def test_a_plan_without_verify_or_gate_shifts_at_once() -> None:
    assert Story((Shift(100), Soak(30))).phase == "shifting"


def test_an_unsound_plan_does_not_begin() -> None:
    with pytest.raises(UserError, match="last shift is to 5%"):
        Story((Shift(5), Soak(30)))


def test_every_change_draws_the_card_once_and_is_one_version() -> None:
    story = Story()
    assert story.rollout.version == 0
    story.to_soak().tick()

    assert story.last.effects == (DrawCard(),)
    assert story.last.transitions == ()
    assert story.rollout.version == 5


def test_every_transition_says_who_when_what_and_why_and_is_read_in_the_thread() -> None:
    story = (
        Story().to_soak().soaked().applied().act(ONCALL, Action.ROLL_BACK, reason="users complain").applied(0)
    )

    for transition in story.transitions:
        assert transition.actor.name in {"dev", "lead", "oncall", "Slipway"}
        assert transition.at >= T0
        assert transition.what
        assert transition.why
    assert [e.text for e in story.seen(LogLine)] == [t.why for t in story.transitions]
    chain = [(t.from_phase, t.to_phase) for t in story.transitions]
    assert all(a[1] == b[0] for a, b in pairwise(chain))


# ---- exclusive services ------------------------------------------------------------------------------------


def _exclusive(steps: tuple[Verify | Gate | Shift | Soak | Observe, ...] = STRAIGHT) -> Story:
    return Story(steps, exclusive=True)


def test_an_exclusive_service_is_checked_after_the_shift_and_before_the_soak() -> None:
    story = _exclusive()
    assert story.phase == "shifting"
    assert story.ordered() == [("1.4.0", "1.5.0", 100)]

    story.applied(100)
    assert story.phase == "shifting"
    assert [e.step for e in story.seen(RunChecks)] == [1]

    assert story.verified().phase == "observing"


def test_an_exclusive_service_never_has_two_releases_at_once_not_even_warm() -> None:
    story = _exclusive().applied(100).verified().soaked().applied(100)

    assert story.phase == "succeeded"
    assert story.ordered() == [("1.4.0", "1.5.0", 100), ("1.5.0", None, 0)]
    assert story.seen(SetDesired)[-1].desired.warm == ()


def test_an_exclusive_service_that_fails_its_late_checks_is_rolled_back() -> None:
    story = _exclusive().applied(100).verified(False, "no answer")
    assert story.phase == "rolling_back"


def test_an_exclusive_service_that_does_not_start_goes_back_although_stable_does_not_run() -> None:
    assert _exclusive().apply_failed("exit code 1", unsafe=True).phase == "rolling_back"


def test_an_exclusive_service_without_checks_soaks_at_once() -> None:
    assert _exclusive((Shift(100), Soak(30))).applied(100).phase == "soaking"


# ---- a return to a known-good release, a first release ------------------------------------------------------


def test_a_return_to_known_good_goes_straight_and_is_not_judged() -> None:
    story = Story(plans.straight().steps, known_good=True)
    assert story.ordered() == [("1.4.0", "1.5.0", 100)]

    assert story.tick(100, 100).phase == "shifting"
    assert story.applied().applied(100).phase == "succeeded"


def test_a_return_to_known_good_is_exempt_from_gates_and_soaks_but_not_from_the_log() -> None:
    story = Story((Gate("production", "release-manager"), Shift(100), Observe(30)), known_good=True)
    assert story.phase == "shifting"
    assert "gate_exempt" in [t.what for t in story.transitions]
    assert not story.posted()

    assert story.applied().applied(100).phase == "succeeded"


def test_a_first_release_gets_all_traffic_since_there_is_no_release_to_share_with() -> None:
    story = Story(stable=None).to_shift()
    assert story.ordered()[-1] == (None, "1.5.0", 100)

    assert story.applied().soaked().applied().soaked().applied(100).phase == "succeeded"
    assert story.seen(SetDesired)[-1].desired.warm == ()


def test_a_first_release_still_waits_at_each_gate() -> None:
    steps = (Shift(5), Soak(30), Gate("production", "release-manager"), Shift(100))
    assert Story(steps, stable=None).ordered()[-1] == (None, "1.5.0", 5)


def test_a_first_release_that_fails_has_nowhere_to_go_back_to_and_halts() -> None:
    story = Story(stable=None).to_soak().tick(100, 50)

    assert story.phase == "halted"
    assert "no earlier release" in story.rollout.outcome
    assert story.posted()[-1].mention_roles == ("on-call",)
    assert not story.seen(LockLane)


# ---- back --------------------------------------------------------------------------------------------------


def test_failed_soak_rolls_back_and_stable_keeps_serving() -> None:
    story = Story().to_soak().tick(100, 20)

    assert story.phase == "rolling_back"
    order = story.seen(SetDesired)[-1]
    assert order.urgent
    assert (order.desired.stable, order.desired.candidate, order.desired.weight) == (OLD, None, 0)
    assert story.posted()[-1].what == "rolled_back"
    assert story.posted()[-1].mention_roles == ("on-call",)

    story.applied(0)
    assert story.phase == "rolled_back"
    assert story.rollout.observed_weight == 0
    assert "20 of 100" in story.rollout.outcome


def test_an_automatic_rollback_locks_the_lane_and_quarantines_the_release() -> None:
    (lock,) = Story().to_soak().tick(100, 20).seen(LockLane)
    assert (lock.lane, lock.owner, lock.digest) == (LANE, "Slipway", NEW.digest)
    assert "20 of 100" in lock.reason

    assert not Story(lock_after_rollback=False).to_soak().tick(100, 20).seen(LockLane)


def test_a_persons_rollback_quarantines_behind_a_gate_and_tells_who_asked_for_the_release() -> None:
    story = Story().to_soak().act(ONCALL, Action.ROLL_BACK, reason="users complain.")

    assert story.phase == "rolling_back"
    (lock,) = story.seen(LockLane)
    assert (lock.lane, lock.owner, lock.digest) == (LANE, "oncall", NEW.digest)
    assert lock.reason == "1.5.0 was rolled back by oncall: users complain"
    assert story.posted()[-1].mention_users == (DEV.id,)
    assert story.rollout.outcome == "oncall rolled back: users complain. 1.5.0 is quarantined."

    ungated = Story((Shift(5), Soak(30), Shift(100))).applied().act(ONCALL, Action.ROLL_BACK)
    assert not ungated.seen(LockLane)
    assert ungated.rollout.outcome == "oncall rolled back."
    assert not Story(lock_after_rollback=False).to_soak().act(ONCALL, Action.ROLL_BACK).seen(LockLane)

    assert Story().to_soak().act(DEV, Action.ROLL_BACK).posted()[-1].mention_users == ()


def test_a_release_that_an_alert_takes_back_is_quarantined_with_and_without_a_gate() -> None:
    for gated in (True, False):
        story = Story((Shift(100),), known_good=True, gated=gated, requester=SYSTEM, reason="Alert 7: sick.")
        (lock,) = story.seen(LockLane)
        assert (lock.owner, lock.digest) == ("Slipway", OLD.digest)
        assert lock.reason == "1.4.0 was rolled back by Slipway: Alert 7: sick."
    assert not Story((Shift(100),), known_good=True, requester=SYSTEM, lock_after_rollback=False).seen(
        LockLane
    )
    still_going = Story((Shift(5), Soak(30), Shift(100))).applied().act(SYSTEM, Action.ROLL_BACK)
    assert [lock.digest for lock in still_going.seen(LockLane)] == [NEW.digest]


def test_rolled_back_needs_the_candidate_observed_without_traffic() -> None:
    story = Story().to_rolling_back().applied(3)
    assert story.phase == "rolling_back"
    assert story.rollout.observed_weight == 3

    assert story.applied(0).phase == "rolled_back"


def test_an_answer_to_the_shift_does_not_end_the_rollback() -> None:
    story = Story().to_shift()
    late = story.rollout.generation
    story.act(ONCALL, Action.ROLL_BACK)

    story.tell(Applied(late, story.at, 0)).tell(ApplyFailed(late, story.at, "late"))

    assert story.phase == "rolling_back"


def test_a_crash_with_traffic_rolls_back_and_quarantines() -> None:
    story = Story().to_soak().crashed()

    assert story.phase == "rolling_back"
    assert "exit code 1" in story.rollout.outcome
    assert len(story.seen(LockLane)) == 1


def test_a_rollback_that_fails_halts_and_calls_people() -> None:
    story = Story().to_rolling_back().apply_failed("1.4.0 does not start", unsafe=True)
    assert story.phase == "halted"
    assert not story.rollout.phase.final
    assert story.posted()[-1].what == "halted"
    assert story.posted()[-1].mention_roles == ("on-call",)
    assert machine.timers(story.rollout) == {}


def test_a_target_that_is_ahead_is_rolled_back_above_its_generation() -> None:
    """After a failover or a restored backup the database knows less than the target."""
    story = Story().to_rolling_back()
    ahead = story.rollout.generation + 40
    story.apply_failed("generation", newest=ahead)
    assert story.phase == "rolling_back"
    order = story.seen(SetDesired)[-1]
    assert order.desired.generation == ahead + 1
    assert order.urgent
    assert (order.desired.stable, order.desired.candidate, order.desired.weight) == (OLD, None, 0)
    assert story.applied(0).phase == "rolled_back"


def test_a_shift_that_meets_a_target_ahead_turns_back_above_its_generation() -> None:
    story = Story().to_shift()
    ahead = story.rollout.generation + 7
    assert story.apply_failed("generation", newest=ahead).phase == "rolling_back"
    assert story.seen(SetDesired)[-1].desired.generation == ahead + 1


def test_a_target_that_stays_ahead_however_often_it_is_caught_up_with_halts() -> None:
    story = Story().to_rolling_back()
    for _ in range(5):
        assert story.apply_failed("generation", newest=story.rollout.generation + 2).phase == "rolling_back"
    assert story.apply_failed("generation", newest=story.rollout.generation + 2).phase == "halted"


def test_only_a_person_ends_a_halted_rollout() -> None:
    story = Story().to_halted().applied(0)
    assert story.phase == "halted"
    assert "no traffic" in story.rollout.outcome

    story.act(ONCALL, Action.CLOSE, reason="moved by hand")
    assert story.phase == "cancelled"
    assert story.rollout.outcome == "oncall closed the rollout: moved by hand."


def test_a_halted_rollback_can_be_tried_again() -> None:
    story = Story().to_halted()
    halted_at = story.rollout.generation

    story.act(ONCALL, Action.ROLL_BACK)
    assert story.phase == "rolling_back"
    assert story.rollout.generation == halted_at + 1
    assert story.applied(0).phase == "rolled_back"


def test_rolling_back_twice_is_one_rollback() -> None:
    story = Story().to_rolling_back()
    orders = len(story.ordered())

    story.act(LEAD, Action.ROLL_BACK).act(ONCALL, Action.ROLL_BACK)

    assert len(story.ordered()) == orders


def test_what_belonged_to_going_forward_is_gone_on_the_way_back() -> None:
    story = Story().to_hold().act(LEAD, Action.PAUSE).act(ONCALL, Action.ROLL_BACK)

    assert story.rollout.hold is None
    assert story.rollout.pause is None
    assert machine.timers(story.rollout) == {}
    assert machine.allowed_actions(story.rollout, story.at) == ()


# ---- the machine's own way out -----------------------------------------------------------------------------


def test_an_abort_on_the_machine_is_adopted_confirmed_and_audited() -> None:
    story = Story().to_soak().host_aborted(50, "it burns")

    assert story.phase == "rolling_back"
    assert story.rollout.generation == 51
    assert story.transitions[-1].actor == Actor(0, "root", via="cli")
    assert "it burns" in story.transitions[-2].why
    assert [lock.digest for lock in story.seen(LockLane)] == [NEW.digest]
    assert story.applied(0).phase == "rolled_back"


def test_an_abort_is_heard_once() -> None:
    story = Story().to_soak().host_aborted(50).host_aborted(50)
    assert story.rollout.generation == 51
    assert story.last.effects == ()


def test_an_abort_without_traffic_cancels_and_without_reason_is_still_told() -> None:
    story = Story().host_aborted(50, "")
    assert story.phase == "cancelled"
    assert story.ordered()[-1] == ("1.4.0", None, 0)
    assert story.rollout.outcome == "root aborted the rollout on the machine."


# ---- defence -----------------------------------------------------------------------------------------------


def test_traffic_past_a_gate_without_its_quorum_is_impossible_even_for_a_broken_rollout() -> None:
    story = Story(CANARY[1:])
    tampered = replace(story.rollout, step=0, phase=Phase.SOAKING, had_traffic=True)
    with pytest.raises(IllegalTransition, match=r"^rollout 7: step 1 lies behind a gate without its quorum$"):
        story.rollout = tampered
        story.act(LEAD, Action.PROMOTE)


def test_checks_that_no_one_ordered_are_illegal() -> None:
    with pytest.raises(IllegalTransition, match="not ordered"):
        Story().verified()


def test_people_hear_once_that_the_end_is_not_confirmed_however_often_it_is_ordered_again() -> None:
    story = Story((Shift(100), Observe(SOAK_S))).applied().soaked()
    for _ in range(5):
        story.apply_failed("1.4.0 does not stop")
    assert [n.what for n in story.posted()].count("unconfirmed") == 1
    assert story.rollout.asked_again == 5
    assert [e.delay_s for e in story.seen(SetDesired)][-5:] == [5.0, 10.0, 20.0, 40.0, 80.0]
    assert story.applied(100).phase == "succeeded"


def test_what_people_promote_past_its_observation_takes_over_and_is_not_known_good() -> None:
    story = Story((Shift(100), Observe(SOAK_S))).applied().act(LEAD, Action.PROMOTE).applied(100)
    assert story.phase == "succeeded"
    (mark,) = story.seen(MarkKnownGood)
    assert not mark.good
    assert "not known good" in story.rollout.outcome


def test_a_soak_that_people_cut_short_does_not_count_against_an_observation_that_is_completed() -> None:
    story = Story((Shift(5), Soak(SOAK_S), Shift(100), Observe(SOAK_S))).applied()
    story.act(LEAD, Action.PROMOTE).applied().soaked().applied(100)
    (mark,) = story.seen(MarkKnownGood)
    assert mark.good


def test_an_exclusive_service_begins_no_plan_with_a_part_of_the_traffic() -> None:
    with pytest.raises(UserError, match="an exclusive service cannot have 25%"):
        Story((Shift(25), Soak(SOAK_S), Shift(100)), exclusive=True)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Applied(5, T0, 0), "rollout 7: never ordered generation 5"),
        (ApplyFailed(5, T0, "no"), "rollout 7: never ordered generation 5"),
        (Measured(T0, Tick(0.0, 5.0, {})), None),
        (Reported("run_sync", 0, T0, True), "rollout 7: an answer (run_sync) to what was not ordered"),
        (Reported("run_checks", 0, T0, True), "rollout 7: checks ended that were not ordered"),
        (TimerDue("tea", 0, T0), "rollout 7: tea_due in verifying"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_event_that_cannot_have_happened_is_named(event: Event, said: str | None) -> None:
    rollout = Story().rollout
    if said is None:  # nothing is judged before there is traffic
        assert machine.step(rollout, event).rollout is rollout
        return
    with pytest.raises(IllegalTransition) as illegal:
        machine.step(rollout, event)
    assert str(illegal.value) == said


def test_answers_of_an_earlier_step_change_nothing() -> None:
    """Of the step before, and of this one after it was done while paused."""
    shifting = Story().to_shift()
    assert (
        machine.step(shifting.rollout, Reported("run_checks", 0, T0, False, ("late",))).rollout
        is shifting.rollout
    )
    paused = Story().applied().act(LEAD, Action.PAUSE).verified()
    assert paused.rollout.step_done
    assert (
        machine.step(paused.rollout, Reported("run_checks", 0, T0, False, ("again",))).rollout
        is paused.rollout
    )
