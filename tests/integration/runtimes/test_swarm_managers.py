"""Managers that are away, and a swarm that has no leader for a while, by managers of which each answer is known.

What a real swarm does is in `test_swarm_nodes`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.docker.engine import EngineError
from bot.adapters.runtimes.swarm.managers import Managers
from bot.adapters.runtimes.swarm.runtime import SwarmRuntime
from bot.adapters.runtimes.swarm.settings import ManagerSettings
from bot.adapters.runtimes.swarm.tasks import Nodes
from bot.domain.rollout.model import Release, RunState
from bot.ports.data_plane.runtimes import FollowsSettings, RunningRelease
from bot.ports.errors import Unreachable
from tests.fakes.swarm_managers import FakeManager, SwarmState, settings
from tests.support.runtimes import LANE, in_container
from tests.support.waiting import until

IMAGE = f"web@sha256:{'0' * 64}"
WRAPPED = "rpc error: code = Unknown desc = "
NO_LEADER = "The swarm does not have a leader. It's possible that too few managers are online."


def release(version: str) -> Release:
    return in_container(IMAGE, version, "serves", port=None, ready={"path": None, "alive_s": 0.05}, drain_s=0)


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[tuple[SwarmState, list[FakeManager]]]:
    swarm = SwarmState()
    made = [FakeManager(swarm, tmp_path / f"{number}.sock") for number in range(3)]
    for manager in made:
        await manager.start()
    yield swarm, made
    for manager in made:
        await manager.stop()


@asynccontextmanager
async def asking(folder: Path, *made: FakeManager) -> AsyncIterator[Managers]:
    found = Managers(settings(*made), folder)
    yield found
    await found.close()


@asynccontextmanager
async def started(folder: Path, told: ManagerSettings) -> AsyncIterator[SwarmRuntime]:
    runtime = SwarmRuntime(told, RuntimeContext(folder, folder / "logs", "one", folder / "releases"))
    await runtime.start(lambda lane: None)
    yield runtime
    await runtime.close()


async def seen(runtime: SwarmRuntime, of: Release) -> RunningRelease | None:
    return (await runtime.observe()).get(LANE, {}).get(of.digest)


async def ready(runtime: SwarmRuntime, of: Release, *, restart: bool = False) -> str:
    """Name of its instance, once it is ready."""
    runtime.run(LANE, of, restart=restart)
    found = await until(lambda: seen(runtime, of), lambda seen: seen and seen.state is RunState.READY)
    assert found is not None
    (instance,) = found.instances
    assert (instance.restarts, instance.detail) == (0, "")
    return instance.name


async def test_reads_go_on_to_the_next_manager_and_changes_are_sent_once(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path
) -> None:
    swarm, (first, second, third) = managers
    async with asking(tmp_path, first, second, third) as engine:
        assert await engine.get("/services") == [] and "/0.sock" in engine.name
        await first.stop()
        assert await engine.get("/services") == [] and "/1.sock" in engine.name
        assert engine.outages == 1
        await second.stop()
        body = {"Name": "web", "TaskTemplate": {}}
        with pytest.raises(Unreachable, match=r"1\.sock cannot be reached"):
            await engine.post("/services/create", json=body)
        assert not swarm.services and not third.asked
        await engine.post("/services/create", json=body)
        assert list(swarm.services) == ["web"]
        await third.stop()
        with pytest.raises(Unreachable, match=r"2\.sock cannot be .*0\.sock cannot be .*1\.sock cannot be"):
            await engine.get("/services")
        await first.start()
        assert len(await engine.get("/services")) == 1


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        (500, WRAPPED + NO_LEADER, NO_LEADER),
        (500, WRAPPED + "raft: failed to process the request: node lost leader status", "raft: failed"),
        (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", "context deadline"),
        (503, "rpc error: code = Unavailable desc = connection error: desc = refused", "connection error"),
        (
            503,
            "This node is not a swarm manager. Manager is being prepared",
            "This node is not a swarm manager",
        ),
    ],
)
async def test_swarm_without_a_leader_is_out_of_reach_and_what_was_ordered_meanwhile_starts_later(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path, status: int, words: str, said: str
) -> None:
    swarm, (first, *_) = managers
    async with started(tmp_path / "host", settings(first)) as runtime:
        stable, candidate = release("1.0"), release("1.1")
        before = await ready(runtime, stable, restart=True)
        swarm.refusal = status, words
        runtime.run(LANE, candidate, restart=False)

        async def refused() -> int:
            return first.asked.count("POST /services/create")

        await until(refused, lambda times: times >= 3)  # the one before, and two that were refused
        with pytest.raises(Unreachable, match=rf"0\.sock cannot answer for the swarm: {said}"):
            await runtime.observe()
        swarm.refusal = None
        await ready(runtime, candidate)
        assert await ready(runtime, stable, restart=True) == before


async def test_order_that_the_swarm_refuses_is_a_failed_candidate_at_once(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path
) -> None:
    swarm, (first, second, _) = managers
    async with asking(tmp_path, first, second) as engine:
        swarm.refusal = 400, "rpc error: code = InvalidArgument desc = name must be valid"
        with pytest.raises(EngineError, match="name must be valid"):
            await engine.post("/services/create", json={})
        swarm.refusal = 500, WRAPPED + "update out of sequence"
        with pytest.raises(EngineError, match="out of sequence"):
            await engine.post("/services/web/update", json={})
        assert engine.outages == 0 and not second.asked


async def test_manager_that_is_lost_is_replaced_by_the_next_one(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path
) -> None:
    _, (first, second, _) = managers
    async with started(tmp_path / "host", settings(first, second)) as runtime:
        stable = release("1.0")
        before = await ready(runtime, stable, restart=True)
        await first.stop()
        assert await ready(runtime, stable, restart=True) == before
        await ready(runtime, release("1.1"))

        async def followed() -> bool:
            return "GET /events" in second.asked

        await until(followed)
    async with started(tmp_path / "host", settings(first, second)) as later:
        assert await later.observe() == {}


async def test_managers_may_change_while_releases_run_and_nothing_else_may(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path
) -> None:
    _, (first, second, third) = managers
    async with started(tmp_path / "host", settings(first)) as runtime:
        assert isinstance(runtime, FollowsSettings)
        before = await ready(runtime, release("1.0"), restart=True)
        await first.stop()
        with pytest.raises(Unreachable):
            await runtime.observe()
        assert not await runtime.follow(settings(second).model_dump())
        assert not await runtime.follow({**settings(first, second).model_dump(), "network": "other"})
        assert await runtime.follow({"kind": "swarm", **settings(first, second).model_dump()})
        assert await ready(runtime, release("1.0"), restart=True) == before
        assert await runtime.follow(settings(first, third).model_dump())
        await second.stop()
        assert await ready(runtime, release("1.0"), restart=True) == before


async def test_nodes_are_asked_for_again_when_their_list_could_not_be_had(
    managers: tuple[SwarmState, list[FakeManager]], tmp_path: Path
) -> None:
    swarm, (first, *_) = managers
    async with asking(tmp_path, first) as engine:
        nodes = Nodes(engine)
        swarm.refusal = 500, WRAPPED + NO_LEADER
        with pytest.raises(Unreachable):
            await nodes.know({"n1"})
        swarm.refusal = None
        await nodes.know({"n1"})
        node = nodes.get("n1")
        assert node is not None and (node.address, node.up) == ("127.0.0.1", True)
        nodes.forget()
        known = nodes.get("n1")
        assert known == node, "what was known is used until the answer is there"
        await asyncio.gather(*(nodes.know({"n1"}) for _ in range(3)))
        assert nodes.get("n1") == node
