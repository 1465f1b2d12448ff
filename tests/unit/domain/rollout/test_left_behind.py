"""What each event leaves behind: lines of the audit log, orders, messages, and what changed in the rollout.

`left_behind.txt` has it for each story of this module; the seal is left out, and times count from the beginning.

`python -m tests.unit.domain.rollout.test_left_behind` writes the file again, after a change of wording: read the diff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.domain.rollout.events import (
    DrawCard,
    Effect,
    LockLane,
    LogLine,
    MarkKnownGood,
    Notify,
    SealBroken,
    SetDesired,
)
from bot.domain.rollout.model import Action
from bot.domain.rollout.steps import (
    Gate,
    Observe,
    RestoreCommands,
    RunChecks,
    RunSync,
    Shift,
    Soak,
    SyncCommands,
)
from tests.support.actors import DEV, LEAD, LEAD2, ONCALL
from tests.support.kept import keep, kept
from tests.support.rules.story import GATE, IRREVERSIBLE, LANE, SOAK_S, T0, VERIFY, Story

FILE = Path(__file__).parent / "left_behind.txt"
UNGATED = (VERIFY, Shift(100), Observe(SOAK_S))
COMMANDS = (SyncCommands("greeter", "additions"), Shift(100), SyncCommands("greeter"))
LATE_GATE = (VERIFY, Shift(5), Soak(SOAK_S), GATE, Shift(100), Observe(SOAK_S))
TWO = (VERIFY, Gate("production", "release-manager", quorum=2, expires_s=600.0), Shift(100), Observe(SOAK_S))


def _held_at_a_gate() -> Story:
    """Approved while nothing could be read: people decide once more, at the gate."""
    story = Story(LATE_GATE).applied().verified().applied().soaked()
    for _ in range(6):
        story.blind()
    return story.act(LEAD, Action.APPROVE)


def _taking_over() -> Story:
    return Story().to_soak().soaked().applied().soaked()


def _taking_over_for_long() -> Story:
    story = _taking_over()
    for _ in range(9):
        story.apply_failed("router away")
    return story


def _too_little() -> Story:
    """The soak's time is over, with too few requests for a verdict."""
    story = Story().to_soak()
    for _ in range(6):
        story.tick(1)
    return story


def _waiting() -> Story:
    """On hold, in a lane that waits for people however long it takes."""
    return Story(hold_outcome="wait").to_hold()


def _seal_broken() -> Story:
    story = Story().to_shift()
    return story.tell(SealBroken(story.rollout.generation, story.at, "the plan was changed"))


def _syncing() -> Story:
    """All slash commands are being updated, with the candidate in service."""
    return Story(COMMANDS, words="commands").synced().applied()


def _asked() -> Story:
    return Story(TWO).to_gate().act(LEAD, Action.APPROVE)


def _watched(**policy: Any) -> Story:
    """Without a gate, with all traffic."""
    return Story(UNGATED, **policy).applied().verified().applied()


def _panic() -> Story:
    return Story().to_soak().act(ONCALL, Action.PAUSE, panic=True, reason="fire")


def _lunch() -> Story:
    return Story().to_soak().act(LEAD, Action.PAUSE, reason="lunch")


