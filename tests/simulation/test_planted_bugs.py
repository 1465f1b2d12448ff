"""A simulation that cannot fail proves nothing: bugs that are planted are found.

These are found quickly; `python -m tests.simulation --planted` plants all.
"""

from __future__ import annotations

import pytest

from tests.simulation.apart import OTHERS, play_apart
from tests.simulation.planted import BUGS, found

QUICK = (
    "no version check",
    "act before persist",
    "local clock",
    "one vote for free",
    "accounts have no person",
    "INSUFFICIENT passes",
    "FAIL is not heard",
    "steps without a line",
)


@pytest.mark.simulation
@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(name: str) -> None:
    played = found(name, most=120)
    assert played is not None, "no history found it"
    assert "no code fails unseen" not in str(played.violations[0]), "the planted code is broken itself"


@pytest.mark.simulation
def test_orders_to_dead_targets_that_hold_their_slots_are_found_where_lanes_are_played_apart() -> None:
    """Rare in random histories: a rollback in a lane that is calm, while an order of another one waits for long."""
    with BUGS["dead targets hold the slots"](), pytest.raises(AssertionError):
        play_apart(1, ["target hangs"] * len(OTHERS))
    play_apart(1, ["target hangs"] * len(OTHERS))
