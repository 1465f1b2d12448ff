"""`dockerd` stops and starts again while a candidate starts: its rollout goes on or fails, and is never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.containers import Containers, write_catalog
from tests.support.docker import DockerEngine, docker_engine
from tests.support.e2e import containers
from tests.support.e2e.stack import RATE, Stack, lanes, opened
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

LANE = "checkout", "production"
NETWORK = "routed"
# The engine's restart and two starts of Python, on cores that other tests use too.
ORDER_S = 600.0


def catalog(folder: Path) -> Path:
    """The tests' catalog on containers that the router reaches in a network of the engine's.

    An order has time for the engine's restart, and the engine need not wait long for containers to end.
    """
    write_catalog(containers.catalog(folder / "processes"), folder / "containers")
    written = folder / "containers"
    sections: dict[str, Any] = {}
    for file in written.glob("*.yaml"):
        sections |= yaml.safe_load(file.read_text())
        file.unlink()
    del sections["targets"]["local"]["publish"]
    sections["targets"]["local"]["network"] = NETWORK
    sections["defaults"]["rollback_timeout"] = "10m"
    sections["plans"]["gated"][0] = {"verify": {"checks": ["/healthz"], "timeout": "10m"}}
    spec = sections["services"]["checkout"]["releases"]["spec"]
    spec["ready"] = {"path": "/healthz", "timeout": "5m"}
    spec["stop"] = "1s"
    del spec["volumes"]
    # As JSON, in which no two services share a part.
    (written / "services.yaml").write_text(json.dumps(sections))
    return written


@asynccontextmanager
async def away(docker: DockerEngine) -> AsyncIterator[None]:
    """The engine is stopped in order, and started at the end."""
    await asyncio.to_thread(docker.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(docker.start)


async def being_started(stack: Stack, docker: DockerEngine, version: str) -> int:
    """A rollout of this version, the container of which has just been started."""
    id_ = await stack.deploy("checkout", version, "production")

    async def look() -> bool | None:
        there = await asyncio.to_thread(containers.there, docker, stack, *LANE)
        return True if there.get(version) == ["running"] else None

    await stack.until(f"the container of {version}", look)
    return id_


async def finished(stack: Stack, id_: int) -> None:
    """It passes its gate and succeeds."""
    await stack.approved(id_)
    await stack.phase(id_, "succeeded", timeout_s=ORDER_S)
    await stack.settled(id_)


async def users_are_served(stack: Stack) -> None:
    """For five seconds' worth of requests that were begun now."""
    since = await stack.cursor(*LANE)

    async def look() -> bool | None:
        return True if await stack.cursor(*LANE) >= since + 5 * RATE else None

    await stack.until("more users", look)


async def test_rollouts_get_through_restarts_of_the_engine_while_their_candidate_starts(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    name = await postgres.fresh()
    with docker_engine() as docker:
        docker.ask("POST", "/networks/create", json.dumps({"Name": NETWORK}).encode())
        prepared = await Containers.prepared(containers.environ(docker))
        environment = {**prepared.environment}
        config = catalog(tmp_path / "catalog")
        async with opened(
            lanes("checkout/production"), postgres.dsn(name), environment=environment, config=config
        ) as stack:
            # Containers end with their engine and start again with it. Whether users notice is up to it: while it
            # stops, it may still start others.
            id_ = await being_started(stack, docker, "1.5.0")
            async with away(docker):
                docker.live_restore = True
            row = await stack.phase(id_, "gated", "failed", timeout_s=ORDER_S)
            await stack.served_by(*LANE, "1.4.0")
            if row["phase"] == "gated":
                await finished(stack, id_)
            else:  # the engine answered once more, and said that the candidate's container had ended
                assert "1.5.0" in row["outcome"]
                await stack.settled(id_)
            serves = "1.5.0" if row["phase"] == "gated" else "1.4.0"
            await containers.one_truth(stack, docker, *LANE, serves)

            # With live restore, containers run on without their engine.
            since = await stack.cursor(*LANE)
            id_ = await being_started(stack, docker, "1.6.0")
            async with away(docker):
                await users_are_served(stack)
            await stack.phase(id_, "gated", timeout_s=ORDER_S)
            await finished(stack, id_)
            await containers.one_truth(stack, docker, *LANE, "1.6.0")
            assert await stack.foreign_errors(*LANE, since) == []
    await postgres.drop(name)
