"""Messages for a request that failed."""

from __future__ import annotations

from bot.domain.phrasebook.values import code

_BRAKE = "To stop a rollout right now, run on the machine: `slipway abort SERVICE ENVIRONMENT`"


def unreachable() -> str:
    return (
        "**Nothing was recorded and nothing changed:** Slipway cannot reach its database or the target. "
        f"Try again in a moment.\n{_BRAKE}"
    )


def not_confirmed() -> str:
    return (
        "**Not confirmed:** the database did not answer in time. If your request was recorded, the card shows it. "
        f"Repeating it is safe.\n{_BRAKE}"
    )


def internal_error(reference: str) -> str:
    return (
        "Something went wrong inside Slipway. "
        f"Give the Slipway operator this reference; the log has the details: {code(reference)}"
    )


def command_changed() -> str:
    return "This command has just changed. Try again in a minute."


def outdated_button() -> str:
    return "This button is from another version of Slipway. `/status` shows what is going on now."
