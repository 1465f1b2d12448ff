"""Order in which lanes are looked at."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.config import LaneConfig
from bot.domain.rollout.model import Lane
from bot.engine.loops.reconciler import due
from tests.support.catalogs import PRODUCTION, catalog


def lanes(number: int) -> list[LaneConfig]:
    one = catalog().lanes[PRODUCTION]
    return [replace(one, lane=Lane(f"service-{i}", "production")) for i in range(number)]


def test_every_lane_gets_its_turn_and_a_round_has_its_size() -> None:
    configs = lanes(10)
    known, looked_at, seen = {c.lane for c in configs}, {}, []
    for now in range(3):
        found = due(configs, known, looked_at, most=4)
        assert len(found) <= 4
        looked_at |= {c.lane: float(now) for c in found}
        seen += [c.lane for c in found]
    assert seen[:10] == [c.lane for c in configs]
    assert seen[10:] == seen[:2]


def test_what_is_new_is_looked_at_in_every_round() -> None:
    configs = lanes(10)
    known = {c.lane for c in configs[:8]}
    found = due(configs, known, {}, most=4)
    assert found == [*configs[8:], *configs[:4]]
    again = due(configs, known, {c.lane: 1.0 for c in found}, most=4)
    assert again == [*configs[8:], *configs[4:8]]


def test_another_process_goes_on_where_it_has_not_looked_yet() -> None:
    configs = lanes(3)
    assert due(configs, {c.lane for c in configs}, {configs[0].lane: 5.0}) == [*configs[1:], configs[0]]
