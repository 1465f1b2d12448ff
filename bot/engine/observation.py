"""Observations of a lane against its desired state, and aborts on the host that are new to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.formatting import clean
from bot.domain.records import LaneRow
from bot.domain.rollout.events import HostAborted
from bot.domain.rollout.model import Desired, HostAbort, Observed, Release, Rollout, RunState
from bot.domain.rollout.wording import TRAFFIC, Wording


def heard_by(rollout: Rollout, observed: Observed | None, at: datetime) -> HostAborted | None:
    """The abort, when it is newer than the last order of `rollout`, or took that order's generation.

    In the second case the target has refused the order. An abort under a confirmed generation, or from before the
    rollout, is known already.
    """
    abort = observed.abort if observed is not None else None
    if abort is None or abort.generation < rollout.generation:
        return None
    if abort.generation == rollout.generation == rollout.confirmed:
        return None
    return HostAborted(abort.generation, at, clean(abort.by), clean(abort.why))


def unheard(row: LaneRow, observed: Observed) -> HostAbort | None:
    """The abort that is new to a lane without a rollout: newer than the row's generation, or in place of its order."""
    abort = observed.abort
    if abort is None or abort.generation < row.generation:
        return None
    if abort.generation == row.generation != row.desired.generation:
        return None
    return HostAbort(abort.generation, abort.at, clean(abort.by), clean(abort.why))


@dataclass(frozen=True, slots=True)
class Match:
    """Result of a comparison. reached: nothing is left to do. doomed: waiting will not help.

    why: a sentence, empty when reached. kind: what is wrong, the same while it lasts; the sentence may end in the last
    words of a process. unsafe: the desired stable does not serve. bare: it says no more than that something starts.
    """

    reached: bool
    why: str = ""
    kind: str = ""
    doomed: bool = False
    unsafe: bool = False
    bare: bool = False


REACHED = Match(True)


def match(desired: Desired, observed: Observed, *, beside: bool = True, say: Wording = TRAFFIC) -> Match:
    """Compare a desired with an observed state. `beside`: whether the target runs two releases at once."""
    unsafe = _unsafe(desired, observed, beside)
    if desired.candidate is not None:
        found = _candidate(desired, desired.candidate, observed, beside, unsafe, say=say)
        if found is not None:
            return found
    else:
        others = [
            running
            for running in observed.running
            if running.weight > 0 and (desired.stable is None or running.digest != desired.stable.digest)
        ]
        if others:
            why = say.still.format(version=others[0].version, weight=others[0].weight)
            return Match(False, why, f"still {others[0].digest}", unsafe=unsafe)
    share = 100 - (desired.weight if desired.candidate is not None else 0)
    if desired.stable is not None and share > 0:
        if unsafe:
            why, bare = _not_ready(desired.stable, observed, say), _starts(desired.stable, observed)
            return Match(False, why, f"not ready {desired.stable.digest}", unsafe=True, bare=bare)
        weight = observed.weight_of(desired.stable.digest)
        if weight != share:
            why = say.instead.format(version=desired.stable.version, weight=weight, wanted=share)
            return Match(False, why, f"weight {desired.stable.digest}")
    return REACHED


def _candidate(
    desired: Desired, candidate: Release, observed: Observed, beside: bool, unsafe: bool, *, say: Wording
) -> Match | None:
    running = observed.of(candidate.digest)
    if desired.weight == 0 and not beside:
        return None
    if running is not None and running.state is RunState.CRASHED:
        detail = f": {running.detail}" if running.detail else ""
        why = f"{candidate.version} crashed{detail}"
        return Match(False, why, f"not ready {candidate.digest}", doomed=True, unsafe=unsafe)
    if running is None or running.state is not RunState.READY:
        why, bare = _not_ready(candidate, observed, say), _starts(candidate, observed)
        return Match(False, why, f"not ready {candidate.digest}", unsafe=unsafe, bare=bare)
    if running.weight != desired.weight:
        why = say.instead.format(version=candidate.version, weight=running.weight, wanted=desired.weight)
        return Match(False, why, f"weight {candidate.digest}", unsafe=unsafe)
    return None


def _unsafe(desired: Desired, observed: Observed, beside: bool) -> bool:
    if desired.stable is None:
        return desired.candidate is None
    if not beside and desired.candidate is not None and desired.weight > 0:
        # Stable was stopped to make room, as planned.
        return False
    running = observed.of(desired.stable.digest)
    return running is None or running.state is not RunState.READY


def _not_ready(release: Release, observed: Observed, say: Wording) -> str:
    running = observed.of(release.digest)
    if running is None:
        return say.absent.format(version=release.version)
    detail = f": {running.detail}" if running.detail else ""
    return f"{release.version} is {running.state}{detail}"


def _starts(release: Release, observed: Observed) -> bool:
    """Whether the release starts, and the target says nothing about how."""
    running = observed.of(release.digest)
    return running is not None and running.state is RunState.STARTING and not running.detail
