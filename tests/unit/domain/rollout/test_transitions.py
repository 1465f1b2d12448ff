"""The product of all phases and all events, against a literal table of what each leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import IllegalTransition, Refused
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    ChangesRead,
    Crashed,
    Delayed,
    Event,
    HostAborted,
    Measured,
    Reported,
    SealBroken,
    TimerDue,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.machine.machine import LATE, TABLE
from bot.domain.rollout.model import Action, Actor, Phase, Rollout
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak, SyncCommands
from tests.support.actors import LEAD
from tests.support.rules.story import IRREVERSIBLE, VERIFY, Story

BOSS = Actor(9, "boss", frozenset({"deployer", "release-manager", "on-call"}))
PAIR = Gate("production", "release-manager", quorum=2)
PLAN = (VERIFY, PAIR, Shift(5), Soak(30), Shift(100), Observe(30))
COMMANDS = (SyncCommands("greeter", "additions"), Shift(100), SyncCommands("greeter"))
LATE_GATE = (VERIFY, Shift(5), Soak(30), PAIR, Shift(100), Observe(30))


def _asked() -> Story:
    """At a gate where one of two has approved."""
    return Story(PLAN).to_gate().act(LEAD, Action.APPROVE)


def _shifting() -> Story:
    return _asked().act(BOSS, Action.APPROVE)


def _irreversible() -> Story:
    story = Story(PLAN, candidate=IRREVERSIBLE).to_gate()
    return story.act(LEAD, Action.APPROVE).act(BOSS, Action.APPROVE)


def _held() -> Story:
    return _shifting().applied().blinded()


def _observing() -> Story:
    return _shifting().applied().soaked().applied()


# One column each: a rollout in that phase. Where a phase has two faces, it has two columns.
COLUMNS: dict[str, Callable[[], Story]] = {
    "V0": lambda: Story(PLAN),  # the candidate is being started
    "V1": lambda: Story(PLAN).applied(),  # and is being checked
    "G0": _asked,
    "G5": lambda: (  # a gate while the candidate has 5%
        Story(LATE_GATE).applied().verified().applied().soaked().act(LEAD, Action.APPROVE)
    ),
    "S5": _shifting,
    "SX": lambda: _observing().soaked(),  # taking over
    "K": lambda: _shifting().applied(),
    "O": _observing,
    "H": _held,
    "B": lambda: _shifting().act(BOSS, Action.ROLL_BACK),
    "X": lambda: _shifting().act(BOSS, Action.ROLL_BACK).apply_failed(),
    "D": lambda: _observing().soaked().applied(100),
    "R": lambda: _shifting().act(BOSS, Action.ROLL_BACK).applied(0),
    "C": lambda: Story(PLAN).act(BOSS, Action.CANCEL),
    "F": lambda: Story(PLAN).crashed(),
    "VC": lambda: Story(COMMANDS),  # slash commands are added, before there is traffic
    "SC": lambda: Story(COMMANDS).synced().applied(),  # and the others changed, afterwards
    # An irreversible release: being started, at a late gate, while its traffic moves, soaking, on hold for people.
    "Vi": lambda: Story(PLAN, candidate=IRREVERSIBLE),
    "Gi": lambda: (
        Story(LATE_GATE, candidate=IRREVERSIBLE)
        .applied()
        .verified()
        .applied()
        .soaked()
        .act(LEAD, Action.APPROVE)
    ),
    "Si": _irreversible,
    "Ki": lambda: _irreversible().applied(),
    "Hi": lambda: _irreversible().applied().crashed(),
}

# What comes of it: a phase (V G S K O H B X D R C F), or
#   =  heard, the phase stays      .  changes nothing      -  refused to the person      !  cannot have happened
TABLE_OF_ALL = """
               V0 V1 G0 G5 S5 SX K  O  H  B  X  D  R  C  F VC SC Vi Gi Si Ki Hi
