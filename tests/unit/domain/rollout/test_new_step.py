"""A kind of step that Slipway does not have, added through the registry alone: docs/extending.md, "Adding a step"."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot.adapters.postgres import serialization
from bot.catalog.models.plans import STEP_KINDS
from bot.catalog.models.plans import Step as WrittenStep
from bot.domain.errors import UserError
from bot.domain.records import Claimed
from bot.domain.rollout import plans, steps
from bot.domain.rollout.events import Reported
from bot.domain.rollout.model import Action, Phase, Plan, Rollout
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak
from bot.engine.effects.executor import given_up
from bot.engine.stepper import order_kinds
from bot.ui.cards.phases import step_row, word
from tests.fakes.migrate_step import MIGRATE, Migrate, RevertMigration, RunMigration
from tests.support.actors import LEAD, ONCALL
from tests.support.rules.story import LANE, NEW, T0, Story


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line that the registry gets."""
    monkeypatch.setitem(steps.KINDS, "migrate", MIGRATE)


PLAN = (
    Gate("go", "release-manager"),
    Migrate("1.sql"),
    Shift(10),
    Soak(30),
    Migrate("2.sql"),
    Shift(100),
    Observe(30),
)


def reported(story: Story, passed: bool = True, *findings: str) -> Story:
    return story.tell(Reported("run_migration", story.rollout.step, story.at, passed, findings))


def through(rollout: Rollout) -> Rollout:
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(rollout))
    state, judge = serialization.state_text(rollout), serialization.judge_text(rollout)
    return serialization.read_rollout(charter, rollout.phase, rollout.version, state, judge)


def test_it_is_entered_waits_for_its_outcome_and_the_rollout_goes_on_to_the_end() -> None:
    story = Story(PLAN).act(LEAD, Action.APPROVE)
    assert (story.rollout.phase, story.rollout.step) == (Phase.VERIFYING, 1)
    assert story.seen(RunMigration) == [RunMigration(LANE, 1, NEW, "1.sql", 300.0)]
    reported(story).applied().soaked()
    assert (story.rollout.phase, story.rollout.step) == (Phase.SHIFTING, 4)
    reported(story).applied().soaked().applied(100)
    assert story.rollout.phase is Phase.SUCCEEDED
    assert [e.script for e in story.seen(RunMigration)] == ["1.sql", "2.sql"]
    assert story.seen(RevertMigration) == []
    assert "2.sql is done." in [t.why for t in story.transitions]


def test_its_failure_before_traffic_fails_the_rollout_and_is_taken_back() -> None:
    story = reported(Story(PLAN).act(LEAD, Action.APPROVE), False, "table is locked")
    assert story.rollout.phase is Phase.FAILED
    assert "1.sql: table is locked" in story.rollout.outcome
    assert story.seen(RevertMigration) == [RevertMigration(LANE, "1.sql")]


def test_a_rollback_takes_back_what_was_begun_and_nothing_else() -> None:
    story = reported(Story(PLAN).act(LEAD, Action.APPROVE)).applied().act(ONCALL, Action.ROLL_BACK)
    assert story.rollout.phase is Phase.ROLLING_BACK
    assert [e.script for e in story.seen(RevertMigration)] == ["1.sql"]

    further = reported(Story(PLAN).act(LEAD, Action.APPROVE)).applied().soaked().act(ONCALL, Action.ROLL_BACK)
    assert [e.script for e in further.seen(RevertMigration)] == ["2.sql", "1.sql"]


def test_a_failure_rolls_back_and_a_late_answer_changes_nothing() -> None:
    story = reported(
        reported(Story(PLAN).act(LEAD, Action.APPROVE)).applied().soaked(), False, "no time left"
    )
    assert story.rollout.phase is Phase.ROLLING_BACK
    before = story.rollout
    assert reported(story).rollout is before


def test_a_pause_is_kept_while_it_runs() -> None:
    story = reported(Story(PLAN).act(LEAD, Action.APPROVE).act(LEAD, Action.PAUSE))
    assert (story.rollout.step, story.rollout.step_done) == (1, True)
    assert story.act(LEAD, Action.RESUME).rollout.step == 2


def test_its_place_and_figures_are_checked_with_the_plan() -> None:
    wrong = plans.check(Plan("p", (Shift(100), Migrate("1.sql", timeout_s=0))))
    assert [(p.step, p.sentence) for p in wrong] == [
        (1, "timeout of 0 s"),
        (1, "a migration after the last shift"),
    ]
    with pytest.raises(UserError, match="after the last shift"):
        Story((Shift(100), Migrate("1.sql")))


def test_it_reads_in_its_own_words() -> None:
    assert plans.describe_plan(Plan("p", PLAN))[1] == "migrate the database with 1.sql"
    story = Story(PLAN).act(LEAD, Action.APPROVE)
    assert "✓ approval › **▸ migrate**" in step_row(story.rollout)
    assert word(story.rollout) == "Migrating"
    assert steps.meaning(story.rollout) == "1.sql is running."


def test_a_return_to_a_known_good_release_leaves_it_out() -> None:
    assert plans.straight(Plan("p", PLAN)).steps == (Shift(100),)


def test_it_is_stored_and_read() -> None:
    story = reported(Story(PLAN).act(LEAD, Action.APPROVE)).applied().act(ONCALL, Action.ROLL_BACK)
    rollout = through(story.rollout)
    assert rollout == story.rollout
    assert json.loads(serialization.charter_text(rollout))["plan"]["steps"][1] == {
        "script": "1.sql",
        "timeout_s": 300.0,
        "kind": "migrate",
    }
    for effect in story.effects:
        assert serialization.read_effect(serialization.effect_text(effect)) == effect


def test_the_executor_claims_its_effects() -> None:
    assert order_kinds() >= {"run_migration", "revert_migration"}


def test_an_effect_that_was_given_up_is_a_failed_outcome() -> None:
    effect = RunMigration(LANE, 1, NEW, "1.sql", 300.0)
    claim = Claimed(1, "7.0.0", 1, 1, 7, LANE, effect, T0)
    event = given_up(claim, "no connection", datetime(2026, 3, 2, tzinfo=UTC))(Story(PLAN).rollout)
    assert isinstance(event, Reported)
    assert (event.effect, event.step, event.passed) == ("run_migration", 1, False)


def test_the_catalog_writes_every_kind_of_step_that_the_registry_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(steps.KINDS, "migrate")
    assert set(STEP_KINDS) == set(steps.KINDS)
    for name, registered in steps.KINDS.items():
        stand_in = WrittenStep.stand_in(name)
        assert isinstance(stand_in, registered.step)
        assert stand_in.kind == name
