"""When a target is where it was asked to be, and what is said when it is not."""

from __future__ import annotations

import pytest

from bot.domain.rollout.model import Desired, Observed, Release, Running, RunState
from bot.engine.observation import match

STABLE, CANDIDATE, OTHER = (Release("checkout", v, f"sha256:{v}") for v in ("1.4.0", "1.5.0", "1.3.0"))


def observed(*running: tuple[Release, RunState, int]) -> Observed:
    return Observed(7, tuple(Running(r.digest, r.version, state, weight) for r, state, weight in running))


READY, STARTING, CRASHED = RunState.READY, RunState.STARTING, RunState.CRASHED


def test_a_split_is_reached_when_both_have_their_share() -> None:
    found = match(Desired(7, STABLE, CANDIDATE, 25), observed((STABLE, READY, 75), (CANDIDATE, READY, 25)))
    assert found.reached


@pytest.mark.parametrize(
    ("running", "why"),
    [
        (((STABLE, READY, 100), (CANDIDATE, READY, 0)), "1.5.0 has 0% of the traffic instead of 25%"),
        (((STABLE, READY, 100), (CANDIDATE, STARTING, 0)), "1.5.0 is starting"),
        (((STABLE, READY, 100),), "1.5.0 is not running"),
        (((STABLE, READY, 70), (CANDIDATE, READY, 25)), "1.4.0 has 70% of the traffic instead of 75%"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    running: tuple[tuple[Release, RunState, int], ...], why: str
) -> None:
    found = match(Desired(7, STABLE, CANDIDATE, 25), observed(*running))
    assert (found.reached, found.why, found.doomed, found.unsafe) == (False, why, False, False)


def test_a_crashed_candidate_is_not_waited_for() -> None:
    found = match(Desired(7, STABLE, CANDIDATE, 0), observed((STABLE, READY, 100), (CANDIDATE, CRASHED, 0)))
    assert (found.reached, found.doomed) == (False, True)


def test_going_back_is_unsafe_while_stable_does_not_serve() -> None:
    found = match(Desired(7, STABLE), observed((STABLE, CRASHED, 0), (CANDIDATE, READY, 0)))
    assert (found.reached, found.unsafe, found.why) == (False, True, "1.4.0 is crashed")
    assert match(Desired(7, STABLE), observed()).unsafe


def test_going_back_is_not_done_while_another_release_has_traffic() -> None:
    found = match(Desired(7, STABLE), observed((STABLE, READY, 90), (OTHER, READY, 10)))
    assert found.why == "1.3.0 still has 10% of the traffic"


def test_a_warm_release_without_traffic_is_no_drift() -> None:
    desired = Desired(7, CANDIDATE, warm=(STABLE,))
    assert match(desired, observed((CANDIDATE, READY, 100), (STABLE, CRASHED, 0))).reached


def test_an_exclusive_service_is_reached_without_stable() -> None:
    desired = Desired(7, STABLE, CANDIDATE, 100)
    assert match(desired, observed((CANDIDATE, READY, 100)), beside=False).reached
    dead = match(desired, observed((CANDIDATE, CRASHED, 0)), beside=False)
    assert (dead.doomed, dead.unsafe) == (True, False)


def test_an_exclusive_candidate_without_traffic_need_not_run() -> None:
    desired = Desired(7, STABLE, CANDIDATE, 0)
    assert match(desired, observed((STABLE, READY, 100)), beside=False).reached


def test_nothing_desired_is_reached_by_nothing() -> None:
    assert match(Desired(7, None), observed()).reached
    assert not match(Desired(7, None), observed((OTHER, READY, 100))).reached