applied        =  .  .  .  K  D  .  .  .  R  =  .  .  .  .  .  .  =  .  K  .  .
apply_failed   F  .  .  .  B  =  .  .  .  X  .  .  .  .  .  .  .  F  .  X  .  .
apply_unsafe   F  .  .  .  X  B  .  .  .  X  .  .  .  .  .  .  .  F  .  X  .  .
seal_broken    F  .  .  .  B  B  .  .  .  .  .  .  .  .  .  .  .  F  .  X  .  .
verified       !  G  !  !  !  !  !  !  !  .  .  .  .  .  .  !  !  !  !  !  !  !
verify_failed  !  F  !  !  !  !  !  !  !  .  .  .  .  .  .  !  !  !  !  !  !  !
synced         !  !  !  !  !  !  !  !  !  .  .  .  .  .  .  S  =  !  !  !  !  !
sync_failed    !  !  !  !  !  !  !  !  !  .  .  .  .  .  .  F  B  !  !  !  !  !
delayed        =  .  .  .  =  =  .  .  .  =  .  .  .  .  .  .  .  =  .  =  .  .
measured_good  .  .  .  =  =  =  =  =  K  .  .  .  .  .  .  .  =  .  =  =  =  =
measured_bad   .  .  .  B  B  B  B  B  B  .  .  .  .  .  .  .  B  .  X  X  H  =
measured_blind .  .  .  =  =  =  H  H  =  .  .  .  .  .  .  .  =  .  =  =  H  =
crashed        F  F  F  B  B  B  B  B  B  .  .  .  .  .  .  F  B  F  X  X  H  .
host_aborted   C  C  C  B  B  B  B  B  B  =  B  .  .  .  .  C  B  C  B  B  B  B
changes_read   .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
gate_due       .  .  C  B  .  .  .  .  .  .  .  .  .  .  .  .  .  .  X  .  .  .
hold_due       .  .  .  .  .  .  .  .  B  .  .  .  .  .  .  .  .  .  .  .  .  =
progress_due   .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
approve        -  -  S  S  -  -  -  -  -  -  -  -  -  -  -  -  -  -  S  -  -  -
reject         -  -  C  B  -  -  -  -  -  -  -  -  -  -  -  -  -  -  -  -  -  -
reject_sure    -  -  C  B  -  -  -  -  -  -  -  -  -  -  -  -  -  -  B  -  -  -
revoke         -  -  =  =  -  -  -  -  -  -  -  -  -  -  -  -  -  -  =  -  -  -
pause          =  =  =  =  =  =  =  =  =  -  -  -  -  -  -  =  =  =  =  =  =  =
resume         .  .  .  .  .  .  .  .  .  -  -  -  -  -  -  .  .  .  .  .  .  .
extend         -  -  =  =  -  -  =  =  =  -  -  -  -  -  -  -  -  -  =  -  =  -
promote        -  -  -  -  -  -  S  S  S  -  -  -  -  -  -  -  -  -  -  -  S  S
rollback       C  C  C  B  B  B  B  B  B  .  B  -  -  -  -  C  B  C  -  -  -  -
rollback_sure  C  C  C  B  B  B  B  B  B  .  B  -  -  -  -  C  B  C  B  B  B  B
cancel         C  C  C  -  -  -  -  -  -  -  -  -  -  -  -  C  -  C  -  -  -  -
close          -  -  -  -  -  -  -  -  -  -  C  -  -  -  -  -  -  -  -  -  -  -
"""

PHASE_OF = {
    "V": Phase.VERIFYING,
    "G": Phase.GATED,
    "S": Phase.SHIFTING,
    "K": Phase.SOAKING,
    "O": Phase.OBSERVING,
    "H": Phase.HELD,
    "B": Phase.ROLLING_BACK,
    "X": Phase.HALTED,
    "D": Phase.SUCCEEDED,
    "R": Phase.ROLLED_BACK,
    "C": Phase.CANCELLED,
    "F": Phase.FAILED,
}


def _event(row: str, story: Story) -> Event:
    """The event of that row, as an answer to what the rollout asked last."""
    rollout, at = story.rollout, story.at + timedelta(seconds=60)
    looked = {
        "measured_good": Tick(at.timestamp(), 5.0, {"errors": Counts(100, 0)}),
        "measured_bad": Tick(at.timestamp(), 5.0, {"errors": Counts(100, 40)}),
        "measured_blind": Tick(at.timestamp(), 60.0, {}, errors=("router: connection refused",)),
    }
    if row in looked:
        return Measured(at, looked[row])
    if row.endswith("_due"):
        return TimerDue(row.removesuffix("_due"), rollout.step, at + timedelta(days=1))
    events: dict[str, Event] = {
        "applied": Applied(rollout.generation, at, rollout.weight),
        "apply_failed": ApplyFailed(rollout.generation, at, "no room"),
        "apply_unsafe": ApplyFailed(rollout.generation, at, "stable is gone", unsafe=True),
        "seal_broken": SealBroken(rollout.generation, at, "the seal does not match"),
        "delayed": Delayed(rollout.generation, at, "1.5.0 is starting: pulling 45 of 120 MB"),
        "verified": Reported("run_checks", rollout.step, at, True),
        "verify_failed": Reported("run_checks", rollout.step, at, False, ("/healthz answered 500",)),
        "synced": Reported("run_sync", rollout.step, at, True),
        "sync_failed": Reported("run_sync", rollout.step, at, False, ("Discord refuses",)),
        "crashed": Crashed(at, "exit code 1"),
        "host_aborted": HostAborted(rollout.generation + 10, at, "root"),
        "changes_read": ChangesRead(at, Changes("a" * 40, "b" * 40, added=1, removed=0)),
    }
    if row in events:
        return events[row]
    actor = LEAD if row == "revoke" else BOSS
    action = Action(row.removesuffix("_sure"))
    return Acted(action, actor, at, reason="because", seconds=60.0, confirmed=row.endswith("_sure"))


def _cells() -> list[tuple[str, str, str]]:
    header, *rows = (line.split() for line in TABLE_OF_ALL.strip().splitlines())
    return [(column, row[0], cell) for row in rows for column, cell in zip(header, row[1:], strict=True)]


@pytest.fixture(scope="module")
def stories() -> Mapping[str, Story]:
    """Each column's rollout, told once. The machine never changes a rollout, so the cells of a column can share it."""
    return {column: tell() for column, tell in COLUMNS.items()}


