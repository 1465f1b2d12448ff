"""Slash commands as steps of a rollout: new ones before the release serves, the rest after, all back with it."""

from __future__ import annotations

import pytest

from bot.domain.errors import UserError
from bot.domain.rollout import plans
from bot.domain.rollout.events import Notify
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import Gate, Observe, RestoreCommands, RunSync, Shift, SyncCommands
from tests.support.actors import LEAD
from tests.support.rules.story import Story

STEPS = (SyncCommands("greeter", "additions"), Shift(100), SyncCommands("greeter", "all"))


def test_additions_come_before_the_shift_and_everything_after_it() -> None:
    story = Story(STEPS)
    assert story.rollout.phase is Phase.VERIFYING and not story.rollout.had_traffic
    story.synced().applied()
    assert story.rollout.phase is Phase.SHIFTING
    story.synced().applied(100)

    asked = [(e.mode, e.step) for e in story.effects if isinstance(e, RunSync)]
    assert asked == [("additions", 0), ("all", 2)]
    assert story.rollout.phase is Phase.SUCCEEDED
    assert not [e for e in story.effects if isinstance(e, RestoreCommands)]


def test_a_rollback_brings_the_former_commands_back_once_for_each_application() -> None:
    story = Story(STEPS).synced().applied().act(LEAD, Action.ROLL_BACK)
    assert [e.application for e in story.effects if isinstance(e, RestoreCommands)] == ["greeter"]


def test_commands_that_discord_refuses_end_the_rollout_before_there_is_traffic() -> None:
    story = Story(STEPS).synced(False, "30034: 200 were created today")
    assert story.rollout.phase is Phase.FAILED
    assert "200 were created today" in story.rollout.outcome
    assert [e.application for e in story.effects if isinstance(e, RestoreCommands)] == ["greeter"]
    assert [e for e in story.effects if isinstance(e, Notify)][-1].what == "failed"


def test_commands_that_cannot_be_changed_after_the_shift_roll_it_back() -> None:
    story = Story(STEPS).synced().applied().synced(False, "no access")
    assert story.rollout.phase is Phase.ROLLING_BACK
    assert [e for e in story.effects if isinstance(e, RestoreCommands)]


def test_a_plan_deletes_commands_only_after_the_last_shift() -> None:
    wrong = plans.check(Plan("p", (SyncCommands("greeter", "all"), Shift(100))))
    assert [p.sentence for p in wrong] == ["slash commands are deleted before the release serves traffic"]
    with pytest.raises(UserError, match="slash commands are deleted"):
        Story((SyncCommands("greeter", "all"), Shift(100)))


def test_an_observe_may_be_followed_by_commands_and_by_nothing_else() -> None:
    assert not plans.check(Plan("p", (Shift(100), Observe(5), SyncCommands("greeter"))))
    late = plans.check(Plan("p", (Shift(100), Observe(5), Gate("g", "lead"))))
    assert [p.sentence for p in late] == ["an observe is not the last step"]


def test_a_return_to_a_known_good_release_takes_its_commands_along() -> None:
    usual = Plan("p", STEPS)
    assert plans.straight(usual).steps == (Shift(100), SyncCommands("greeter", "all"))
    assert plans.straight().steps == (Shift(100),)


def test_steps_read_as_what_they_do() -> None:
    assert plans.describe_plan(Plan("p", STEPS)) == (
        "add the new slash commands of greeter",
        "shift 100% of the traffic",
        "update all slash commands of greeter",
    )
