"""What watching finds in one look at a scope. Pure, but for the names under which findings are remembered."""

from __future__ import annotations

from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.records import Manifest
from bot.domain.formatting import duration
from bot.domain.rollout.model import Lane

FINDING = "command_finding"
ANSWER, COUNT, DRIFT = "answer", "count", "drift"
WHATS = (ANSWER, COUNT, DRIFT)


def finding_key(lane: Lane, scope: Scope, what: str) -> str:
    return f"{lane}/{scope}/{what}"


def no_answer(error: str) -> dict[str, str]:
    """Discord could not be read: nothing else is known."""
    return {ANSWER: error}


def found(
    application: Application, *, ms: float, count: int, digest: str, expected: Manifest | None, drift: str
) -> dict[str, str]:
    """By kind, a sentence for each finding; kinds that are missing are well."""
    sentences: dict[str, str] = {}
    if ms > application.answer_s * 1000:
        sentences[ANSWER] = (
            f"Discord took {duration(ms / 1000)} to answer; {duration(application.answer_s)} is the limit"
        )
    if expected is not None:
        wanted = len(expected.commands)
        off = abs(count - wanted) / max(1, wanted)
        if off >= application.deviation:
            sentences[COUNT] = f"There are {count} commands instead of {wanted} ({off:.0%} off)"
    if drift:
        sentences[DRIFT] = drift
    return sentences
