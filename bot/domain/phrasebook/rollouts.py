"""Refusals of actions on a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import duration
from bot.domain.phrasebook.states import irreversible
from bot.domain.phrasebook.values import because, code, name, sentence, unquoted


def ended(phase: str, outcome: str) -> Refused:
    return Refused(f"This rollout has ended ({name(phase)}).{sentence(outcome)}", rule="over")


def older_step(button: int, present: int, outcome: str) -> Refused:
    """`button`, `present`: numbers of steps, counted from 1."""
    return Refused(
        f"This button belongs to step {button}; the rollout is now at step {present}.{sentence(outcome)}",
        rule="older_step",
        remedy="Use the buttons on the current card.",
    )


def not_now(action: LiteralString, standing: str) -> Refused:
    """`standing`: where the rollout stands, as a sentence."""
    return Refused(f"You cannot {action} right now.{sentence(standing)}", rule="not_now")


def paused() -> Refused:
    return Refused("The rollout is paused.", rule="paused", remedy="Resume it first.")


def paused_by_panic_stop(by: str, reason: str) -> Refused:
    return Refused(
        f"{name(by)} switched the panic stop on{because(reason)}. No rollout can be resumed on its own.",
        rule="panic",
        remedy="`/panic switch:off` resumes all of them.",
    )


def people_only() -> Refused:
    return Refused("Only people can approve.", rule="people_only")


def own_rollout(action: LiteralString, role: str) -> Refused:
    return Refused(
        f"You requested this rollout, so you cannot {action} it.",
        rule="not_the_requester",
        remedy=f"Someone else with the role {code(role)} can.",
    )


def no_gate() -> Refused:
    return Refused("No approval is needed right now.", rule="no_gate")


def changed_since_posted() -> Refused:
    return Refused(
        "The rollout has changed since this button was posted.",
        rule="seal",
        remedy="Use the buttons of the current card.",
    )


def gate_expired() -> Refused:
    return Refused("This gate has expired.", rule="expired", remedy="Start the deploy again.")


def not_approved() -> Refused:
    return Refused("You have not approved this rollout.", rule="not_approved")


def too_late_to_revoke() -> Refused:
    return Refused(
        "The quorum is reached, so the approval can no longer be revoked.",
        rule="quorum_reached",
        remedy="**Cancel** or **Roll back** stops the rollout.",
    )


def needs_no_extension() -> Refused:
    return Refused("The quorum is reached, so the gate needs no more time.", rule="quorum_reached")


def bad_extension(seconds: float, longest_s: float) -> Refused:
    asked = f"{'-' if seconds < 0 else ''}{duration(abs(seconds))}"
    return Refused(
        f"A rollout cannot be extended by {asked}.",
        rule="seconds",
        remedy=f"Give up to {duration(longest_s)} at a time.",
    )


def has_traffic(standing: str) -> Refused:
    """`standing`: why it cannot be cancelled, as a sentence."""
    return Refused(
        f"It is too late to cancel.{sentence(standing)}", rule="has_traffic", remedy="Use **Roll back**."
    )


def confirm_irreversible(version: str, what: str, stable: str) -> Refused:
    """A rollback of what cannot be undone. `what`: of it; `stable`: the release to return to."""
    to = name(stable) if stable else "the release before it"
    return Refused(
        f"{irreversible(version, what)} {to} may not work with what it did.",
        rule="irreversible",
        remedy="To roll back anyway, confirm it: `confirm:True` on `/rollback`, `--confirm` on the command line.",
    )


def nothing_to_measure() -> Refused:
    return Refused(
        "Measuring longer does not change this decision.",
        rule="irreversible_hold",
        remedy="Use **Promote** or **Roll back**.",
    )


def unsound_plan(plan: str, mistakes: Sequence[str], hint: str) -> UserError:
    """`hint`: what would be right for the first mistake."""
    listed = unquoted("; ".join(filter(str.strip, mistakes)), 300).rstrip(". ")
    said = unquoted(hint, 200).rstrip(". ")
    return UserError(
        f"The plan {name(plan)} has mistakes{f': {listed}' if listed else ''}.",
        rule="plan",
        remedy=f"{said[:1].upper()}{said[1:]}." if said else "",
    )


def newer_plan(version: str, known: int) -> UserError:
    return UserError(
        f"The stored plan has version {name(version)}; this Slipway reads up to {known}.",
        rule="plan_version",
        remedy="Finish the rollout with the newer Slipway that began it.",
    )
