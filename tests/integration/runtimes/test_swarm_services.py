"""What services of a swarm get of their spec, why they fail, and what is never touched, on a real swarm of one node."""

from __future__ import annotations

import asyncio
import gc
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.runtimes.swarm.runtime import SwarmRuntime
from bot.domain.rollout.model import Release, RunState
from bot.ports.data_plane.runtimes import Order, RunningInstance
from bot.ports.errors import Unreachable
from tests.support.docker import DockerEngine
from tests.support.runtimes import LANE, TOKEN, SwarmKit, SwarmWorld, answer, host_dies
from tests.support.swarm import docker_swarm
from tests.support.waiting import until

pytestmark = pytest.mark.real


def service(on: SwarmWorld) -> dict[str, Any]:
    (found,) = on.swarm.services()
    return found


def container(on: SwarmWorld, instance: RunningInstance) -> dict[str, Any]:
    task = json.loads(on.swarm.manager.ask("GET", f"/tasks/{instance.name.partition('.')[2]}"))
    at = task["Status"]["ContainerStatus"]["ContainerID"]
    told: dict[str, Any] = json.loads(on.swarm.manager.ask("GET", f"/containers/{at}/json"))
    return told


async def test_limits_user_files_and_labels_are_those_of_the_spec(
    on_swarm: SwarmWorld, tmp_path: Path
) -> None:
    (tmp_path / "vars").write_text("FROM_FILE={{ 7 }}\n")
    release = on_swarm.kit.release(
        "1.0",
        env={"VERSION": "{version}", "REPLICA": "{instance}"},
        env_file=str(tmp_path / "vars"),
        user="1000:1000",
        read_only=True,
        tmpfs=["/tmp"],
        volumes=["slipway-test:/kept"],
        limits={"memory": "64MB", "cpus": 0.5, "pids": 50},
        labels={"team": "web-{environment}"},
        stop_signal="SIGINT",
        constraints=["node.role == manager"],
    )
    order = Order(7, 42)
    on_swarm.runtime.run(LANE, release, restart=False, order=order)
    seen = await on_swarm.until(release, lambda seen: seen.state is RunState.READY)
    told = container(on_swarm, seen.instances[0])
    host, config = told["HostConfig"], told["Config"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * 1024**2, 500_000_000, 50)
    assert host["ReadonlyRootfs"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert (config["User"], config["StopSignal"]) == ("1000:1000", "SIGINT")
    assert {"FROM_FILE={{ 7 }}", "VERSION=1.0", "PORT=8080", "REPLICA=1"} <= set(config["Env"])
    assert {mount["Destination"] for mount in told["Mounts"]} >= {"/kept"}
    spec = service(on_swarm)["Spec"]
    assert spec["TaskTemplate"]["Placement"]["Constraints"] == ["node.role == manager"]
    expected = {
        "team": "web-production",
        "slipway.service": "web",
        "slipway.environment": "production",
        "slipway.version": "1.0",
        "slipway.digest": release.digest,
        "slipway.generation": "7",
        "slipway.rollout": "42",
    }
    assert expected.items() <= spec["Labels"].items() and expected.items() <= config["Labels"].items()


async def test_secret_files_are_readable_by_the_release_alone_and_leave_with_it(
    on_swarm: SwarmWorld, tmp_path: Path
) -> None:
    (tmp_path / "stripe").write_text("sk-live-1")
    shows = "trap 'exit 0' TERM; mkdir /tmp/w; id -u > /tmp/w/id; cat /run/secrets/stripe > /tmp/w/healthz; "
    shows += "ls -l /run/secrets/ > /tmp/w/ls; httpd -p 8080 -h /tmp/w; while :; do sleep 0.05; done"
    release = on_swarm.kit.release(
        "1.0",
        command=["sh", "-c", shows],
        secret_files={"stripe": str(tmp_path / "stripe")},
        user="1000",
        read_only=True,
        tmpfs=["/tmp"],
    )
    instance = (await on_swarm.ready(release)).instances[0]
    assert await answer(instance, "/healthz") == "sk-live-1"
    assert await answer(instance, "/id") == "1000"
    assert "-r--------" in await answer(instance, "/ls")
    assert "sk-live-1" not in json.dumps([container(on_swarm, instance), service(on_swarm)])
    theirs = {"Name": "theirs", "Data": "eA==", "Labels": {"slipway.owner": "two"}}
    on_swarm.swarm.manager.ask("POST", "/secrets/create", json.dumps(theirs).encode())
    on_swarm.runtime.stop(LANE, release.digest, drained=True)
    await until(on_swarm.runtime.observe, lambda seen: not seen)
    left = json.loads(on_swarm.swarm.manager.ask("GET", "/secrets"))
    assert [each["Spec"]["Name"] for each in left] == ["theirs"]
    on_swarm.swarm.manager.ask("DELETE", "/secrets/theirs")


async def test_missing_secret_file_is_said(on_swarm: SwarmWorld, tmp_path: Path) -> None:
    release = on_swarm.kit.release("1.0", secret_files={"stripe": str(tmp_path / "none")})
    how = await on_swarm.crashed(release)
    assert how == f"could not be started: No such file or directory: {tmp_path / 'none'}"


async def test_memory_over_its_limit_is_named(on_swarm: SwarmWorld) -> None:
    # More than runc itself takes for a start: below 20 MB, that may fail (runc issue 3986).
    eats = "exec dd if=/dev/zero of=/dev/null bs=300M count=9"
    release = on_swarm.kit.release("1.0", command=["sh", "-c", eats], limits={"memory": "64MB"})
    assert "needed more memory than its limit of 64 MB" in await on_swarm.crashed(release)


async def test_command_that_the_image_lacks_is_said_in_the_engines_words(on_swarm: SwarmWorld) -> None:
    detail = await on_swarm.crashed(on_swarm.kit.release("1.0", command=["/missing"]))
    assert detail.startswith("could not be started: ") and "/missing" in detail


async def test_network_that_does_not_exist_is_said(on_swarm: SwarmWorld) -> None:
    detail = await on_swarm.crashed(on_swarm.kit.release("1.0", networks=["nowhere"]))
    assert detail.startswith("could not be started: ") and "nowhere" in detail


async def test_release_that_no_node_can_take_says_why(on_swarm: SwarmWorld) -> None:
    # A task is pending for up to a second before the scheduler says why.
    release = on_swarm.kit.release("1.0", constraints=["node.labels.zone == moon"], ready={"timeout_s": 6.0})
    assert (await on_swarm.crashed(release)).startswith("found no node within 6 s: no suitable node (")


async def test_release_that_gets_unhealthy_is_started_again_by_the_swarm(
    on_swarm: SwarmWorld, tmp_path: Path
) -> None:
    """And again, as long as it stays ill: how soon the swarm does that is its own affair."""
    told = tmp_path / "told"
    told.mkdir(mode=0o755)
    health = {"command": ["test", "!", "-e", "/told/ill"], "interval_s": 0.2, "retries": 2}
    release = on_swarm.kit.release("1.0", health=health, volumes=[f"{told}:/told:ro"])
    before = (await on_swarm.ready(release, restart=True)).instances[0]
    (told / "ill").touch()
    ill = await on_swarm.until(
        release, lambda seen: seen.state is RunState.CRASHED and seen.instances[0].detail
    )
    assert "as the swarm stops a container when its health check fails" in ill.instances[0].detail
    (told / "ill").unlink()
    after = await on_swarm.until(release, lambda seen: seen.state is RunState.READY)
    assert after.instances[0].name != before.name and after.instances[0].restarts >= 1


async def test_candidate_that_gets_unhealthy_stays_down(on_swarm: SwarmWorld) -> None:
    health = {"command": ["sh", "-c", "exit 1"], "interval_s": 0.2, "retries": 1}
    release = on_swarm.kit.release("1.0", health=health)
    assert "health check fails" in await on_swarm.crashed(release)
    await until(lambda: asyncio.to_thread(service, on_swarm), held)


def held(found: dict[str, Any]) -> bool:
    """The swarm is to run nothing of it."""
    return bool(found["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}})


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a host that is killed closes nothing
async def test_next_host_knows_that_a_candidate_died_and_why(on_swarm: SwarmWorld) -> None:
    release = on_swarm.kit.release("1.0", "dies")
    how = await on_swarm.crashed(release)
    await until(lambda: asyncio.to_thread(service, on_swarm), held)
    assert TOKEN not in json.dumps(service(on_swarm)["Spec"]["Labels"])
    await host_dies()
    on_swarm.runtime = on_swarm.kit.make()
    await on_swarm.runtime.start(lambda lane: None)
    assert await on_swarm.crashed(release) == how
    assert held(service(on_swarm))
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_candidate_that_died_while_no_host_looked_has_died(on_swarm: SwarmWorld) -> None:
    release = on_swarm.kit.release("1.0")
    before = (await on_swarm.ready(release)).instances[0]
    await host_dies()
    await on_swarm.kit.kill(before)
    tasks = "/tasks?filters=%7B%22desired-state%22%3A%5B%22running%22%5D%7D"

    async def replaced() -> bool:
        found = json.loads(await asyncio.to_thread(on_swarm.swarm.manager.ask, "GET", tasks))
        return [t["Status"]["State"] for t in found if not t["ID"].startswith(before.name[2:])] == ["running"]

    await until(replaced)
    on_swarm.runtime = on_swarm.kit.make()
    await on_swarm.runtime.start(lambda lane: None)
    assert "exited with code 137" in await on_swarm.crashed(release)
    gc.collect()


async def test_release_without_port_is_ready_once_it_stays_up(on_swarm: SwarmWorld) -> None:
    release = on_swarm.kit.release("1.0", port=None, command=["sleep", "1000"], ready={"alive_s": 0.3})
    instance = (await on_swarm.ready(release)).instances[0]
    assert (instance.host, instance.port) == (None, None)


async def test_router_in_an_overlay_network_is_told_addresses_there(
    on_swarm: SwarmWorld, tmp_path: Path
) -> None:
    overlay = {"Name": "routed", "Driver": "overlay", "Attachable": True}
    on_swarm.swarm.manager.ask("POST", "/networks/create", json.dumps(overlay).encode())
    runtime = SwarmKit(on_swarm.swarm, tmp_path).make("networked", network="routed")
    await runtime.start(lambda lane: None)
    on = SwarmWorld(on_swarm.kit, runtime)
    release = on_swarm.kit.release("1.0", port=None, ready={"path": None, "alive_s": 0.3})
    try:
        # Overlay addresses are reached from within alone: what is asked is done by a container there.
        told = container(on, (await on.ready(release)).instances[0])
        served = on_swarm.kit.release("1.1", ready={"path": None, "alive_s": 0.3})
        instance = (await on.ready(served)).instances[0]
        network = container(on, instance)["NetworkSettings"]["Networks"]["routed"]
        assert (instance.host, instance.port) == (network["IPAddress"], 8080)
        assert not container(on, instance)["NetworkSettings"]["Ports"].get("8080/tcp")
        url = f"http://{instance.host}:8080/version"
        ask = partial(on_swarm.swarm.manager.run_in, told["Id"], "wget", "-qO-", url)
        await until(lambda: asyncio.to_thread(ask), lambda said: said == "1.1")
    finally:
        await runtime.close()
        await until(
            lambda: asyncio.to_thread(on_swarm.swarm.manager.call, "DELETE", "/networks/routed"),
            lambda answered: answered[0] in (204, 404),
        )


async def test_service_of_others_is_never_touched(on_swarm: SwarmWorld) -> None:
    template = {"ContainerSpec": {"Image": on_swarm.kit.image, "Args": ["sleep", "1000"]}}
    body = {"Name": "theirs", "Labels": {"slipway.service": "web"}, "TaskTemplate": template}
    on_swarm.swarm.manager.ask("POST", "/services/create", json.dumps(body).encode())
    try:
        await on_swarm.ready(on_swarm.kit.release("1.0"))
        await on_swarm.runtime.close()
        (left,) = on_swarm.swarm.services()
        assert left["Spec"]["Name"] == "theirs"  # type: ignore[index]
    finally:
        on_swarm.swarm.manager.ask("DELETE", "/services/theirs")


async def test_service_that_was_removed_is_created_again(on_swarm: SwarmWorld) -> None:
    release = on_swarm.kit.release("1.0")
    before = (await on_swarm.ready(release, restart=True)).instances[0]
    on_swarm.swarm.manager.ask("DELETE", f"/services/{service(on_swarm)['ID']}")
    await on_swarm.until(release, lambda seen: seen.ready and seen.ready[0].name != before.name)


async def test_many_services_are_observed_by_two_requests(on_swarm: SwarmWorld) -> None:
    """Services without a replica cost little; what is asked does not depend on what runs."""
    kept = '{"port": 8080}'
    for number in range(100):
        labels = {
            "slipway.owner": "many",
            "slipway.service": f"s{number}",
            "slipway.environment": "production",
            "slipway.version": "1",
            "slipway.digest": "sha256:1",
            "slipway.settings": kept,
        }
        template = {"ContainerSpec": {"Image": on_swarm.kit.image, "Labels": labels}}
        body = {"Name": f"many-{number}", "Labels": labels, "TaskTemplate": template}
        body["Mode"] = {"Replicated": {"Replicas": 0}}  # type: ignore[assignment]
        await asyncio.to_thread(
            on_swarm.swarm.manager.ask, "POST", "/services/create", json.dumps(body).encode()
        )
    runtime = on_swarm.kit.make("many")
    await runtime.start(lambda lane: None)
    try:
        asked: list[str] = []
        plain = runtime.engine.request

        def request(method: str, path: str, **more: Any) -> Any:
            if path != "/events":
                asked.append(f"{method} {path}")
            return plain(method, path, **more)

        runtime.engine.request = request  # type: ignore[method-assign]
        seen = await runtime.observe()
        # A look of its own accord may have begun before.
        assert len(seen) == 100 and len(asked) <= 4 and set(asked) == {"GET /services", "GET /tasks"}
        runtime.engine.request = plain  # type: ignore[method-assign]
    finally:
        await runtime.close()
    assert not on_swarm.swarm.services()


async def test_engine_that_is_no_manager_is_said(docker: DockerEngine, on_swarm: SwarmWorld) -> None:
    runtime = on_swarm.kit.make("late", engine=docker.address)
    with pytest.raises(Unreachable, match="cannot answer for the swarm: This node is not a swarm manager"):
        await runtime.start(lambda lane: None)


async def test_engine_that_stops_and_starts_during_orders_brings_everything_back(tmp_path: Path) -> None:
    with docker_swarm() as swarm:
        kit = SwarmKit(swarm, tmp_path)
        runtime: SwarmRuntime = kit.make()
        await runtime.start(lambda lane: None)
        on = SwarmWorld(kit, runtime)
        stable, candidate = kit.release("1.0"), kit.release("1.1")
        await on.ready(stable, restart=True)
        await on.ready(candidate, restart=False)
        late = kit.release("1.2")
        runtime.run(LANE, late, restart=False)  # its service may or may not have been created
        await asyncio.to_thread(swarm.manager.stop)
        with pytest.raises(Unreachable, match=r"The Docker Engine at unix://.* cannot be reached"):
            await runtime.observe()
        later = kit.release("1.3")
        runtime.run(LANE, later, restart=False)  # an order while the engine is away
        await asyncio.sleep(0.5)
        await asyncio.to_thread(swarm.manager.start)
        for release in (stable, candidate, late, later):

            async def served(of: Release = release) -> str:
                """Its first instance's answer. What the swarm still lists from before the stop may not answer."""
                seen = await on.until(of, lambda seen: seen.state is RunState.READY)
                try:
                    return await answer(seen.instances[0])
                except OSError:
                    return ""

            assert await until(served) == release.version
        assert len(swarm.services()) == 4
        await runtime.close()
