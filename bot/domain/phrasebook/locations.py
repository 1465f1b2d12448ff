"""What is said of checks that are asked from several locations."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.formatting import counted
from bot.domain.phrasebook.values import code, codes, name, unquoted

LOCATION_MISSING = (
    "`--role location` needs SLIPWAY_LOCATION (a name of this place) and its Slipway's DATABASE_URL."
)


def failed_from(said: str, failed: Sequence[str], heard: int, of: int) -> str:
    sentence = unquoted(said, 300) or "It failed."
    if heard < of:
        return f"{sentence} Failed from {codes(failed) or '-'}; {checked_from(heard, of)}."
    return f"{sentence} Failed from {codes(failed) or '-'}, {len(failed)} of {counted(of, 'location')}."


def checked_from(heard: int, of: int) -> str:
    """A phrase for the middle of a sentence, as is `fails_from`."""
    return f"checked from {heard} of {counted(of, 'location')}"


def fails_from(failed: Sequence[str]) -> str:
    return f"fails from {codes(failed) or '-'} alone"


def location_silent(location: str) -> str:
    return f"Location “{name(location)}” is silent"


def location_silent_why(location: str, checks: int) -> str:
    asked = counted(checks, "check")
    return (
        f"No results of its {asked} arrived. Checks go on from their other locations; of those without any, "
        f"nothing is known. Look at the process with SLIPWAY_LOCATION={code(location)}."
    )
