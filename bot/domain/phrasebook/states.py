"""Where a rollout stands, and what happens next."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

from bot.domain.formatting import counted, stamp
from bot.domain.phrasebook.values import because, code, name, sentence, unquoted

HALTED = "Halted: manual action required"
WAITING_FOR_APPROVAL = "Waiting for approval"
ROLLED_BACK_NEXT = "Users are safe. Find the cause before deploying again."
ROLLING_BACK_NEXT = "No action needed unless the rollback fails. Find the cause before deploying again."
HALTED_NEXT = (
    "On the card, **Roll back** tries again; **Close** ends the rollout and leaves everything as it is."
)
IRREVERSIBLE_NEXT = (
    "Decide on the card: **Promote** continues, **Roll back** asks for a confirmation. "
    "Until then traffic stays as it is."
)
# What a release is said to do that is marked as irreversible without a word on why.
NO_DETAILS = "it is marked so, without details"
PAUSED_STILL = "Nothing moves forward. A failing judge and **Roll back** still work."
NO_EXPIRY = "until it is unlocked"
NOTHING_OLDER = "Nothing older."


def on_hold(share: str) -> str:
    """`share`: `25%`, or empty where a rollout has no traffic to speak of."""
    return f"On hold{f' at {name(share)}' if share else ''}: decision needed"


def irreversible(version: str, what: str) -> str:
    """`what`: what of the release cannot be undone."""
    return f"{name(version)} is irreversible{because(what)}."


def needs_people(version: str, what: str) -> str:
    """At the gate, and in a dry run."""
    return f"{irreversible(version, what)} Slipway does not roll it back by itself: that needs a person."


def short_soaks(requests: str, rate: str, share: str, needed: str, given: str) -> str:
    """At load, in a dry run and at the gate. `needed`: as a duration, empty for never."""
    found = f"is found after about {name(needed)}" if needed else "is never found"
    return (
        f"This lane has about {name(requests)}. A release that fails {name(rate)} of them {found} with {name(share)} of"
        f" the traffic, and the plan soaks for {name(given)}."
    )


def soaks_that_fit(service: str, environment: str) -> str:
    """After `short_soaks`."""
    return f"`slipway plan suggest {name(service)} {name(environment)}` shows soaks that fit."


def left_to_people(why: str, version: str, what: str) -> str:
    """Instead of an automatic rollback. `why`: a clause."""
    said = unquoted(why, 600).rstrip(". ")
    return f"{said}. " * bool(said) + f"{irreversible(version, what)} It is not rolled back automatically."


def may_have_begun(version: str, what: str) -> str:
    """The end of a rollout before its release had traffic."""
    return f"{irreversible(version, what)} Check whether it began that when it was started."


def waiting(why: str) -> str:
    """On the card while an order is under way. `why`: a clause."""
    return f"Waiting{because(why)}."


def expires(at: datetime) -> str:
    return f"Expires {stamp(at)}; the rollout is then cancelled."


def unless_decided(outcome: LiteralString, at: datetime | None) -> str:
    """What happens to a rollout on hold without a decision. `outcome`: `rollback` or `wait`."""
    if at is None or outcome != "rollback":
        return "It stays on hold until someone decides."
    return f"If no one acts, it is rolled back {stamp(at)}."


def approvals_needed(many: int, role: str) -> str:
    return f"Needs {counted(many, 'approval')} from {code(role)}."


def one_approval_more(quorum: int) -> str:
    """Why a gate asks for one approval beyond its `quorum`."""
    return (
        f"Needs {counted(quorum, 'approval')}, and one more because the catalog does not say which person the "
        "requesting account belongs to."
    )


def already_done(outcome: str) -> str:
    return f"Already done.{sentence(outcome)}"


def panic_on(held: int, reason: str) -> str:
    return (
        f"**Panic stop is on**{because(reason)}. {counted(held, 'rollout')} paused; nothing moves forward until "
        "`/panic switch:off`. A failing judge and **Roll back** still work."
    )


def panic_off(resumed: int, reason: str) -> str:
    return f"**Panic stop is off**{because(reason)}. {counted(resumed, 'rollout')} resumed."


def panic_begun(by: str, reason: str) -> str:
    """To the channel, where no rollout was active."""
    return (
        f"{name(by)} switched it on{because(reason)}. No rollout was active, and none starts until "
        "`/panic switch:off`. A return to a known-good release still works."
    )


def panic_over(by: str, reason: str) -> str:
    """To the channel, where no rollout was held."""
    return f"{name(by)} switched it off{because(reason)}. Deploys are possible again."


def more(left_out: int, where: LiteralString = "") -> str:
    """Ends a list that was cut. `where`: how to see the rest."""
    return f"… and {left_out} more{f': {where}' if where else ''}"
