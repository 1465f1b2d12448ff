"""A release that cannot be undone: people are told before they approve it, and people alone take it back."""

from __future__ import annotations

import pytest

from bot.domain.errors import Refused
from bot.domain.judge.judge import Outcome
from bot.domain.rollout.events import LockLane, Notify
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Phase
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.rules.story import CANARY, IRREVERSIBLE, NEW, SOAK_S, VERIFY, Story

MARK = "1.5.0 is irreversible: drops the table coupons."


def story(*args: object, **more: object) -> Story:
    return Story(*args, candidate=IRREVERSIBLE, **more)  # type: ignore[arg-type]


def failing(told: Story) -> Story:
    for _ in range(9):
        if told.rollout.hold is not None or told.rollout.phase is Phase.HALTED:
            return told
        told.tick(100, 40)
    raise AssertionError(f"still {told.phase}")


def actions(told: Story) -> tuple[Action, ...]:
    return machine.allowed_actions(told.rollout, told.at)


def test_a_failing_judge_stops_the_traffic_where_it_is_and_calls_people() -> None:
    told = failing(story().to_soak())
    rollout, hold = told.rollout, told.rollout.hold
    assert rollout.phase is Phase.HELD
    assert hold is not None and hold.for_people and hold.outcome == "wait"
    assert hold.why.endswith(f"{MARK} It is not rolled back automatically.")
    assert told.ordered()[-1] == ("1.4.0", "1.5.0", 5)
    assert told.posted()[-1] == Notify("irreversible", ("on-call",), text=f"On hold: {hold.why}")
    assert not told.seen(LockLane)
    assert actions(told) == (Action.PROMOTE, Action.PAUSE, Action.ROLL_BACK)


def test_nothing_but_people_ends_that_hold() -> None:
    told = failing(story().to_soak())
    calls = len(told.posted())
    for _ in range(3):
        told.soaked()
        told.tick(100, 90)
        told.crashed()
        assert told.rollout.phase is Phase.HELD
    assert len(told.posted()) == calls
    told.due("hold")
    assert told.rollout.phase is Phase.HELD
    assert told.rollout.hold is not None and told.rollout.hold.for_people
    assert len(told.posted()) == calls + 1  # people are called again
    assert told.ordered()[-1] == ("1.4.0", "1.5.0", 5)


def test_a_rollback_by_a_person_names_what_cannot_be_undone_and_asks_first() -> None:
    told = failing(story(gated=True).to_soak())
    with pytest.raises(Refused) as refused:
        told.act(ONCALL, Action.ROLL_BACK)
    assert refused.value.rule == "irreversible"
    assert refused.value.sentence == f"{MARK} 1.4.0 may not work with what it did."
    told.act(ONCALL, Action.ROLL_BACK, confirmed=True, reason="users complain")
    assert told.rollout.phase is Phase.ROLLING_BACK
    assert told.ordered()[-1] == ("1.4.0", None, 0)
    told.act(ONCALL, Action.ROLL_BACK)  # it is on its way: no question
    told.applied(0)
    assert told.rollout.phase is Phase.ROLLED_BACK


def test_the_audit_log_marks_what_was_confirmed() -> None:
    plan = (VERIFY, Shift(5), Soak(SOAK_S), Gate("more", "release-manager"), Shift(100), Observe(SOAK_S))
    for told, what, sentence in (
        (
            story().to_soak().act(ONCALL, Action.ROLL_BACK, confirmed=True, reason="users complain"),
            "rollback_ordered",
            "oncall rolled back, although 1.5.0 is irreversible: users complain.",
        ),
        (
            story(plan)
            .applied()
            .verified()
            .applied()
            .soaked()
            .act(LEAD, Action.REJECT, confirmed=True, reason="not yet"),
            "rejected",
            "lead rejected the rollout, although 1.5.0 is irreversible: not yet.",
        ),
    ):
        line = next(line for line in told.transitions if line.what == what)
        assert line.why == sentence
        assert line.details["confirmed_irreversible"] == "drops the table coupons"


def test_a_return_past_one_is_marked_from_its_start_and_on_its_card() -> None:
    told = Story(known_good=True, undone=IRREVERSIBLE)
    began = told.transitions[0]
    assert began.what == "began"
    assert began.why.endswith(", replacing 1.4.0, although 1.5.0 is irreversible.")
    assert began.details["confirmed_irreversible"] == "drops the table coupons"
    assert told.rollout.undone == MARK


def test_other_rollbacks_are_not_marked() -> None:
    unmarked = Story().to_soak().act(ONCALL, Action.ROLL_BACK, confirmed=True)
    aborted = story().to_soak().host_aborted()
    for told in (
        unmarked,
        aborted,
        Story(known_good=True),
        story().to_gate().act(LEAD, Action.REJECT, reason="no"),
    ):
        assert not [line for line in told.transitions if "confirmed_irreversible" in line.details]
        assert not [line for line in told.transitions if "although" in line.why]


def test_who_may_not_roll_back_is_not_asked_to_confirm() -> None:
    told = story().to_soak()
    with pytest.raises(Refused) as refused:
        told.act(LEAD, Action.REJECT)
    assert refused.value.rule != "irreversible"


