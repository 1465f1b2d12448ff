"""Whether somebody turned a lane back on the machine itself, past us: what of it is news to us."""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import HostAborted
from bot.domain.model import HostAbort, Observed, Rollout
from bot.domain.records import LaneRow
from bot.engine.clean import clean


def heard_by(rollout: Rollout, observed: Observed | None, at: datetime) -> HostAborted | None:
    """The abort, when it is newer than what `rollout` ordered, or took the generation of its last order.

    The target has refused that order then. An abort under a generation that was confirmed, or that the rollout
    found when it began, is an old story.
    """
    abort = observed.abort if observed is not None else None
    if abort is None or abort.generation < rollout.generation:
        return None
    if abort.generation == rollout.generation == rollout.confirmed:
        return None
    return HostAborted(abort.generation, at, clean(abort.by), clean(abort.why))


def unheard(row: LaneRow, observed: Observed) -> HostAbort | None:
    """The abort that a lane without a rollout does not know of yet.

    Newer than the row's generation, or in the place of what the row ordered under it.
    """
    abort = observed.abort
    if abort is None or abort.generation < row.generation:
        return None
    if abort.generation == row.generation != row.desired.generation:
        return None
    return HostAbort(abort.generation, abort.at, clean(abort.by), clean(abort.why))