# Stories, of which the last event is looked at.
TOLD: dict[str, Callable[[], Story]] = {
    "begun": Story,
    "begun without a stable release": lambda: Story(stable=None),
    "begun as a return to a known-good release": lambda: Story((Shift(100),), known_good=True),
    "begun as a return, where people decide": lambda: Story((Shift(100),), known_good=True, gated=True),
    "begun in an emergency": lambda: Story(shout="dev deploys 1.5.0 without staging: prices are wrong."),
    "begun with an exclusive service": lambda: Story(UNGATED, exclusive=True),
    "started": lambda: Story().applied(),
    "started, and seen with traffic": lambda: Story().applied(3),
    "checked, and a gate opens": lambda: Story().to_gate(),
    "a gate of two opens": lambda: Story(TWO).to_gate(),
    "checks failed": lambda: Story().applied().verified(False, "/healthz answered 500", "/ready timed out"),
    "approved by one of two": lambda: Story(TWO).to_gate().act(LEAD, Action.APPROVE),
    "approved, and traffic moves": lambda: Story().to_gate().act(LEAD, Action.APPROVE),
    "an approval is revoked": lambda: _asked().act(LEAD, Action.REVOKE, reason="wrong one"),
    "rejected": lambda: Story().to_gate().act(LEAD, Action.REJECT, reason=" no prices yet. "),
    "a gate expires": lambda: Story().to_gate().due("gate"),
    "a gate expires with traffic": lambda: (
        Story(LATE_GATE).applied().verified().applied().soaked().due("gate")
    ),
    "a gate is passed by a return": lambda: (
        Story((VERIFY, GATE, Shift(100)), known_good=True).applied().verified()
    ),
    "approved while nothing can be read": _held_at_a_gate,
    "nothing could be read at the gate, and now it can": lambda: _held_at_a_gate().tick(),
    "observed at its weight, and soaks": lambda: Story().to_soak(),
    "not there yet": lambda: Story().to_shift().applied(0),
    "an exclusive service is checked after its shift": lambda: Story(UNGATED, exclusive=True).applied(),
    "an exclusive service passed its checks": lambda: Story(UNGATED, exclusive=True).applied().verified(),
    "PASS, and traffic moves": lambda: Story().to_soak().soaked(),
    "all steps are done": _taking_over,
    "all steps of an exclusive service are done": lambda: (
        Story(UNGATED, exclusive=True).applied().verified().soaked()
    ),
    "succeeded": lambda: _taking_over().applied(),
    "the final state is not confirmed": lambda: _taking_over().apply_failed("router away", newest=40),
    "the final state is not confirmed twice": lambda: (
        _taking_over().apply_failed("away").apply_failed("away")
    ),
    "the final state is not confirmed for long": _taking_over_for_long,
    "FAIL": lambda: Story().to_soak().tick(100, 60),
    "FAIL without a lock": lambda: Story(lock_after_rollback=False).to_soak().tick(100, 60),
    "FAIL without a stable release": lambda: _watched(stable=None).tick(100, 60),
    "too little evidence when the time is over": _too_little,
    "on hold": lambda: Story().to_hold(),
    "no longer on hold": lambda: Story().to_hold().tick(),
    "no longer on hold, and PASS": lambda: _too_little().tick(500),
    "a hold expires": lambda: Story().to_hold().due("hold"),
    "a hold expires and goes on": lambda: _waiting().due("hold"),
    "an irreversible release crashes": lambda: Story(candidate=IRREVERSIBLE).to_soak().crashed(),
    "no one decides on an irreversible release": lambda: (
        Story(candidate=IRREVERSIBLE).to_soak().crashed().due("hold")
    ),
    "an irreversible release crashes while its traffic moves": lambda: (
        Story(candidate=IRREVERSIBLE).to_shift().crashed()
    ),
    "an irreversible release never gets ready": lambda: Story(candidate=IRREVERSIBLE).crashed(),
    "crashed before traffic": lambda: Story().crashed(),
    "crashed with traffic": lambda: Story().to_soak().crashed(),
    "the seal is broken": _seal_broken,
    "stable is gone": lambda: Story().to_soak().soaked().apply_failed("1.4.0 crashed", unsafe=True),
    "the shift fails": lambda: Story().to_shift().apply_failed("no room", newest=30),
    "rolled back by a person": lambda: (
        Story().to_soak().act(ONCALL, Action.ROLL_BACK, reason="checkout is slow.")
    ),
    "rolled back by the requester": lambda: Story().to_soak().act(DEV, Action.ROLL_BACK),
    "rolled back without a gate": lambda: _watched().act(ONCALL, Action.ROLL_BACK),
    "a return is rolled back": lambda: Story((Shift(100), GATE, Observe(SOAK_S)), known_good=True).act(
        ONCALL, Action.ROLL_BACK, reason="no"
    ),
    "rolled back": lambda: Story().to_rolling_back().applied(0),
    "still with traffic": lambda: Story().to_rolling_back().applied(3),
    "the rollback fails": lambda: Story().to_halted(),
    "the target is ahead of the rollback": lambda: (
        Story().to_rolling_back().apply_failed("it has 70", newest=70)
    ),
    "back after all": lambda: Story().to_halted().applied(0),
    "not back after all": lambda: Story().to_halted().applied(5),
    "tried again": lambda: Story().to_halted().act(ONCALL, Action.ROLL_BACK, reason="again"),
    "closed": lambda: Story().to_halted().act(ONCALL, Action.CLOSE),
    "closed with a reason": lambda: Story().to_halted().act(ONCALL, Action.CLOSE, reason="it is fine"),
    "cancelled": lambda: Story().act(LEAD, Action.CANCEL, reason="not today"),
    "aborted on the machine": lambda: Story().to_soak().host_aborted(50),
    "aborted on the machine without a reason": lambda: Story().to_soak().host_aborted(50, ""),
    "aborted on the machine before traffic": lambda: Story().host_aborted(50),
    "paused": _lunch,
    "done while paused": lambda: Story().to_shift().act(LEAD, Action.PAUSE).applied(),
    "resumed": lambda: (
        Story().to_shift().act(LEAD, Action.PAUSE).applied().act(LEAD, Action.RESUME, reason="back")
    ),
    "panic": _panic,
    "panic over a pause": lambda: _lunch().act(ONCALL, Action.PAUSE, panic=True, reason="fire"),
    "a pause over panic": lambda: _panic().act(LEAD, Action.PAUSE, reason="lunch"),
    "panic over, still paused": lambda: (
        _lunch().act(ONCALL, Action.PAUSE, panic=True).act(ONCALL, Action.RESUME, panic=True)
    ),
    "panic over": lambda: _panic().act(ONCALL, Action.RESUME, panic=True),
    "more time to approve": lambda: Story().to_gate().act(LEAD, Action.EXTEND),
    "more measured time": lambda: (
        Story().to_soak().act(LEAD, Action.EXTEND, seconds=90.0, reason="few requests")
    ),
    "as much measured time again": lambda: Story().to_soak().act(LEAD, Action.EXTEND),
    "more time to decide": lambda: Story().to_hold().act(LEAD, Action.EXTEND),
    "more time to decide at a gate": lambda: _held_at_a_gate().act(LEAD, Action.EXTEND, seconds=60.0),
    "one of two promotes": lambda: Story(promote_quorum=2).to_soak().act(LEAD, Action.PROMOTE),
    "promoted": lambda: (
        Story(promote_quorum=2)
        .to_soak()
        .tick()
        .act(LEAD, Action.PROMOTE)
        .act(LEAD2, Action.PROMOTE, reason="we are sure")
    ),
    "succeeded without PASS": lambda: _watched().act(LEAD, Action.PROMOTE).applied(),
    "commands are added": lambda: Story(COMMANDS, words="commands"),
    "commands were added": lambda: Story(COMMANDS, words="commands").synced(),
    "commands were not added": lambda: Story(COMMANDS).synced(False, "Discord refuses"),
    "all commands are updated": _syncing,
    "commands were not updated": lambda: _syncing().synced(False, "Discord refuses"),
    "commands were restored": lambda: _syncing().synced(False, "Discord refuses").applied(0),
    "commands are rolled back by a person": lambda: _syncing().act(ONCALL, Action.ROLL_BACK),
    "crashed before commands were applied": lambda: Story(COMMANDS, words="commands").crashed(),
}


