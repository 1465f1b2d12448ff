"""`kill -9` of the bot before and after every effect of two rollouts on containers behind Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.containers import Containers
from tests.support.docker import DockerEngine
from tests.support.e2e import containers
from tests.support.e2e.crashes import (
    BEFORE_TRAFFIC,
    MATRIX_S,
    WHOLE,
    approved,
    crashing,
    deployed,
    ended,
    every_effect_died_twice,
)
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]
LANE = "checkout", "production"


async def test_rollouts_on_containers_end_right_through_a_kill_at_every_point(
    postgres: PostgresServer, docker: DockerEngine, tmp_path: Path
) -> None:
    points, environ = tmp_path / "points", containers.environ(docker)
    async with crashing(
        postgres,
        points,
        environ,
        config=containers.catalog(tmp_path / "catalog"),
        containers=await Containers.prepared(environ),
    ) as stack:
        since = await stack.cursor(*LANE)
        good = await deployed(stack, "1.5.0")
        await approved(stack, good)
        happened = await ended(stack, good, "succeeded", points)
        # With all those deaths a soak may end with too few requests, and wait for more.
        assert [what for what in happened if what != "held"] == WHOLE
        await containers.one_truth(stack, docker, *LANE, "1.5.0")
        assert await stack.foreign_errors(*LANE, since) == []

        await stack.behave(*LANE, "1.5.1", error_rate=0.5)
        since = await stack.cursor(*LANE)
        bad = await deployed(stack, "1.5.1")
        await approved(stack, bad)
        await stack.phase(bad, "rolled_back", timeout_s=MATRIX_S)
        await stack.settled(bad, MATRIX_S)
        await every_effect_died_twice(stack, bad, points)
        happened = [line["what"] for line in await stack.audit(bad)]
        assert happened[:7] == [*BEFORE_TRAFFIC, "shifting"]
        assert happened[-2:] == ["judged_fail", "rolled_back"]
        await containers.one_truth(stack, docker, *LANE, "1.5.0")
        assert await stack.foreign_errors(*LANE, since, "1.5.1") == []

        assert containers.created(docker, stack, *LANE) == {"1.4.0": 1, "1.5.0": 1, "1.5.1": 1}
    assert containers.there(docker, stack, *LANE) == {}
