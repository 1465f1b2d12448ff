"""Every legal transition of a rollout, as one table: which event is heard in which phase, and where it leads.

The theory. Going forward is a walk along the plan: each step has a phase, and the end of a step enters the next
one. Leaving the walk is possible from everywhere on it, and only in one direction: back. Before the candidate
had traffic, going back is an end (FAILED, CANCELLED); afterwards it is ROLLING_BACK, which ends in ROLLED_BACK
when the candidate is observed without traffic, and in HALTED when that cannot be had. Nothing leaves an end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain import backward, forward, people, watch
from bot.domain.draft import Draft
from bot.domain.model import FINAL, Action, Phase

P = Phase
Handler = Callable[[Draft, Any], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`event` is heard in `phases`, handled by `handler`, and leaves the phase as it is or leads to one of `to`."""

    event: str
    phases: frozenset[Phase]
    handler: Handler
    to: frozenset[Phase]


def _on(event: str, phases: set[Phase], handler: Handler, to: set[Phase]) -> Rule:
    return Rule(event, frozenset(phases), handler, frozenset(to))


_AHEAD = {P.VERIFYING, P.GATED, P.SHIFTING, P.SOAKING, P.OBSERVING}  # whatever the next step is
WATCHED = {P.SOAKING, P.OBSERVING}
ORDERED = {P.VERIFYING, P.SHIFTING}  # the target was asked for something
GOING = _AHEAD | {P.HELD}
_ACTIVE = GOING | {P.ROLLING_BACK, P.HALTED}
_BACK = {P.ROLLING_BACK, P.HALTED}  # HALTED at once where there is no stable to go back to
_OFF = _BACK | {P.FAILED}  # FAILED where there was no traffic yet
_STOP = _BACK | {P.CANCELLED}  # the same, by a person's will

RULES = (
    #   event            heard in                       handler                 leads to
    _on("applied", {P.VERIFYING}, forward.started, set()),
    _on("applied", {P.SHIFTING}, forward.shifted, _AHEAD | {P.SUCCEEDED}),
    _on("applied", {P.ROLLING_BACK}, backward.returned, {P.ROLLED_BACK}),
    _on("applied", {P.HALTED}, backward.returned_late, set()),
    _on("apply_failed", ORDERED, forward.not_applied, _OFF),
    _on("apply_failed", {P.ROLLING_BACK}, backward.not_returned, {P.HALTED}),
    _on("verified", ORDERED, forward.verified, _AHEAD | _OFF),
    _on("synced", ORDERED, forward.synced, _AHEAD | _OFF),
    _on("measured", {P.VERIFYING, P.GATED, P.SHIFTING}, watch.measured, _OFF),
    _on("measured", WATCHED, watch.measured, _AHEAD | _OFF | {P.HELD}),
    _on("measured", {P.HELD}, watch.measured, _AHEAD | _OFF),
    _on("crashed", GOING, backward.crashed, _OFF),
    _on("host_aborted", _ACTIVE, backward.aborted, _STOP),
    # Timers.
    _on("gate_due", {P.GATED}, backward.expired, _STOP),
    _on("hold_due", {P.HELD}, watch.hold_due, _OFF),
    _on("progress_due", ORDERED, forward.no_progress, _OFF),
    _on("progress_due", {P.ROLLING_BACK}, backward.no_answer, {P.HALTED}),
    # People.
    _on(Action.APPROVE, {P.GATED}, people.approve, _AHEAD | {P.HELD}),
    _on(Action.REVOKE, {P.GATED}, people.revoke, set()),
    _on(Action.REJECT, {P.GATED}, people.reject, _STOP),
    _on(Action.PAUSE, GOING, people.pause, set()),
    _on(Action.RESUME, GOING, people.resume, _AHEAD | {P.HELD}),
    _on(Action.EXTEND, WATCHED | {P.GATED}, people.extend, set()),
    _on(Action.EXTEND, {P.HELD}, people.extend, WATCHED),
    _on(Action.PROMOTE, WATCHED | {P.HELD}, people.promote, _AHEAD),
    _on(Action.ROLL_BACK, _ACTIVE, people.roll_back, _STOP),
    _on(Action.CANCEL, GOING, people.cancel, {P.CANCELLED}),
    _on(Action.CLOSE, {P.HALTED}, people.close, {P.CANCELLED}),
)
TABLE: Mapping[tuple[Phase, str], Rule] = {(phase, str(r.event)): r for r in RULES for phase in r.phases}

# What may still come in when nobody waits for it any more: the outcome of what was under way when it ended.
LATE: Mapping[str, frozenset[Phase]] = {
    "applied": FINAL,
    "apply_failed": FINAL | {P.HALTED},
    "verified": FINAL | _BACK,
    "synced": FINAL | _BACK,
    "measured": FINAL | _BACK,
    "crashed": FINAL | _BACK,
    "host_aborted": FINAL,
    "gate_due": frozenset(Phase),
    "hold_due": frozenset(Phase),
    "progress_due": frozenset(Phase),
}
