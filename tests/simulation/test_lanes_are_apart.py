"""The eighth invariant as a property: whatever is wrong with other lanes, a lane is judged and rolled back in time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.apart import OTHERS, TROUBLES, play_apart


@pytest.mark.simulation
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    troubles=st.lists(st.sampled_from(TROUBLES), min_size=len(OTHERS), max_size=len(OTHERS)),
    flood=st.sampled_from([0, 0, 50]),
)
def test_a_lane_is_judged_and_rolled_back_in_time_whatever_others_do(
    seed: int, troubles: list[str], flood: int
) -> None:
    play_apart(seed, troubles, flood)
