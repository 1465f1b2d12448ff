"""Who gets which share of a lane's traffic, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.targets.hosted.host.traffic import Route, decide, reported, restarted, wanted, weights
from bot.domain.rollout.model import Desired, Release

STABLE, CANDIDATE = Release("shop", "1", "a"), Release("shop", "2", "b")


@pytest.mark.parametrize(
    ("desired", "ready", "now", "then"),
    [
        # Nothing is ready: stable is who will be waited for.
        (Desired(1, STABLE), "", Route(), Route("a")),
        (Desired(1, STABLE, CANDIDATE, 5), "ab", Route("a"), Route("a", "b", 5)),
        # A candidate that is not ready leaves its share.
        (Desired(1, STABLE, CANDIDATE, 5), "a", Route("a", "b", 5), Route("a")),
        (Desired(1, STABLE, CANDIDATE, 100), "a", Route("a", "b", 100), Route("a")),
        # A stable that died is waited for, and the candidate gets no more than was ordered.
        (Desired(1, STABLE, CANDIDATE, 5), "b", Route("a", "b", 5), Route("a", "b", 5)),
        (Desired(1, STABLE, CANDIDATE, 0), "b", Route("a", "b", 5), Route("a")),
        (Desired(1, STABLE, CANDIDATE, 100), "b", Route("a", "b", 100), Route(None, "b", 100)),
        # Back to a cold stable: the candidate goes on serving until there is someone else.
        (Desired(1, STABLE, CANDIDATE, 0), "b", Route(None, "b", 100), Route(None, "b", 100)),
        (Desired(1, STABLE), "b", Route("a", "b", 100), Route(None, "b", 100)),
        (Desired(1, STABLE), "ab", Route(None, "b", 100), Route("a")),
        # Another stable, which is not ready yet.
        (Desired(1, CANDIDATE), "a", Route("a"), Route("a")),
        (Desired(1, CANDIDATE), "ab", Route("a"), Route("b")),
        # The first release ever, and its end.
        (Desired(1, None, CANDIDATE, 5), "b", Route(), Route(None, "b", 5)),
        (Desired(1, None, CANDIDATE, 0), "b", Route(None, "b", 100), Route()),
        (Desired(1, None), "a", Route("a"), Route()),
    ],
)
def test_who_gets_the_traffic(desired: Desired, ready: str, now: Route, then: Route) -> None:
    assert decide(desired, set(ready), now) == then


@given(
    weight=st.integers(0, 100),
    ready=st.sets(st.sampled_from("ab")),
    before=st.integers(0, 99),
)
def test_candidate_never_gets_more_than_is_desired_unless_it_had_everything(
    weight: int, ready: set[str], before: int
) -> None:
    now = Route("a", "b" if before else None, before)
    assert decide(Desired(1, STABLE, CANDIDATE, weight), ready, now).share("b") <= weight


def test_exclusive_lane_runs_the_candidate_only_at_a_hundred() -> None:
    assert list(wanted(Desired(1, STABLE, CANDIDATE, 0), exclusive=True)) == ["a"]
    assert list(wanted(Desired(1, STABLE, CANDIDATE, 100), exclusive=True)) == ["b"]
    assert wanted(Desired(1, None), exclusive=True) == {}
    assert list(wanted(Desired(1, STABLE, CANDIDATE, 0), exclusive=False)) == ["a", "b"]


def test_candidate_is_the_only_one_that_is_not_started_again() -> None:
    assert restarted(Desired(1, STABLE, CANDIDATE, 100), exclusive=False) == {"a"}
    assert restarted(Desired(1, CANDIDATE, None, 0, warm=(STABLE,)), exclusive=False) == {"a", "b"}
    assert restarted(Desired(1, STABLE, CANDIDATE, 100), exclusive=True) == set()
    assert restarted(Desired(1, STABLE, CANDIDATE, 0), exclusive=True) == {"a"}


def test_router_is_told_shares_that_add_up_or_none() -> None:
    assert weights(Route("a", "b", 5), Desired(1, STABLE, CANDIDATE, 5)) == {"a": 95, "b": 5}
    assert weights(Route("a"), Desired(1, STABLE)) == {"a": 100}
    assert weights(Route(None, "b", 100), Desired(1, STABLE)) == {"b": 100}
    assert weights(Route(), Desired(1, None)) == {}


def test_candidate_without_a_stable_release_serves_everyone_and_is_reported_at_its_order() -> None:
    desired, route = Desired(1, None, CANDIDATE, 5), Route(None, "b", 5)
    assert weights(route, desired) == {"b": 100}
    assert reported(route, desired, "b", 100) == 5
    assert reported(route, desired, "b", 0) == 0
