"""`kill -9` of the bot before and after every effect of two rollouts on containers behind Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.client import HostClient
from bot.domain.rollout.model import Observed
from demo.containers import Containers
from tests.support.docker import DockerEngine
from tests.support.e2e import containers
from tests.support.e2e.acts import part
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
from tests.support.e2e.stack import Stack
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]
LANE = "checkout", "production"


async def observed(stack: Stack) -> Observed:
    """What the host reports: containers as the engine lists them, weights as Envoy runs them."""
    return wire.observed_from_json(
        await HostClient(stack.data / "host").call({"do": "observe", "lane": list(LANE)})
    )


async def one_truth(stack: Stack, docker: DockerEngine, serves: str) -> None:
    """Database, host, Envoy and engine agree, and no container is there that no one wants."""
    await stack.served_by(*LANE, serves)
    row = await stack.one(
        "SELECT generation, desired FROM lanes WHERE service = $1 AND environment = $2", *LANE
    )
    assert row is not None
    desired = part(row, "desired")
    assert (desired["stable"]["version"], desired["candidate"]) == (serves, None)
    wanted = {release["version"]: ["running"] for release in (desired["stable"], *desired["warm"])}

    async def settled() -> bool | None:
        return True if containers.there(docker, stack, *LANE) == wanted else None

    await stack.until(f"the containers to be {wanted}", settled)
    seen = await observed(stack)
    assert seen.generation == desired["generation"]
    assert {r.version: r.weight for r in seen.running} == {v: 100 * (v == serves) for v in wanted}


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
        await one_truth(stack, docker, "1.5.0")
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
        await one_truth(stack, docker, "1.5.0")
        assert await stack.foreign_errors(*LANE, since, "1.5.1") == []

        assert containers.created(docker, stack, *LANE) == {"1.4.0": 1, "1.5.0": 1, "1.5.1": 1}
    assert containers.there(docker, stack, *LANE) == {}
