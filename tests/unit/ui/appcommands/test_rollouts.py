"""A rollout of slash commands is told in words that are true of it: nothing of traffic, in the log and on cards."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.adapters.postgres import serialization
from bot.domain.appcommands.applications import Application, Scope
from bot.domain.rollout import plans
from bot.domain.rollout.model import (
    Action,
    Desired,
    Observed,
    Phase,
    Plan,
    Readiness,
    Release,
    Running,
    RunState,
)
from bot.domain.rollout.steps import Shift
from bot.domain.rollout.wording import COMMANDS, TRAFFIC
from bot.domain.secret import Secret
from bot.engine.api import LaneStatus, RolloutView
from bot.engine.observation import match
from bot.ports.notifications import Notice
from bot.ui.cards.card import draw
from bot.ui.interactions import lists
from bot.ui.notices import words
from tests.support.actors import LEAD
from tests.support.components import said
from tests.support.rules.story import GATE, NEW, OLD, Story

STEPS = (GATE, Shift(100))
APPLICATION = Application("greeter", 1, Secret("t"), staging=(Scope(2),))
OF_TRAFFIC = re.compile(r"traffic|serves|weight|\b100%|warm|cold", re.IGNORECASE)


def story() -> Story:
    return Story(STEPS, words="commands", exclusive=True)


def told(of: Story) -> dict[Phase, str]:
    """The card and the messages as they are now, and all of the log."""
    rollout = of.rollout
    seen = RolloutView(rollout, (), (), None)
    texts = [t.why for t in of.transitions] + [said(draw(seen, of.at).view)]
    for what in ("failed", "succeeded", "rolled_back", "halted"):
        for post in words(Notice("n", rollout.id, what, rollout.outcome), seen, (), "https://card"):
            texts.append(post.spelled_out().content)
    return {rollout.phase: "\n".join(texts)}


def every_phase() -> dict[Phase, str]:
    back = story().act(LEAD, Action.APPROVE).applied(100).act(LEAD, Action.ROLL_BACK)
    found = told(story()) | told(story().act(LEAD, Action.APPROVE)) | told(back)
    found |= told(story().act(LEAD, Action.APPROVE).apply_failed("50001: Missing Access"))
    found |= told(story().act(LEAD, Action.APPROVE).applied(100).applied(100))
    return found | told(back.applied(0)) | told(story().act(LEAD, Action.CANCEL))


def test_no_card_message_or_log_of_commands_speaks_of_traffic() -> None:
    found = every_phase()
    assert {
        Phase.GATED, Phase.SHIFTING, Phase.ROLLING_BACK, Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.CANCELLED,
    } <= set(found)  # fmt: skip
    for phase, text in found.items():
        assert not OF_TRAFFIC.search(text), (phase, text)
    assert "is not applied yet" in found[Phase.GATED]
    assert "Applying 1.5.0 to Discord." in found[Phase.SHIFTING]
    assert "is applied in production, as read back from Discord" in found[Phase.SUCCEEDED]
    assert "is being removed" in found[Phase.ROLLING_BACK]
    assert "1.4.0 is restored, as read back from Discord." in found[Phase.ROLLED_BACK]


def test_every_word_for_commands_is_free_of_traffic() -> None:
    for name in COMMANDS.__slots__:
        value = getattr(COMMANDS, name)
        for sentence in value.values() if name == "means" else [value]:
            assert not OF_TRAFFIC.search(re.sub(r"{\w+}", "", sentence)), (name, sentence)
            # What a sentence is filled in with, its counterpart is filled in with too.
            if name != "means":
                known = set(re.findall(r"{\w+}", getattr(TRAFFIC, name)))
                assert set(re.findall(r"{\w+}", sentence)) <= known
    assert set(COMMANDS.means) == set(Phase)


def test_the_way_back_is_the_backup() -> None:
    begun = story().rollout
    readiness = Readiness(OLD.version, False, begun.created_at)
    seen = RolloutView(replace(begun, readiness=readiness), (), (), None)
    card = said(draw(seen, begun.created_at + timedelta(seconds=1)).view)
    assert "**Rollback:** to the previous commands (`1.4.0`), from their backup" in card


def test_status_dry_run_and_drift_say_what_discord_has() -> None:
    running = (Running(OLD.digest, OLD.version, RunState.READY, 100),)
    status = LaneStatus(
        APPLICATION.lane("production"), "1.5.0", True, Observed(3, running), "", None, None, words="commands"
    )
    view = lists.status([status], story().at).view
    assert view is not None and "observed: Discord has 1.4.0" in said(view)
    assert not any(OF_TRAFFIC.search(line) for line in plans.describe_plan(Plan("p", STEPS), "commands"))


@pytest.mark.parametrize("running", [(), ((OLD, 100),), ((NEW, 50), (OLD, 50))])
def test_what_is_missing_is_said_of_discord(running: tuple[tuple[Release, int], ...]) -> None:
    shown = tuple(Running(r.digest, r.version, RunState.READY, share) for r, share in running)
    found = match(Desired(4, NEW), Observed(4, shown), beside=False, say=COMMANDS)
    assert "Discord" in found.why and not OF_TRAFFIC.search(found.why)


def test_a_rollout_stored_before_there_were_two_kinds_of_words_is_read() -> None:
    document = json.loads(serialization.charter_text(story().rollout))
    del document["policy"]["words"]
    assert serialization.read_charter(serialization.SCHEMA, json.dumps(document))["policy"].words == "traffic"
