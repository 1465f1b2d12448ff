"""The cache of charters: what rollouts have in common is kept once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.adapters.postgres import serialization
from bot.adapters.postgres.rollouts import Charters
from bot.domain.rollout.model import Plan
from bot.domain.rollout.steps import Shift, Soak
from tests.support.catalogs import PRODUCTION, begin_rollout, policy

NOW = datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC)


def row(number: int, tick_s: float = 5.0) -> dict[str, Any]:
    """A rollout as the database has it."""
    plan = Plan("soak", (Shift(5, 60.0), Soak(600.0), Shift(100, 60.0)))
    rollout = begin_rollout(
        id=number, lane=PRODUCTION, plan=plan, at=NOW, generation=0, policy=policy(tick_s=tick_s)
    ).rollout
    text = serialization.charter_text(rollout)
    return {"id": number, "created_at": NOW, "schema": serialization.SCHEMA, "charter": text}


def test_rollouts_with_equal_plans_and_policies_share_them() -> None:
    charters = Charters()
    one, two, other = charters.read(row(1)), charters.read(row(2)), charters.read(row(3, tick_s=6.0))
    assert (one["id"], two["id"]) == (1, 2)
    assert two["plan"] is one["plan"]
    assert two["policy"] is one["policy"]
    assert other["policy"].tick_s == 6.0