@pytest.mark.parametrize(("column", "row", "cell"), _cells(), ids=str)
def test_every_event_in_every_phase_leads_where_the_table_says(
    stories: Mapping[str, Story], column: str, row: str, cell: str
) -> None:
    story = stories[column]
    assert story.rollout.phase is PHASE_OF[column[0]]
    event, before = _event(row, story), story.rollout
    if cell == "!":
        with pytest.raises(IllegalTransition):
            machine.step(before, event)
        return
    if cell == "-":
        with pytest.raises(Refused) as refused:
            machine.step(before, event)
        assert refused.value.sentence
        return
    after, effects, transitions = machine.step(before, event)
    if cell == ".":
        assert after is before
        assert effects == () == transitions
        return
    assert after.phase is (before.phase if cell == "=" else PHASE_OF[cell])
    assert after.version == before.version + 1
    if cell != "=":
        assert transitions[0].from_phase == before.phase
        assert transitions[-1].to_phase == after.phase


def test_the_table_names_every_phase_and_every_event() -> None:
    header, *rows = (line.split() for line in TABLE_OF_ALL.strip().splitlines())
    assert {PHASE_OF[column[0]] for column in header} == set(Phase)
    assert {row[0] for row in rows} >= set(map(str, Action))
    heard = {name for _, name in TABLE} | set(LATE)
    assert heard <= {row[0] for row in rows} | {"measured", "reported"}


def test_a_final_phase_hears_nothing() -> None:
    assert not [phase for phase, _ in TABLE if phase.final]


def test_a_rollback_is_heard_in_every_phase_that_is_not_final() -> None:
    assert {phase for phase, name in TABLE if name == Action.ROLL_BACK} == {p for p in Phase if not p.final}


def test_an_answer_to_a_question_never_asked_is_illegal() -> None:
    story = Story()
    for event in (
        Applied(story.rollout.generation + 1, story.at, 0),
        ApplyFailed(story.rollout.generation + 1, story.at, "no"),
        Reported("run_checks", 4, story.at, True),
        TimerDue("tea", 0, story.at),
    ):
        with pytest.raises(IllegalTransition):
            machine.step(story.rollout, event)


def test_a_handler_that_strays_from_the_table_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story()
    narrow = replace(TABLE[Phase.VERIFYING, "crashed"], to=frozenset())
    strays = {**TABLE, (Phase.VERIFYING, "crashed"): narrow}
    monkeypatch.setattr(machine, "TABLE", strays)
    with pytest.raises(IllegalTransition, match="led from verifying to failed"):
        machine.step(story.rollout, Crashed(story.at, "exit code 1"))


def test_buttons_are_only_those_that_the_machine_takes() -> None:
    for column, make in COLUMNS.items():
        story = make()
        shown = machine.allowed_actions(story.rollout, story.at)
        assert len(set(shown)) == len(shown)
        for action in shown:
            assert _taken(story.rollout, action, story), (column, action)


def _taken(rollout: Rollout, action: Action, story: Story) -> bool:
    actor = LEAD if action is Action.REVOKE else BOSS
    machine.step(rollout, Acted(action, actor, story.at, reason="because", confirmed=True))
    return True
