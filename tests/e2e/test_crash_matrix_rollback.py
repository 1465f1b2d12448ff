"""`kill -9` of the bot before and after every effect of a rollout that is rolled back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.e2e.crashes import BEFORE_TRAFFIC, approved, crashing, deployed, ended
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500), pytest.mark.slow, pytest.mark.long]


async def test_a_bad_release_is_rolled_back_through_a_kill_at_every_point(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    points = tmp_path / "points"
    async with crashing(postgres, points) as stack:
        await stack.behave("checkout", "production", "1.5.1", error_rate=0.5)
        since = await stack.cursor("checkout", "production")
        id_ = await deployed(stack, "1.5.1")
        await approved(stack, id_)
        happened = await ended(stack, id_, "rolled_back", points)
        assert happened[:7] == [*BEFORE_TRAFFIC, "shifting"]
        assert happened[-2:] == ["judged_fail", "rolled_back"]
        assert len(set(happened)) == len(happened)
        await stack.served_by("checkout", "production", "1.4.0")
        assert await stack.foreign_errors("checkout", "production", since, "1.5.1") == []
