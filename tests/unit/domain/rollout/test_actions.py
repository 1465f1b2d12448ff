"""Pause, resume, panic, cancel, and presses that come too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Refused
from bot.domain.rollout.events import Notify
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action
from bot.domain.rollout.steps import Gate, Shift
from tests.support.actors import DEV, DEV2, GUEST, LEAD, LEAD2, ONCALL
from tests.support.rules.story import SOAK_S, VERIFY, Story

PAIR = Gate("production", "release-manager", quorum=2)


def test_while_paused_nothing_moves_forward_and_resume_goes_on() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE, reason="lunch").soaked()
    assert story.phase == "soaking"
    assert story.rollout.step_done
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 5)

    assert story.act(LEAD, Action.RESUME).phase == "shifting"
    assert story.rollout.pause is None


def test_a_pass_while_paused_is_told_once_and_counts_only_while_it_holds() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE).soaked(2 * SOAK_S)
    assert [t.what for t in story.transitions].count("judged_pass") == 1

    story.tick(100, 8)
    assert not story.rollout.step_done
    story.act(LEAD, Action.RESUME)
    assert story.phase in {"held", "soaking"}


def test_a_hold_that_passes_while_paused_waits_for_resume_and_not_for_its_deadline() -> None:
    story = Story().to_soak()
    for _ in range(6):
        story.tick(1)
    story.act(LEAD, Action.PAUSE).tick(500)

    assert story.phase == "soaking"
    assert machine.timers(story.rollout) == {}
    assert story.act(LEAD, Action.RESUME).phase == "shifting"


@pytest.mark.parametrize("where", ["verifying", "shifting"])
def test_what_was_ordered_before_the_pause_is_finished_and_waits(where: str) -> None:
    story = (Story() if where == "verifying" else Story().to_shift()).act(LEAD, Action.PAUSE).applied()
    if where == "verifying":
        story.verified().verified()
    assert story.phase == where
    assert story.rollout.step_done
    assert machine.timers(story.rollout) == {}

    assert story.act(LEAD, Action.RESUME).phase == {"verifying": "gated", "shifting": "soaking"}[where]


def test_a_paused_gate_gets_its_time_back() -> None:
    story = Story().to_gate()
    due = machine.timers(story.rollout)["gate"]
    story.act(LEAD, Action.PAUSE)
    assert machine.timers(story.rollout) == {}

    story.later(7200).act(LEAD, Action.RESUME)

    assert machine.timers(story.rollout)["gate"] == due + timedelta(hours=2)


def test_an_approval_during_a_pause_counts_and_waits() -> None:
    story = Story().to_gate().act(LEAD, Action.PAUSE).later(7200).act(LEAD, Action.APPROVE)
    assert story.phase == "gated"
    assert story.rollout.step_done
    assert Action.APPROVE not in machine.allowed_actions(story.rollout, story.at)
    assert story.act(LEAD2, Action.APPROVE).last.effects == ()
    with pytest.raises(Refused, match="no longer be revoked"):
        story.act(LEAD, Action.REVOKE)
    with pytest.raises(Refused, match="needs no more time"):
        story.act(LEAD, Action.EXTEND)

    assert story.act(LEAD, Action.RESUME).phase == "shifting"


def test_pausing_and_resuming_twice_changes_nothing() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE)
    since = story.rollout
    assert story.later(9).act(LEAD2, Action.PAUSE).rollout is since

    resumed = story.act(LEAD, Action.RESUME).rollout
    assert story.act(LEAD, Action.RESUME).rollout is resumed


def test_a_panic_stop_needs_no_role_of_the_lane_and_says_so_in_a_message_of_its_own() -> None:
    story = Story().to_soak().act(ONCALL, Action.PAUSE, panic=True, reason="database on fire")

    assert story.rollout.pause is not None
    assert story.rollout.pause.panic
    assert story.last.effects[1] == Notify(
        "paused", text="oncall switched the panic stop on: database on fire."
    )


def test_a_panic_stop_takes_over_an_ordinary_pause() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE).act(ONCALL, Action.PAUSE, panic=True)
    assert story.rollout.pause is not None
    assert story.rollout.pause.panic
    assert story.rollout.pause.by == "oncall"


@pytest.mark.parametrize("first", ["paused", "panic"])
def test_what_someone_paused_by_hand_stays_paused_when_a_panic_stop_ends(first: str) -> None:
    story = Story().to_soak()
    presses = [(LEAD, False), (ONCALL, True)]
    for actor, panic in presses if first == "paused" else reversed(presses):
        story.act(actor, Action.PAUSE, panic=panic)
    story.act(ONCALL, Action.RESUME, panic=True)

    assert story.rollout.pause is not None
    assert (story.rollout.pause.by, story.rollout.pause.panic) == ("lead", False)
    assert "stays paused by lead" in story.rollout.outcome
    assert story.act(LEAD, Action.RESUME).rollout.pause is None


def test_the_time_that_a_gate_was_paused_counts_through_a_panic_stop_as_once() -> None:
    story = Story().to_gate()
    deadline = story.rollout.deadline
    assert deadline is not None
    story.act(LEAD, Action.PAUSE).later(60).act(ONCALL, Action.PAUSE, panic=True).later(60)
    story.act(ONCALL, Action.RESUME, panic=True).later(60).act(LEAD, Action.RESUME)
    assert story.rollout.deadline == deadline + timedelta(seconds=180)


def test_a_panic_stop_ends_for_all_at_once_and_no_single_rollout_is_resumed() -> None:
    story = Story().to_soak().act(ONCALL, Action.PAUSE, panic=True, reason="database on fire")
    assert Action.RESUME not in machine.allowed_actions(story.rollout, story.at)
    for person in (DEV, LEAD):
        with pytest.raises(Refused, match="oncall switched the panic stop on: database on fire") as refused:
            story.act(person, Action.RESUME)
        assert "/panic switch:off" in refused.value.remedy
        with pytest.raises(Refused):
            story.act(person, Action.PROMOTE)

    assert Action.ROLL_BACK in machine.allowed_actions(story.rollout, story.at)
    assert story.act(ONCALL, Action.RESUME, panic=True).rollout.pause is None


def test_the_end_of_a_panic_stop_leaves_an_ordinary_pause_alone() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE).act(ONCALL, Action.RESUME, panic=True)
    assert story.rollout.pause is not None


def test_the_requester_may_pause_and_cancel_beside_the_roles_named() -> None:
    story = Story(operate_roles=())
    with pytest.raises(Refused, match="No role is allowed to pause"):
        story.act(DEV2, Action.PAUSE)
    assert story.act(DEV, Action.PAUSE).rollout.pause is not None
    assert story.act(DEV, Action.CANCEL).phase == "cancelled"


def test_cancel_before_traffic_takes_the_candidate_away() -> None:
    story = Story().to_gate().act(DEV, Action.CANCEL, reason="wrong version")
    assert story.phase == "cancelled"
    assert story.ordered()[-1] == ("1.4.0", None, 0)
    assert story.rollout.outcome == "dev cancelled the rollout: wrong version."


def test_cancel_with_traffic_points_to_roll_back() -> None:
    with pytest.raises(Refused, match=r"Use \*\*Roll back\*\*"):
        Story().to_soak().act(DEV, Action.CANCEL)


def test_roll_back_before_traffic_cancels() -> None:
    assert Story().to_gate().act(ONCALL, Action.ROLL_BACK).phase == "cancelled"


def test_a_press_on_an_older_step_is_told_what_happened_since() -> None:
    story = Story().to_soak()
    with pytest.raises(Refused) as refused:
        story.act(LEAD2, Action.APPROVE, step=1)
    assert refused.value.rule == "older_step"
    assert refused.value.sentence == (
        "This button belongs to step 2; the rollout is now at step 4. Soaking at 5% for 30 s of measured time."
    )


def test_an_emergency_press_counts_even_when_the_rollout_moved_on_under_the_finger() -> None:
    assert Story().to_soak().act(ONCALL, Action.ROLL_BACK, step=1).phase == "rolling_back"
    assert Story().to_soak().act(LEAD, Action.PAUSE, step=1).rollout.pause is not None


def test_a_press_on_a_finished_rollout_is_told_how_it_ended() -> None:
    story = Story().to_rolling_back().applied(0)
    with pytest.raises(Refused) as refused:
        story.act(ONCALL, Action.ROLL_BACK)
    assert refused.value.rule == "over"
    assert (
        refused.value.sentence
        == "This rollout has ended (rolled back). oncall rolled back. 1.5.0 is quarantined."
    )


def test_a_press_that_does_not_fit_the_phase_says_what_the_phase_means() -> None:
    with pytest.raises(Refused, match=r"You cannot promote right now\. Waiting for 1 approval") as refused:
        Story().to_gate().act(LEAD, Action.PROMOTE)
    assert refused.value.rule == "not_now"


def test_guests_may_do_nothing() -> None:
    story = Story().to_gate()
    for action in machine.allowed_actions(story.rollout, story.at):
        with pytest.raises(Refused):
            story.act(GUEST, action, reason="please")


def test_the_buttons_of_each_state() -> None:
    shown = {
        "verifying": (Story(), [Action.PAUSE, Action.CANCEL]),
        "gated": (
            Story().to_gate(),
            [Action.APPROVE, Action.REJECT, Action.EXTEND, Action.PAUSE, Action.CANCEL],
        ),
        "soaking": (Story().to_soak(), [Action.PROMOTE, Action.EXTEND, Action.PAUSE, Action.ROLL_BACK]),
        "paused": (
            Story().to_soak().act(LEAD, Action.PAUSE),
            [Action.EXTEND, Action.RESUME, Action.ROLL_BACK],
        ),
        "gated for two": (
            Story((VERIFY, PAIR, Shift(100))).to_gate().act(LEAD, Action.APPROVE),
            [Action.APPROVE, Action.REJECT, Action.REVOKE, Action.EXTEND, Action.PAUSE, Action.CANCEL],
        ),
        "gated, and paused for longer than the gate is open": (
            Story().to_gate().act(LEAD, Action.PAUSE).later(7200),
            [Action.APPROVE, Action.REJECT, Action.EXTEND, Action.RESUME, Action.CANCEL],
        ),
        "held": (Story().to_hold(), [Action.PROMOTE, Action.EXTEND, Action.PAUSE, Action.ROLL_BACK]),
        "stopped by panic": (
            Story().to_soak().act(ONCALL, Action.PAUSE, panic=True),
            [Action.EXTEND, Action.ROLL_BACK],
        ),
        "halted": (Story().to_halted(), [Action.ROLL_BACK, Action.CLOSE]),
        "rolling_back": (Story().to_rolling_back(), []),
    }
    for name, (story, expected) in shown.items():
        assert list(machine.allowed_actions(story.rollout, story.at)) == expected, name


def test_an_expired_gate_offers_no_approval_even_before_its_timer_was_heard() -> None:
    story = Story().to_gate()
    late = machine.timers(story.rollout)["gate"]
    assert Action.APPROVE not in machine.allowed_actions(story.rollout, late)


def test_a_step_that_is_extended_while_paused_is_not_done_any_more() -> None:
    story = Story().to_soak().act(LEAD, Action.PAUSE).soaked().act(LEAD, Action.EXTEND)
    assert not story.rollout.step_done
    assert story.act(LEAD, Action.RESUME).phase == "soaking"


def test_a_step_is_extended_by_a_day_at_most() -> None:
    day = 24 * 3600.0
    assert Story().to_soak().act(LEAD, Action.EXTEND, seconds=day).rollout.soak_extra_s == day
    with pytest.raises(Refused) as refused:
        Story().to_soak().act(LEAD, Action.EXTEND, seconds=day + 1)
    assert "24 h" in str(refused.value)


def test_a_rejection_without_a_reason_is_asked_for_one() -> None:
    with pytest.raises(Refused) as refused:
        Story().to_gate().act(LEAD, Action.REJECT, reason=" ")
    assert str(refused.value) == "A reason is required. Say in one sentence what is wrong."


def test_a_hold_that_was_stored_without_a_deadline_has_no_timer() -> None:
    rollout = Story().to_hold().rollout
    assert rollout.hold is not None
    assert machine.timers(replace(rollout, hold=replace(rollout.hold, deadline=None))) == {}