def test_people_may_go_on_in_spite_of_the_judge_and_are_asked_at_every_soak() -> None:
    told = failing(story().to_soak())
    told.act(LEAD, Action.PROMOTE, reason="the old release cannot read the new table")
    assert told.rollout.phase is Phase.SHIFTING
    told.tick(100, 40)  # decided: it is not stopped in the middle of the shift
    assert told.rollout.phase is Phase.SHIFTING
    told.applied()
    assert told.rollout.phase is Phase.OBSERVING
    assert failing(told).rollout.phase is Phase.HELD
    told.act(LEAD, Action.PROMOTE, reason="still")
    told.applied(100)
    assert told.rollout.phase is Phase.SUCCEEDED
    assert "It is not known good" in told.rollout.outcome


def test_going_on_passes_no_gate() -> None:
    plan = (VERIFY, Shift(5), Soak(SOAK_S), Gate("more", "release-manager"), Shift(100), Observe(SOAK_S))
    told = failing(story(plan).applied().verified().applied())
    told.act(LEAD, Action.PROMOTE, reason="it must go on")
    assert told.rollout.phase is Phase.GATED
    told.tick(100, 40)
    assert told.rollout.phase is Phase.GATED  # those who approve see the verdict
    assert told.rollout.verdict is not None and told.rollout.verdict.outcome is Outcome.FAIL
    with pytest.raises(Refused) as refused:
        told.act(LEAD, Action.REJECT, reason="no")
    assert refused.value.rule == "irreversible"
    told.act(LEAD, Action.REJECT, reason="no", confirmed=True)
    assert told.rollout.phase is Phase.ROLLING_BACK


def test_in_the_middle_of_a_step_it_is_halted() -> None:
    for told in (
        story().to_shift().tick(100, 90).tick(100, 90),
        story().to_shift().crashed(),
        story().to_shift().apply_failed("no room"),
    ):
        assert told.rollout.phase is Phase.HALTED
        assert MARK in told.rollout.outcome
        assert told.posted()[-1].what == "halted"
        assert actions(told) == (Action.ROLL_BACK, Action.CLOSE)
        assert told.ordered()[-1] == ("1.4.0", "1.5.0", 5)


def test_a_late_gate_that_expires_does_not_take_it_back() -> None:
    plan = (VERIFY, Shift(5), Soak(SOAK_S), Gate("more", "release-manager"), Shift(100), Observe(SOAK_S))
    told = story(plan).applied().verified().applied().soaked()
    told.due("gate")
    assert told.rollout.phase is Phase.HALTED
    assert "the gate expired before it was approved" in told.rollout.outcome


def test_a_hold_for_lack_of_evidence_never_ends_in_a_rollback_by_itself() -> None:
    told = story(hold_outcome="rollback").to_hold()
    hold = told.rollout.hold
    assert hold is not None and not hold.for_people and hold.outcome == "wait"
    told.due("hold")
    assert told.rollout.phase is Phase.HELD
    told.tick()
    assert told.rollout.phase is Phase.SOAKING  # the judge can see again


def test_before_the_first_traffic_it_ends_like_any_other_and_people_are_told_to_look() -> None:
    told = story().applied().verified(False, "/healthz answered 500")
    assert told.rollout.phase is Phase.FAILED
    assert told.rollout.outcome.endswith(f"{MARK} Check whether it began that when it was started.")
    cancelled = story().to_gate().act(DEV, Action.CANCEL)
    assert cancelled.rollout.phase is Phase.CANCELLED
    assert story().to_gate().due("gate").rollout.phase is Phase.CANCELLED


def test_an_abort_on_the_machine_always_works() -> None:
    for told in (story().to_soak(), failing(story().to_soak()), story().to_shift().crashed()):
        told.host_aborted()
        assert told.rollout.phase is Phase.ROLLING_BACK


def test_the_panic_stop_keeps_it_where_it_is_and_the_judge_is_heard() -> None:
    told = story().to_soak().act(ONCALL, Action.PAUSE, panic=True)
    failing(told)
    assert told.rollout.phase is Phase.HELD
    assert told.rollout.pause is not None
    assert actions(told) == (Action.ROLL_BACK,)
    with pytest.raises(Refused):
        told.act(LEAD, Action.PROMOTE)
    told.act(ONCALL, Action.ROLL_BACK, confirmed=True)
    assert told.rollout.phase is Phase.ROLLING_BACK


def test_more_time_is_not_offered_where_it_would_decide_nothing() -> None:
    told = failing(story().to_soak())
    with pytest.raises(Refused) as refused:
        told.act(LEAD, Action.EXTEND)
    assert refused.value.rule == "irreversible_hold"


def test_a_good_irreversible_release_takes_over_like_any_other() -> None:
    told = story().to_soak().soaked().applied().soaked().applied(100)
    assert told.rollout.phase is Phase.SUCCEEDED


def test_the_mark_is_part_of_what_is_approved() -> None:
    assert story().rollout.seal != Story(CANARY, candidate=NEW).rollout.seal
