"""Whose turn it is to be looked at."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.config import LaneConfig
from bot.domain.rollout.model import Lane
from bot.engine.loops.reconciler import due
from tests.integration.engine.world import PRODUCTION, catalog


def lanes(number: int) -> list[LaneConfig]:
    one = catalog().lanes[PRODUCTION]
    return [replace(one, lane=Lane(f"service-{i}", "production")) for i in range(number)]


def test_everybody_gets_a_turn_and_a_round_has_its_size() -> None:
    configs = lanes(10)
    known, turn, seen = {c.lane for c in configs}, 0, []
    for _ in range(3):
        found, turn = due(configs, known, turn, most=4)
        assert len(found) <= 4
        seen += [c.lane for c in found]
    assert seen == [c.lane for c in configs]
    again, _ = due(configs, known, turn, most=4)
    assert again == configs[:4]


def test_what_is_new_is_looked_at_in_every_round() -> None:
    configs = lanes(10)
    known = {c.lane for c in configs[:8]}
    found, turn = due(configs, known, 0, most=4)
    assert found == [*configs[8:], *configs[:4]]
    found, _ = due(configs, known, turn, most=4)
    assert found == [*configs[8:], *configs[4:8]]


def test_a_catalog_that_shrank_starts_anew() -> None:
    configs = lanes(3)
    assert due(configs, {c.lane for c in configs}, 120)[0] == configs
