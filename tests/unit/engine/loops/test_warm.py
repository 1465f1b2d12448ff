"""How long the former stable release is kept warm: to the second, and by what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.judge.evidence.ticks import begin_evidence
from bot.domain.records import LaneRow, Loaded
from bot.domain.rollout.model import Desired, Phase
from bot.engine.loops.warm import WarmReleases
from bot.ports.data_plane.targets import Capabilities
from tests.support.catalogs import PRODUCTION, STRAIGHT, V140, V150, begin_rollout, catalog
from tests.support.clocks import FrozenClock

ENDED = datetime(2026, 11, 20, tzinfo=UTC)
ROW = LaneRow(PRODUCTION, 5, Desired(5, V150, warm=(V140,)), 1, None, stamp="a")


class Lanes:
    """What is asked of the lanes, and the store with the rollout that the row is of."""

    def __init__(self, **rollout: Any) -> None:
        begun = begin_rollout(id=1, lane=PRODUCTION, plan=STRAIGHT, at=ENDED, generation=0).rollout
        self.rollout = replace(begun, **{"phase": Phase.SUCCEEDED, "ended_at": ENDED, **rollout})
        self.clock = FrozenClock(ENDED + timedelta(minutes=30))
        self.capabilities = Capabilities()
        self.loads = 0
        self.rollouts = self
        self.now = self.clock.now

    def target(self, lane: object) -> Lanes:
        return self

    async def load(self, rollout_id: int) -> Loaded | None:
        self.loads += 1
        return Loaded(self.rollout, begin_evidence()) if rollout_id == self.rollout.id else None


async def over(lanes: Any, row: LaneRow = ROW, keep_s: float | None = 1800.0) -> str:
    config = catalog(keep_warm_s=keep_s).lanes[PRODUCTION]
    entry = await WarmReleases(lanes, lanes).over(config, row)
    return entry.why if entry is not None else ""


async def test_it_is_kept_to_the_end_of_the_time_and_not_longer() -> None:
    lanes = Lanes()
    assert await over(lanes) == (
        "1.4.0 was kept warm for 30 min and is stopped now. A rollback starts it again."
    )
    lanes.clock.forward(-0.001)
    assert await over(lanes) == ""
    lanes.clock.forward(-3600.0)
    assert await over(lanes) == "", "the clock was set back"


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, desired=Desired(5, V150)),
        replace(ROW, rollout_id=None),
        replace(ROW, rollout_id=2),
    ],
    ids=["nothing is warm", "adopted", "its rollout is gone"],
)
async def test_without_a_rollout_that_left_it_warm_nothing_is_stopped(row: LaneRow) -> None:
    assert await over(Lanes(), row) == ""


async def test_without_a_time_it_is_kept_until_the_next_rollout() -> None:
    lanes = Lanes()
    lanes.clock.forward(1e8)
    assert await over(lanes, keep_s=None) == ""


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.SHIFTING])
async def test_only_a_rollout_that_succeeded_starts_the_time(phase: Phase) -> None:
    assert await over(Lanes(phase=phase, ended_at=ENDED if phase.final else None)) == ""


async def test_a_target_that_keeps_nothing_warm_gets_no_order() -> None:
    lanes = Lanes()
    lanes.capabilities = Capabilities(warm=False)
    assert await over(lanes) == ""


async def test_the_end_of_a_rollout_is_read_once_for_each_state_of_its_lane() -> None:
    lanes: Any = Lanes()
    config, found = catalog(keep_warm_s=1e6).lanes[PRODUCTION], WarmReleases(lanes, lanes)
    for row in (ROW, ROW, replace(ROW, stamp="b"), replace(ROW, stamp="b")):
        assert await found.over(config, row) is None
    assert lanes.loads == 2
