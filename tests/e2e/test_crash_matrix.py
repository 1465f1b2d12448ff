"""`kill -9` of the bot before and after every effect of a rollout that succeeds, and in the middle of a press."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.e2e.crashes import WHOLE, approved, crashing, deployed, ended
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500), pytest.mark.slow, pytest.mark.long]


async def test_a_rollout_succeeds_through_a_kill_at_every_point(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    points = tmp_path / "points"
    async with crashing(postgres, points) as stack:
        since = await stack.cursor("checkout", "production")
        id_ = await deployed(stack, "1.5.0")
        await approved(stack, id_)
        happened = await ended(stack, id_, "succeeded", points)
        # With all those deaths a soak may end with too few requests, and wait for more.
        assert [what for what in happened if what != "held"] == WHOLE
        await stack.served_by("checkout", "production", "1.5.0")
        assert await stack.foreign_errors("checkout", "production", since) == []
