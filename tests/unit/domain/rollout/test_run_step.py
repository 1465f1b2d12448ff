"""The run step: commands and checks in the course of a rollout."""

from __future__ import annotations

from bot.adapters.postgres import serialization
from bot.domain.rollout import plans, steps
from bot.domain.rollout.events import Reported
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import (
    Gate,
    HttpCheck,
    Observe,
    Run,
    RunCheck,
    RunCommand,
    RunStep,
    Shift,
    Soak,
    SshAddress,
    StopRuns,
    Verify,
)
from bot.ui.cards.phases import step_row, word
from tests.support.actors import LEAD
from tests.support.rules.story import LANE, NEW, OLD, Story

MIGRATE = Run("migrate", RunCommand(("make", "migrate"), ("DATABASE_URL",), ssh=SshAddress("db1", "deploy")))
SMOKE = Run("smoke tests", http=RunCheck(HttpCheck("/smoke"), "https://shop.example.com"), timeout_s=60.0)
PLAN = (Gate("go", "release-manager"), MIGRATE, Shift(10), Soak(30), Shift(100), Observe(30), SMOKE)


def reported(story: Story, passed: bool = True, *findings: str) -> Story:
    return story.tell(Reported("run_step", story.rollout.step, story.at, passed, findings))


def approved() -> Story:
    return Story(PLAN).act(LEAD, Action.APPROVE)


def at_the_end() -> Story:
    return reported(approved()).applied().soaked().applied().soaked()


def test_it_runs_behind_its_gate_and_the_rollout_waits_for_it() -> None:
    story = Story(PLAN)
    assert story.seen(RunStep) == []
    story.act(LEAD, Action.APPROVE)
    assert story.rollout.phase is Phase.VERIFYING
    assert story.seen(RunStep) == [RunStep(LANE, 1, NEW, OLD, 0, MIGRATE, 600.0)]
    reported(story)
    assert (story.rollout.phase, story.rollout.step) == (Phase.SHIFTING, 2)
    assert "migrate passed." in [t.why for t in story.transitions]


def test_a_failure_before_traffic_fails_the_rollout() -> None:
    story = reported(approved(), False, "it exited with code 1; last words: table is locked")
    assert story.rollout.phase is Phase.FAILED
    assert "migrate failed: it exited with code 1; last words: table is locked" in story.rollout.outcome


def test_it_may_come_last_and_a_failure_then_rolls_back() -> None:
    story = at_the_end()
    assert (story.rollout.phase, story.rollout.weight) == (Phase.SHIFTING, 100)
    assert reported(at_the_end()).rollout.step == len(PLAN)
    reported(story, False, "GET /smoke should answer 200, but answered 500.")
    assert story.rollout.phase is Phase.ROLLING_BACK
    assert "smoke tests failed: GET /smoke should answer 200" in story.rollout.outcome


def test_the_audit_log_has_its_beginning_and_its_end() -> None:
    story = reported(approved())
    told = [(t.what, t.why) for t in story.transitions]
    assert {("running", "Running migrate."), ("ran", "migrate passed.")} <= set(told)


def test_a_rollback_ends_what_runs() -> None:
    story = approved().act(LEAD, Action.CANCEL)
    assert story.rollout.phase is Phase.CANCELLED
    assert story.seen(StopRuns) == [StopRuns(LANE)]


def test_a_return_to_a_known_good_release_leaves_it_out() -> None:
    assert plans.straight(Plan("p", PLAN)).steps == (Shift(100),)


def test_it_is_stored_and_read() -> None:
    story = approved()
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(story.rollout))
    assert charter["plan"].steps == PLAN
    for effect in story.act(LEAD, Action.CANCEL).effects:
        assert serialization.read_effect(serialization.effect_text(effect)) == effect


def test_it_reads_in_its_own_words() -> None:
    assert plans.describe_plan(Plan("p", PLAN))[1] == "run migrate within 10 min"
    story = approved()
    assert "▸ migrate" in step_row(story.rollout)
    assert word(story.rollout) == "Running"
    assert steps.meaning(story.rollout) == "migrate is running. A failure fails the rollout."


def test_its_place_and_figures_are_checked() -> None:
    asks_candidate = Run("smoke", http=RunCheck(HttpCheck("/smoke")))
    wrong = plans.check(
        Plan("p", (asks_candidate, Run("x", timeout_s=0), Verify(), asks_candidate, Shift(100)))
    )
    assert [(p.step, p.sentence) for p in wrong] == [
        (0, "a check of the candidate before it runs"),
        (1, "timeout of 0 s"),
        (1, "a run of nothing, or of two things"),
    ]
    alone = plans.check(Plan("p", (Verify(), asks_candidate, Shift(100))), exclusive=True)
    assert [p.hint for p in alone] == ["an exclusive one runs after the shift"]
