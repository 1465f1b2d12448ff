"""What a rollout is said to be doing, for traffic and for slash commands."""

from __future__ import annotations

import pytest

from bot.domain.rollout.model import PHASE_MEANS, Action, Observed, Phase, Running, RunState, WordingKind
from bot.domain.rollout.steps import Shift, SyncCommands, meaning, words_under_way
from bot.domain.rollout.wording import wording_for
from tests.support.actors import ONCALL
from tests.support.rules.story import Story


@pytest.mark.parametrize(
    ("phase", "seen", "wanted", "said"),
    [
        (Phase.VERIFYING, 0, 0, "1.5.0 has no traffic"),
        (Phase.SHIFTING, 0, 5, "1.5.0 has 0% of traffic, on its way to 5%"),
        (Phase.SOAKING, 5, 5, "1.5.0 has 5% of traffic"),
        (Phase.ROLLING_BACK, 5, 0, "1.5.0 has 5% of traffic, on its way to 0%"),
        (Phase.HALTED, 0, 0, "1.5.0 has no traffic"),
        (Phase.SUCCEEDED, 100, 100, "1.5.0 serves all traffic"),
        (Phase.FAILED, 0, 0, "1.5.0 has no traffic"),
    ],
)
def test_a_share_of_traffic_is_said_in_words(phase: Phase, seen: int, wanted: int, said: str) -> None:
    assert wording_for("traffic").standing("1.5.0", seen, wanted, phase) == said


@pytest.mark.parametrize(
    ("phase", "seen", "wanted", "said"),
    [
        (Phase.GATED, 0, 0, "c1 is not applied yet"),
        (Phase.SHIFTING, 0, 100, "c1 is being applied"),
        (Phase.OBSERVING, 100, 100, "c1 is applied"),
        (Phase.ROLLING_BACK, 100, 0, "c1 is being removed"),
        (Phase.ROLLING_BACK, 0, 0, "c1 is being removed"),
        (Phase.HALTED, 0, 0, "c1 is being removed"),
        (Phase.ROLLED_BACK, 0, 0, "c1 is not applied"),
        (Phase.SUCCEEDED, 0, 0, "c1 is applied"),
    ],
)
def test_slash_commands_are_applied_or_not(phase: Phase, seen: int, wanted: int, said: str) -> None:
    assert wording_for("commands").standing("c1", seen, wanted, phase) == said


@pytest.mark.parametrize(
    ("words", "weight", "said"),
    [
        ("traffic", 0, "The target now reports no traffic on the candidate."),
        ("traffic", 5, "The target now reports 5% of the traffic on the candidate."),
        ("commands", 0, "Discord now has none of the commands."),
        ("commands", 50, "Discord now has the commands in 50% of their servers."),
    ],
)
def test_what_a_target_reports_late_is_said(words: WordingKind, weight: int, said: str) -> None:
    assert wording_for(words).seen_late(weight) == said


def test_a_rollout_means_what_its_phase_means() -> None:
    assert meaning(Story().rollout) == PHASE_MEANS[Phase.VERIFYING]
    assert (
        meaning(Story((Shift(100),), words="commands").rollout)
        == wording_for("commands").means[Phase.SHIFTING]
    )
    assert words_under_way(Story().to_gate().rollout) is None


def test_a_rollout_that_waits_for_slash_commands_says_so() -> None:
    story = Story((SyncCommands("greeter", "additions"), Shift(100), SyncCommands("greeter")))
    said = "Discord receives the slash commands of greeter. Done when it returns exactly these."
    assert words_under_way(story.rollout) == ("Updating slash commands", said)
    story.synced().applied()
    assert story.phase == "shifting" and meaning(story.rollout) == said
    story.act(ONCALL, Action.ROLL_BACK)
    assert meaning(story.rollout) == PHASE_MEANS[Phase.ROLLING_BACK]


def test_what_runs_is_found_by_its_digest() -> None:
    old, new = (
        Running(f"sha256:{name}", name, RunState.READY, weight) for name, weight in (("old", 95), ("new", 5))
    )
    seen = Observed(4, (old, new))
    assert (seen.of("sha256:new"), seen.of("sha256:none")) == (new, None)
    assert (seen.weight_of("sha256:new"), seen.weight_of("sha256:none")) == (5, 0)
