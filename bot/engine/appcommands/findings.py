"""Findings of the watch in one reading of a scope."""

from __future__ import annotations

from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.records import Manifest
from bot.domain.formatting import duration
from bot.domain.rollout.model import Lane
from bot.ports.retention import NoteKind

FINDING: NoteKind = "command_finding"
ANSWER, COUNT, DRIFT = "answer", "count", "drift"
WHATS = (ANSWER, COUNT, DRIFT)


def finding_key(lane: Lane, scope: Scope, what: str) -> str:
    return f"{lane}/{scope}/{what}"


def no_answer(error: str) -> dict[str, str]:
    """The finding that Discord could not be read: nothing else is known then."""
    return {ANSWER: error}


def found(
    application: Application, *, ms: float, count: int, digest: str, expected: Manifest | None, drift: str
) -> dict[str, str]:
    """A sentence for each finding, by kind; a kind that is missing is fine."""
    sentences: dict[str, str] = {}
    if ms > application.answer_s * 1000:
        sentences[ANSWER] = (
            f"Discord took {duration(ms / 1000)} to answer; the limit is {duration(application.answer_s)}"
        )
    if expected is not None:
        wanted = len(expected.commands)
        off = abs(count - wanted) / max(1, wanted)
        if off >= application.deviation:
            sentences[COUNT] = f"There are {count} commands instead of {wanted} ({off:.0%} off)"
    if drift:
        sentences[DRIFT] = drift
    return sentences