def _order(effect: Effect) -> str:
    match effect:
        case SetDesired(lane, wanted, timeout_s, urgent, delay_s):
            assert lane == LANE
            runs = [r.version if r else "nothing" for r in (wanted.stable, wanted.candidate)]
            warm = "".join(f", {release.version} warm" for release in wanted.warm)
            when = " urgently" * urgent + f" after {delay_s:g} s" * bool(delay_s)
            share = f"{wanted.weight}%{warm}, within {timeout_s:g} s{when}"
            return f"order {wanted.generation}: {runs[0]} and {runs[1]} at {share}"
        case Notify(what, roles, users, text):
            return f"notify {' '.join([what, *roles, *map(str, users)])}: {text}"
        case LockLane(lane, owner, reason, digest):
            assert lane == LANE
            return f"lock {digest} by {owner}: {reason}"
        case MarkKnownGood(lane, release, good):
            assert lane == LANE
            return f"stable {release.version}{', known good' if good else ''}"
        case RunChecks(lane, step, release, checks, timeout_s):
            assert lane == LANE
            return (
                f"check {release.version} at step {step}: {[c.path for c in checks]} within {timeout_s:g} s"
            )
        case RunSync(lane, step, release, application, mode, timeout_s):
            assert lane == LANE
            return f"sync {application} to {release.version} at step {step}: {mode} within {timeout_s:g} s"
        case RestoreCommands(lane, application):
            assert lane == LANE
            return f"restore {application}"
    return str(effect)


def _left_behind(story: Story) -> str:
    lines = []
    for line in story.last.transitions:
        details = "".join(
            f" [{name}: {value}]"
            for name, value in line.details.items()
            if name not in ("step", "generation", "seal")
        )
        assert line.at == story.at
        went = f"{line.from_phase} → {line.to_phase}"
        lines.append(f"{went} {line.what} by {line.actor.name}: {line.why}{details}")
    lines += [_order(e) for e in story.last.effects if not isinstance(e, (LogLine, DrawCard))]
    return "\n".join([*lines, *_changes(story)] or ["nothing"])


# Told by the lines of the log, or too long to read.
_APART = {"version", "phase", "outcome", "judge_state", "verdict"}


def _changes(story: Story) -> Iterator[str]:
    for name in [field.name for field in fields(story.rollout) if field.name not in _APART]:
        was, now = getattr(story.before, name, None), getattr(story.rollout, name)
        if story.before is not None and was != now:
            yield f"{name} = {_value(now)}"


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{(value - T0).total_seconds():g} s"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "seal"}
        return f"{type(value).__name__}({', '.join(f'{name} {_value(each)}' for name, each in held.items())})"
    return str(value) or "-"


@pytest.mark.parametrize("case", TOLD)
def test_every_event_leaves_its_lines_orders_and_messages_behind(case: str) -> None:
    assert _left_behind(TOLD[case]()) == kept(FILE)[case]


@pytest.mark.parametrize("case", TOLD)
def test_every_line_of_the_log_is_posted_and_the_card_is_drawn_last(case: str) -> None:
    stepped = TOLD[case]().last
    posted = [effect.text for effect in stepped.effects if isinstance(effect, LogLine)]
    assert posted == [line.why for line in stepped.transitions]
    assert [e for e in stepped.effects if isinstance(e, DrawCard)] == [stepped.effects[-1]]


def test_the_file_has_these_stories_and_no_others() -> None:
    assert list(kept(FILE)) == list(TOLD)


if __name__ == "__main__":
    keep(FILE, {name: _left_behind(tell()) for name, tell in TOLD.items()})
