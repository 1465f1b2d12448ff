"""Split, counts and routes: the router's arithmetic without a network."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.routers import counts as counting
from bot.adapters.routers.counts import BOUNDS, InstanceCounts
from bot.adapters.routers.split import Shuffle, sticks
from bot.adapters.targets.hosted.host.traffic import Route, decide, restarted, wanted
from bot.domain.rollout.model import Desired, Release

STABLE, CANDIDATE = Release("shop", "1", "a"), Release("shop", "2", "b")


@given(weight=st.integers(0, 100), hundreds=st.integers(1, 5), seed=st.integers())
def test_every_hundred_requests_hold_exactly_the_weight(weight: int, hundreds: int, seed: int) -> None:
    shuffle = Shuffle(random.Random(seed))
    for _ in range(hundreds):
        assert sum(shuffle.next(weight) for _ in range(100)) == weight


@given(weight=st.integers(1, 99), seed=st.integers())
def test_the_rarer_side_is_never_missed_for_long(weight: int, seed: int) -> None:
    shuffle = Shuffle(random.Random(seed))
    rarer = weight <= 50
    drawn = [shuffle.next(weight) == rarer for _ in range(400)]
    gaps = "".join("x" if hit else "." for hit in drawn).split("x")
    assert max(map(len, gaps)) < 2 * -(-100 // min(weight, 100 - weight))


def test_share_has_no_rhythm_that_traffic_could_share() -> None:
    shuffle = Shuffle(random.Random(1))
    places = {n % 20 for n in range(2000) if shuffle.next(5)}
    assert len(places) > 10


def test_another_weight_holds_at_once() -> None:
    shuffle = Shuffle(random.Random(1))
    for _ in range(30):
        shuffle.next(5)
    assert sum(shuffle.next(50) for _ in range(100)) == 50
    assert not any(shuffle.next(0) for _ in range(100))
    assert all(shuffle.next(100) for _ in range(100))


@given(value=st.text(), salt=st.text(), weights=st.lists(st.integers(0, 100), min_size=2))
def test_a_higher_weight_never_moves_anybody_back(value: str, salt: str, weights: list[int]) -> None:
    homes = [sticks(value, salt, weight) for weight in sorted(weights)]
    assert homes == sorted(homes)
    assert sticks(value, salt, 100) and not sticks(value, salt, 0)


def test_sticky_users_are_shared_out_by_weight_and_others_each_rollout() -> None:
    first = {n for n in range(4000) if sticks(str(n), "one", 25)}
    second = {n for n in range(4000) if sticks(str(n), "two", 25)}
    assert 900 < len(first) < 1100
    assert 200 < len(first & second) < 300


def test_counts_survive_their_process(tmp_path: Path) -> None:
    path = tmp_path / "lane" / "digest.0"
    first = InstanceCounts(path)
    for outcome in ("ok", "ok", "error", "refused", "reset", "timeout"):
        first.finish(first.begin(), outcome)
    first.begin()  # in flight at the end
    first.close()

    again = InstanceCounts(path)

    assert (again.total, again.bad, again.in_flight) == (6, 4, 0)
    assert again.outcomes()["ok"] == 2
    again.close()


class TestTime:
    """A clock that tests move."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1000.0]
        monkeypatch.setattr(counting.time, "monotonic", lambda: now[0])
        return now

    def test_latency_is_counted_up_to_its_bound_inclusive(self, clock: list[float]) -> None:
        counts = InstanceCounts()
        for seconds in (0.004, 0.5, 0.6, 11.0):
            ticket = counts.begin()
            clock[0] = 1000.0 + seconds
            counts.finish(ticket, "ok")
            clock[0] = 1000.0
        buckets = dict(counts.buckets())
        assert buckets[0.005] == 1 and buckets[0.5] == 2 and buckets[0.75] == 3
        assert buckets[10.0] == 3 and buckets[float("inf")] == counts.total == 4
        assert counts.seconds == pytest.approx(12.104, abs=1e-4)

    def test_overdue_is_judged_by_the_bound_that_completions_are_judged_by(self, clock: list[float]) -> None:
        counts = InstanceCounts()
        ticket = counts.begin()
        clock[0] += 1.9
        assert counts.overdue(1.8) == 0  # the bound above 1.8 s is 2 s
        clock[0] += 0.2
        assert counts.overdue(1.8) == 1 and counts.overdue(2.0) == 1 and counts.overdue(2.5) == 0
        counts.finish(ticket, "ok")
        assert counts.overdue(1.8) == 0

    def test_limit_beyond_the_histogram_uses_its_end(self, clock: list[float]) -> None:
        counts = InstanceCounts()
        counts.begin()
        clock[0] += BOUNDS[-1] + 1
        assert counts.overdue(60.0) == 1

    @pytest.mark.parametrize(("waited", "total"), [(0.9, 0), (1.1, 1)])
    def test_cancelled_requests_count_when_the_client_had_waited(
        self, clock: list[float], waited: float, total: int
    ) -> None:
        counts = InstanceCounts()
        ticket = counts.begin()
        clock[0] += waited
        counts.finish(ticket, "cancelled")
        assert (counts.total, counts.bad) == (total, 0)

    def test_an_attempt_that_was_counted_before_is_not_counted_again(self) -> None:
        counts = InstanceCounts()
        counts.finish(counts.begin(), None)
        assert (counts.total, counts.in_flight) == (0, 0)


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
