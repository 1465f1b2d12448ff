"""A swarm of several machines: replicas are spread, move when a node is drained or lost, and managers are replaced."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.adapters.runtimes.docker import images
from bot.adapters.runtimes.docker.settings import EngineAddress
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry as registry_of_kinds
from bot.domain.rollout.model import Desired, Release, RunState
from bot.ports.data_plane.runtimes import RunningRelease
from bot.ports.errors import TargetRefused, Unreachable
from tests.support.docker import Registry, registry
from tests.support.host import Users, host_of_processes, settled
from tests.support.routers.subjects import need_envoy
from tests.support.runtimes import LANE, SwarmKit, SwarmWorld, answer
from tests.support.swarm import Swarm, SwarmNode, docker_swarm
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.slow]

NOWHERE = f"sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def pair() -> Iterator[Swarm]:
    with docker_swarm(nodes=2) as found:
        yield found


@pytest.fixture(scope="module")
def hub(pair: Swarm) -> Iterator[Registry]:
    """A registry that every node reaches."""
    with registry(pair.gateway) as served:
        yield served


@pytest.fixture
async def on(pair: Swarm, tmp_path: Path) -> AsyncIterator[SwarmWorld]:
    kit = SwarmKit(pair, tmp_path)
    world = SwarmWorld(kit, kit.make())
    await world.runtime.start(lambda lane: None)
    yield world
    await world.runtime.close()


def nodes(seen: RunningRelease) -> set[str | None]:
    return {instance.host for instance in seen.instances}


async def test_replicas_are_spread_and_each_is_reached_at_its_node(on: SwarmWorld) -> None:
    seen = await on.ready(on.kit.release("1.0", instances=2))
    assert nodes(seen) == {node.ip for node in on.swarm.nodes}
    assert [await answer(instance) for instance in seen.instances] == ["1.0", "1.0"]


@pytest.mark.parametrize("restart", [True, False], ids=["stable", "candidate"])
async def test_drained_node_gives_its_replicas_to_the_other_and_is_used_again(
    on: SwarmWorld, restart: bool
) -> None:
    worker = on.swarm.nodes[1]
    release = on.kit.release("1.0", instances=2)
    before = await on.ready(release, restart=restart)
    (stays,) = [instance for instance in before.instances if instance.host != worker.ip]
    on.swarm.availability(worker, "drain")
    try:
        serving = []

        def moved(seen: RunningRelease) -> bool:
            serving.append(stays in seen.ready)
            return seen.state is RunState.READY and nodes(seen) == {on.swarm.manager.ip}

        after = await on.until(release, moved)
        assert all(serving), "the other replica serves all the time"
        assert [(i.restarts, i.detail) for i in after.instances] == [(0, ""), (0, "")]
        assert [await answer(instance) for instance in after.instances] == ["1.0", "1.0"]
    finally:
        on.swarm.availability(worker, "active")
    other = on.kit.release("1.1", instances=2)
    assert worker.ip in nodes(await on.ready(other))


# Serves on for a while when it is asked to exit: the swarm does not wait for the router before it asks.
ENDS_LATE = (
    "trap 'sleep 15; exit 0' TERM; mkdir -p /tmp/www; echo ok > /tmp/www/healthz; httpd -p 8080 -h /tmp/www; "
)
ENDS_LATE += "while :; do sleep 0.05; done"


async def test_users_of_a_drained_node_are_served_by_the_other(on: SwarmWorld, tmp_path: Path) -> None:
    need_envoy()
    settings = registry_of_kinds.KINDS.targets["swarm"].settings
    platform = platform_settings(
        settings.model_validate({"kind": "swarm", "engine": on.swarm.manager.address})
    )
    lanes = {LANE: HostedLaneSettings(place=platform.place, listen_port=0)}
    host = host_of_processes(tmp_path / "host")
    await host.start()
    target = HostedTarget(host.data_dir, platform, lanes, start_host=False)
    worker = on.swarm.nodes[1]
    try:
        release = on.kit.release("1.0", instances=2, command=["sh", "-c", ENDS_LATE], stop_s=60.0)
        await target.apply(LANE, Desired(1, release))
        await settled(target, {"1.0": 100}, LANE)
        before = await target.addresses(LANE, "sha256:1.0")
        address = await target.router_address(LANE)
        assert address is not None and any(worker.ip in at for at in before.values())
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            users = Users(session, address)
            over = asyncio.Event()
            asking = asyncio.create_task(users.ask_until(over))
            await asyncio.to_thread(on.swarm.availability, worker, "drain")

            def moved(found: Mapping[str, str]) -> bool:
                return len(found) == 2 and not any(worker.ip in at for at in found.values())

            await until(lambda: target.addresses(LANE, "sha256:1.0"), moved)

            async def served() -> int:
                return users.got["?"]

            await until(served, lambda number: number > 50)
            over.set()
            await asking
        failed = {got: count for got, count in users.got.items() if got != "?"}
        assert not failed
    finally:
        await asyncio.to_thread(on.swarm.availability, worker, "active")
        await host.stop()


async def test_image_is_pulled_by_its_digest_on_every_node_with_the_login(
    on: SwarmWorld, hub: Registry, tmp_path: Path
) -> None:
    manager = on.swarm.manager
    manager.load(f"{hub.name}/private:1")
    digest = manager.push(f"{hub.name}/private:1")
    locked = Registry(hub.folder, on.swarm.gateway, locked=True)
    locked.start()
    logins = tmp_path / "docker.json"
    logins.write_text(json.dumps({"auths": {locked.name: {"auth": b64encode(b"ann:secret").decode()}}}))
    runtime = on.kit.make("pulls", logins=str(logins))
    await runtime.start(lambda lane: None)
    try:
        written = on.kit.release("1.0", image=f"{locked.name}/private:1", instances=2)
        address = EngineAddress(engine=manager.address, logins=logins)
        release = await images.pin(address, written, "production")
        assert release.spec["image"] == f"{locked.name}/private@{digest}"
        assert "does not give" in await on.crashed(release), "there is no login"
        seen = await SwarmWorld(on.kit, runtime).ready(release)
        assert nodes(seen) == {node.ip for node in on.swarm.nodes}
    finally:
        await runtime.close()
        locked.stop()


async def test_image_that_is_missing_or_has_another_digest_is_said(on: SwarmWorld, hub: Registry) -> None:
    missing = on.kit.release("1.0", image=f"{hub.name}/none@{NOWHERE}")
    assert f"{hub.name} has no image {hub.name}/none@{NOWHERE}" in await on.crashed(missing)
    on.swarm.manager.load(f"{hub.name}/shop:2")
    on.swarm.manager.push(f"{hub.name}/shop:2")
    wrong = on.kit.release("1.1", image=f"{hub.name}/shop@{NOWHERE}")
    assert f"{hub.name} has no image {hub.name}/shop@{NOWHERE}" in await on.crashed(wrong)
    with pytest.raises(TargetRefused, match=f"has no image {hub.name}/shop:none"):
        address = EngineAddress(engine=on.swarm.manager.address)
        await images.pin(address, on.kit.release("1.2", image=f"{hub.name}/shop:none"), "production")


async def test_registry_that_is_away_is_said_once_three_pulls_have_failed(on: SwarmWorld) -> None:
    release = on.kit.release("1.0", image=f"{on.swarm.gateway}:9/shop@{NOWHERE}")
    on.runtime.run(LANE, release, restart=False)
    # While a task is pulled, it says so.
    await on.until(release, lambda seen: "cannot be reached" in seen.instances[0].detail)
    await on.crashed(release)
    await until(
        lambda: asyncio.to_thread(on.swarm.services),
        lambda found: found[0]["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}},  # type: ignore[index]
    )


@pytest.mark.timeout(600)
async def test_lost_node_is_replaced_and_what_ran_there_can_be_stopped(tmp_path: Path) -> None:
    with docker_swarm(nodes=2) as swarm:
        kit = SwarmKit(swarm, tmp_path)
        on = SwarmWorld(kit, kit.make())
        await on.runtime.start(lambda lane: None)
        release = kit.release("1.0", instances=2)
        before = await on.ready(release)
        (stays,) = [instance for instance in before.instances if instance.host == swarm.manager.ip]
        await asyncio.to_thread(swarm.nodes[1].lost)
        # How long the manager waits for a node that no longer answers is its own affair.
        after = await on.until(
            release, lambda seen: nodes(seen) == {swarm.manager.ip} and len(seen.ready) == 2, within_s=240.0
        )
        assert stays in after.instances and [i.restarts for i in after.instances] == [0, 0]
        on.runtime.stop(LANE, release.digest, drained=True)
        await until(on.runtime.observe, lambda seen: not seen)
        await on.runtime.close()


@asynccontextmanager
async def engine_killed(node: SwarmNode) -> AsyncIterator[None]:
    """As by `kill -9`; it starts again at the end."""
    await asyncio.to_thread(node.killed)
    try:
        yield
    finally:
        await asyncio.to_thread(node.start)


async def in_time(
    on: SwarmWorld, release: Release, holds: Callable[[RunningRelease], object]
) -> RunningRelease:
    """What is seen of it once that holds, whenever a manager answers. It never fails meanwhile.

    How long managers take to elect a leader, and nodes to find it, is their own affair.
    """

    async def seen() -> RunningRelease | None:
        try:
            return (await on.runtime.observe()).get(LANE, {}).get(release.digest)
        except Unreachable:
            return None

    def held(found: RunningRelease | None) -> object:
        if found is None:
            return False
        assert found.state is not RunState.CRASHED, found
        return holds(found)

    found = await until(seen, held, 240.0)
    assert found is not None
    return found


def is_ready(seen: RunningRelease) -> bool:
    return seen.state is RunState.READY


@pytest.mark.timeout(900)
async def test_manager_that_slipway_talks_to_is_killed_and_no_release_fails(tmp_path: Path) -> None:
    """It leads the swarm, so no manager can answer until another one is elected.

    Each Slipway names managers in its own way, has a stable release, and orders a candidate during the election.
    """
    with docker_swarm(nodes=4, managers=3) as swarm:
        first, second, third, _ = swarm.nodes
        kit = SwarmKit(swarm, tmp_path)
        waits: dict[str, Any] = {"constraints": ["node.role == worker"], "ready": {"timeout_s": 240.0}}
        stable, candidate = (kit.release(version, **waits) for version in ("1.0", "1.1"))
        named = {"all": swarm.nodes[:3], "another": [second], "told later": [first], "one": [first]}
        slipways: dict[str, SwarmWorld] = {}
        for owner, (engine, *further) in named.items():
            runtime = kit.make(owner, engine=engine.address, managers=[node.address for node in further])
            await runtime.start(lambda lane: None)
            slipways[owner] = SwarmWorld(kit, runtime)
        before = {owner: await on.ready(stable, restart=True) for owner, on in slipways.items()}
        spread = kit.release("2.0", instances=3, constraints=["node.role == manager"])
        on_managers = await slipways["all"].ready(spread, restart=True)
        assert nodes(on_managers) == {first.ip, second.ip, third.ip}

        async with engine_killed(first):
            for on in slipways.values():
                on.runtime.run(LANE, candidate, restart=False)
            with pytest.raises(Unreachable, match=r"The Docker Engine at unix://.* cannot be reached"):
                await slipways["one"].runtime.observe()
            assert {await answer(each.instances[0]) for each in before.values()} == {"1.0"}
            told = {"engine": first.address, "managers": [third.address]}
            assert await slipways["told later"].runtime.follow(told)
            for owner in ("all", "another", "told later"):
                await in_time(slipways[owner], candidate, is_ready)
            await in_time(
                slipways["all"], spread, lambda seen: is_ready(seen) and first.ip not in nodes(seen)
            )
            with pytest.raises(Unreachable):
                await slipways["one"].runtime.observe()

        for on in slipways.values():
            brought = await in_time(on, candidate, is_ready)
            assert (brought.instances[0].restarts, brought.instances[0].detail) == (0, "")
            assert await answer(brought.instances[0]) == "1.1"
            # A new leader may hear from a node too late: its replicas then start again, and none has failed.
            served = await in_time(on, stable, is_ready)
            assert (served.instances[0].restarts, served.instances[0].detail) == (0, "")
            assert await answer(served.instances[0]) == "1.0"
        for on in slipways.values():
            await on.runtime.close()
        assert not swarm.services()
