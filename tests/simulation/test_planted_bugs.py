"""A simulation that cannot fail proves nothing: bugs that are planted are found.

These are found quickly; `python -m tests.simulation --planted` plants all.
"""

from __future__ import annotations

import pytest

from tests.simulation.planted import found

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
