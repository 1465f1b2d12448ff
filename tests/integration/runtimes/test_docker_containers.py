"""What containers get of their spec, and what is never touched, on a real Docker Engine."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.runtimes.docker.runtime import DockerRuntime
from bot.domain.rollout.model import RunState
from bot.ports.errors import Unreachable
from tests.support.docker import docker_engine
from tests.support.runtimes import LANE, DockerKit, DockerWorld, answer, host_dies
from tests.support.waiting import until

pytestmark = pytest.mark.real


def inspect(on: DockerWorld, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(on.engine.ask("GET", f"/containers/{name.partition('.')[2]}/json"))
    return told


async def test_limits_user_files_and_labels_are_those_of_the_spec(
    on_docker: DockerWorld, tmp_path: Path
) -> None:
    (tmp_path / "vars").write_text("FROM_FILE=7\n")
    release = on_docker.kit.release(
        "1.0",
        env_file=str(tmp_path / "vars"),
        user="1000:1000",
        read_only=True,
        tmpfs=["/tmp"],
        volumes=["slipway-test:/kept"],
        limits={"memory": "64MB", "cpus": 0.5, "pids": 50},
        labels={"team": "web-{environment}"},
        stop_signal="SIGINT",
    )
    told = inspect(on_docker, (await on_docker.ready(release)).instances[0].name)
    host, config = told["HostConfig"], told["Config"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * 1024**2, 500_000_000, 50)
    assert host["ReadonlyRootfs"] and host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert (config["User"], config["StopSignal"], config["Labels"]["team"]) == (
        "1000:1000",
        "SIGINT",
        "web-production",
    )
    assert {"FROM_FILE=7", "VERSION=1.0", "PORT=8080"} <= set(config["Env"])
    assert [mount["Name"] for mount in told["Mounts"]] == ["slipway-test"]
    expected = {"service": "web", "environment": "production", "version": "1.0", "digest": release.digest}
    assert expected.items() <= {k.removeprefix("slipway."): v for k, v in config["Labels"].items()}.items()
    assert all(
        ports == [{"HostIp": on_docker.engine.loopback, "HostPort": ""}]
        for ports in host["PortBindings"].values()
    )


async def test_secret_files_are_readable_by_the_release_alone_and_leave_with_it(
    on_docker: DockerWorld, tmp_path: Path
) -> None:
    secret = tmp_path / "stripe"
    secret.write_text("sk-live-1")
    shows = "trap 'exit 0' TERM; mkdir /tmp/w; id -u > /tmp/w/id; cat /run/secrets/stripe > /tmp/w/healthz; "
    shows += "ls -l /run/secrets > /tmp/w/ls; httpd -p 8080 -h /tmp/w; while :; do sleep 0.05; done"
    release = on_docker.kit.release(
        "1.0",
        command=["sh", "-c", shows],
        secret_files={"stripe": str(secret)},
        user="1000",
        read_only=True,
        tmpfs=["/tmp"],
    )
    instance = (await on_docker.ready(release)).instances[0]
    assert await answer(instance, "/healthz") == "sk-live-1"
    assert await answer(instance, "/id") == "1000"
    assert "-r--------" in await answer(instance, "/ls")
    told = inspect(on_docker, instance.name)
    assert "sk-live-1" not in json.dumps(told)
    (volume,) = [mount["Name"] for mount in told["Mounts"]]
    on_docker.runtime.stop(LANE, release.digest, drained=True)
    await until(on_docker.runtime.observe, lambda seen: not seen)
    assert on_docker.engine.call("GET", f"/volumes/{volume}")[0] == 404


async def test_missing_secret_file_is_said(on_docker: DockerWorld, tmp_path: Path) -> None:
    release = on_docker.kit.release("1.0", secret_files={"stripe": str(tmp_path / "none")})
    assert (
        await on_docker.crashed(release)
        == f"could not be started: No such file or directory: {tmp_path / 'none'}"
    )


async def test_memory_over_its_limit_is_named(on_docker: DockerWorld) -> None:
    # More than runc itself takes for a start: below 20 MB, that may fail (runc issue 3986).
    eats = "exec dd if=/dev/zero of=/dev/null bs=300M count=9"
    release = on_docker.kit.release("1.0", command=["sh", "-c", eats], limits={"memory": "64MB"})
    assert "needed more memory than its limit of 64 MB" in await on_docker.crashed(release)


async def test_command_that_the_image_lacks_is_said_in_the_engines_words(on_docker: DockerWorld) -> None:
    detail = await on_docker.crashed(on_docker.kit.release("1.0", command=["/missing"]))
    assert detail.startswith("could not be started: ") and "/missing" in detail
    assert not [each for each in on_docker.engine.containers() if each["State"] == "created"]


async def test_network_that_does_not_exist_is_said(on_docker: DockerWorld) -> None:
    detail = await on_docker.crashed(on_docker.kit.release("1.0", networks=["nowhere"]))
    assert detail.startswith("could not be started: ") and "nowhere" in detail


async def test_release_is_ready_when_its_health_check_passes_and_fails_when_it_does_not(
    on_docker: DockerWorld,
) -> None:
    health = {"command": ["test", "-e", "/tmp/www/well"], "interval_s": 0.1, "retries": 2}
    serves = "mkdir -p /tmp/www; trap 'exit 0' TERM; httpd -p 8080 -h /tmp/www; echo up; "
    serves += "sleep 1; touch /tmp/www/well; while :; do sleep 0.05; done"
    release = on_docker.kit.release("1.0", command=["sh", "-c", serves], health=health)
    before = (await on_docker.ready(release)).instances[0]
    at = inspect(on_docker, before.name)["Id"]
    await asyncio.to_thread(on_docker.engine.run_in, at, "rm", "/tmp/www/well")
    ill = await on_docker.until(release, lambda seen: seen.state is RunState.CRASHED)
    assert ill.instances[0].detail.startswith("its health check fails") and not ill.ready
    await asyncio.to_thread(on_docker.engine.run_in, at, "touch", "/tmp/www/well")
    after = await on_docker.until(release, lambda seen: seen.state is RunState.READY)
    assert after.instances[0].name == before.name  # it was not restarted


async def test_health_check_that_never_passes_fails_the_start_with_its_output(on_docker: DockerWorld) -> None:
    health = {"command": ["sh", "-c", "echo no queue; exit 1"], "interval_s": 0.1, "retries": 1}
    release = on_docker.kit.release("1.0", health=health, ready={"timeout_s": 10})
    assert "was not healthy within 10 s: its health check fails: no queue" in await on_docker.crashed(release)


async def test_release_without_port_is_ready_once_it_stays_up(on_docker: DockerWorld) -> None:
    release = on_docker.kit.release("1.0", port=None, command=["sleep", "1000"], ready={"alive_s": 0.3})
    instance = (await on_docker.ready(release)).instances[0]
    assert (instance.host, instance.port) == (None, None)


async def test_router_in_the_same_network_reaches_releases_without_published_ports(
    on_docker: DockerWorld, tmp_path: Path
) -> None:
    on_docker.engine.ask("POST", "/networks/create", json.dumps({"Name": "routed"}).encode())
    runtime = DockerKit(on_docker.engine, tmp_path).make("networked", network="routed")
    await runtime.start(lambda lane: None)
    try:
        on = DockerWorld(on_docker.kit, runtime)
        release = on_docker.kit.release("1.0")
        instance = (await on.ready(release)).instances[0]
        told = inspect(on, instance.name)
        assert (
            instance.host == told["NetworkSettings"]["Networks"]["routed"]["IPAddress"]
            and instance.port == 8080
        )
        assert not told["HostConfig"]["PortBindings"]
        assert await answer(instance) == "1.0"
    finally:
        await runtime.close()
        on_docker.engine.ask("DELETE", "/networks/routed")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a host that is killed closes nothing
async def test_next_host_finds_ready_what_was_ready_and_asks_it_nothing(on_docker: DockerWorld) -> None:
    release = on_docker.kit.release("1.0")
    before = await on_docker.ready(release)
    await host_dies()
    on_docker.runtime = on_docker.kit.make()
    await on_docker.runtime.start(lambda lane: None)
    assert (await on_docker.runtime.observe())[LANE][release.digest] == before
    gc.collect()


async def test_container_of_others_is_never_touched(on_docker: DockerWorld) -> None:
    body = {"Image": on_docker.kit.image, "Cmd": ["sleep", "1000"], "Labels": {"slipway.service": "web"}}
    made = on_docker.engine.ask("POST", "/containers/create?name=theirs", json.dumps(body).encode())
    on_docker.engine.ask("POST", "/containers/theirs/start")
    try:
        await on_docker.ready(on_docker.kit.release("1.0"))
        await on_docker.runtime.close()
        (left,) = on_docker.engine.containers()
        assert (left["Id"], left["State"]) == (json.loads(made)["Id"], "running")
    finally:
        on_docker.engine.ask("DELETE", "/containers/theirs?force=1")


async def test_container_that_was_removed_is_started_again(on_docker: DockerWorld) -> None:
    release = on_docker.kit.release("1.0")
    before = (await on_docker.ready(release, restart=True)).instances[0]
    on_docker.engine.ask("DELETE", f"/containers/{before.name.partition('.')[2]}?force=1")
    seen = await on_docker.until(release, lambda seen: seen.ready and seen.ready[0].name != before.name)
    assert seen.instances[0].restarts == 1


async def test_two_hundred_services_are_observed_by_one_request(on_docker: DockerWorld) -> None:
    await on_docker.kit.create("many", 200)
    runtime = on_docker.kit.make("many")
    await runtime.start(lambda lane: None)
    try:
        asked: list[str] = []
        inside = runtime.engine.request

        def request(method: str, path: str, **more: Any) -> Any:
            if path != "/events":
                asked.append(f"{method} {path}")
            return inside(method, path, **more)

        runtime.engine.request = request  # type: ignore[method-assign]
        seen = await runtime.observe()
        assert len(seen) == 200 and len(asked) <= 2 and set(asked) == {"GET /containers/json"}
        runtime.engine.request = inside  # type: ignore[method-assign]
    finally:
        await runtime.close()
    assert not on_docker.engine.containers()


async def test_engine_that_stops_and_starts_brings_everything_back_candidate_included(tmp_path: Path) -> None:
    with docker_engine() as engine:
        kit = DockerKit(engine, tmp_path)
        runtime: DockerRuntime = kit.make()
        await runtime.start(lambda lane: None)
        on = DockerWorld(kit, runtime)
        stable, candidate = kit.release("1.0"), kit.release("1.1")
        await on.ready(stable, restart=True)
        await on.ready(candidate, restart=False)
        await asyncio.to_thread(engine.stop)
        with pytest.raises(Unreachable, match=r"The Docker Engine at unix://.* cannot be reached"):
            await runtime.observe()
        late = kit.release("1.2")
        runtime.run(LANE, late, restart=False)  # an order while the engine is away
        await asyncio.sleep(0.5)
        await asyncio.to_thread(engine.start)
        for release in (stable, candidate, late):
            seen = await on.until(release, lambda seen: seen.state is RunState.READY)
            assert await answer(seen.instances[0]) == release.version
        await runtime.close()


@pytest.mark.parametrize("after", ["created", "running"])
async def test_engine_that_stops_and_starts_during_a_start_leaves_one_container(
    tmp_path: Path, after: str
) -> None:
    with docker_engine() as engine:
        kit = DockerKit(engine, tmp_path)
        runtime: DockerRuntime = kit.make()
        await runtime.start(lambda lane: None)
        on = DockerWorld(kit, runtime)
        slow = ["sh", "-c", "sleep 1; exec /serve"]
        candidate = kit.release("1.1", command=slow)
        runtime.run(LANE, candidate, restart=False)

        async def states() -> list[object]:
            return [entry["State"] for entry in await asyncio.to_thread(engine.containers)]

        await until(
            states, lambda found: found if after == "created" else found == ["running"], every_s=0.005
        )
        await asyncio.to_thread(engine.stop)
        await asyncio.to_thread(engine.start)
        seen = await on.until(candidate, lambda seen: seen.state is RunState.READY)
        assert await answer(seen.instances[0]) == "1.1"
        # The engine takes its time to remove the one that was being started.
        await until(states, lambda found: found == ["running"])
        await runtime.close()


async def test_second_slipway_with_the_same_release_on_the_same_engine_is_left_alone(
    on_docker: DockerWorld,
) -> None:
    release = on_docker.kit.release("1.0")
    theirs = DockerWorld(on_docker.kit, on_docker.kit.make("theirs"))
    await theirs.runtime.start(lambda lane: None)
    kept = await theirs.ready(release)
    mine = await on_docker.ready(release)
    assert {i.name for i in mine.instances}.isdisjoint(i.name for i in kept.instances)
    on_docker.runtime.stop(LANE, release.digest, drained=True)
    await until(on_docker.runtime.observe, lambda seen: not seen)
    assert (await theirs.runtime.observe())[LANE][release.digest] == kept
    assert await answer(kept.instances[0]) == "1.0"
    await on_docker.ready(release)
    await theirs.runtime.close()
    (left,) = on_docker.engine.containers()
    assert left["State"] == "running"


async def test_engine_that_hangs_is_unreachable_within_its_time(tmp_path: Path) -> None:
    with docker_engine() as engine:
        kit = DockerKit(engine, tmp_path)
        runtime = kit.make()
        await runtime.start(lambda lane: None)
        engine.freeze()
        try:
            with pytest.raises(Unreachable, match="did not answer within 10 s"):
                await runtime.observe()
        finally:
            engine.thaw()
        assert await until(runtime.observe, lambda seen: seen == {}) == {}
        await runtime.close()


async def test_engine_that_is_away_at_the_start_is_said(tmp_path: Path, on_docker: DockerWorld) -> None:
    runtime = on_docker.kit.make("late", engine=f"unix://{tmp_path}/none.sock")
    with pytest.raises(Unreachable, match=r"none\.sock cannot be reached: No such file or directory"):
        await runtime.start(lambda lane: None)
