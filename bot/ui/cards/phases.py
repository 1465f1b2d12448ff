"""Phases on a card: a symbol and words before any colour, and the row of steps."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain import phrasebook
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.rollout.steps import kind_of, words_under_way
from bot.domain.rollout.wording import wording_for

SHAPE: Mapping[Phase, str] = {
    Phase.VERIFYING: "🔎",
    Phase.GATED: "🔐",
    Phase.SHIFTING: "🔀",
    Phase.SOAKING: "⏱️",
    Phase.OBSERVING: "👀",
    Phase.HELD: "❓",
    Phase.ROLLING_BACK: "↩️",
    Phase.HALTED: "🛑",
    Phase.SUCCEEDED: "✅",
    Phase.ROLLED_BACK: "⏪",
    Phase.CANCELLED: "🚫",
    Phase.FAILED: "❌",
}

# Muted, readable on Discord's dark and light themes, never without a symbol and words.
COLOUR: Mapping[Phase, int] = {
    Phase.VERIFYING: 0x5865F2,
    Phase.GATED: 0xF0B232,
    Phase.SHIFTING: 0x5865F2,
    Phase.SOAKING: 0x5865F2,
    Phase.OBSERVING: 0x5865F2,
    Phase.HELD: 0xF0B232,
    Phase.ROLLING_BACK: 0xE67E22,
    Phase.HALTED: 0xDA373C,
    Phase.SUCCEEDED: 0x23A55A,
    Phase.ROLLED_BACK: 0xDA373C,
    Phase.CANCELLED: 0x80848E,
    Phase.FAILED: 0xDA373C,
}

PAUSED = "⏸️"
_ROW_AT_MOST = 14


def shape(rollout: Rollout) -> str:
    return PAUSED if rollout.pause and not rollout.phase.final else SHAPE[rollout.phase]


def word(rollout: Rollout) -> str:
    """The phase in two or three words, with the weight where it adds something."""
    own = words_under_way(rollout)
    words = own.title if own else _phase_word(rollout)
    return f"Paused · {words}" if rollout.pause and not rollout.phase.final else words


def _phase_word(rollout: Rollout) -> str:
    weight = f"{rollout.weight}%"
    return {
        Phase.VERIFYING: "Verifying",
        Phase.GATED: phrasebook.WAITING_FOR_APPROVAL,
        Phase.SHIFTING: wording_for(rollout.policy.words).moving.format(weight=rollout.weight),
        Phase.SOAKING: f"Soaking at {weight}",
        Phase.OBSERVING: f"Observing at {weight}",
        Phase.HELD: phrasebook.on_hold(weight),
        Phase.ROLLING_BACK: "Rolling back",
        Phase.HALTED: phrasebook.HALTED,
        Phase.SUCCEEDED: "Succeeded",
        Phase.ROLLED_BACK: "Rolled back",
        Phase.CANCELLED: "Cancelled",
        Phase.FAILED: "Failed",
    }[rollout.phase]


def step_row(rollout: Rollout) -> str:
    """The plan as one row: `✓` done, `▸` current, `✗` ended here. Long plans show the part around the current step."""
    steps, here = rollout.plan.steps, rollout.step
    done_all = rollout.phase is Phase.SUCCEEDED
    going_back = rollout.phase in (Phase.ROLLING_BACK, Phase.HALTED)
    say = wording_for(rollout.policy.words)
    marks = []
    for index, step in enumerate(steps):
        label = kind_of(step).mark(step, say)
        if done_all or index < here:
            marks.append(f"✓ {label}")
        elif index > here:
            marks.append(label)
        elif rollout.phase.final or going_back:
            marks.append(f"**✗ {label}**")
        else:
            marks.append(f"**▸ {label}**")
    if len(marks) > _ROW_AT_MOST:
        first = max(0, min(here - _ROW_AT_MOST // 2, len(marks) - _ROW_AT_MOST))
        last = first + _ROW_AT_MOST
        marks = (["…"] if first else []) + marks[first:last] + (["…"] if last < len(steps) else [])
    return " › ".join(marks)
