"""What every `DeployTarget` promises: the fake, the host with processes and with containers, commands, webhooks."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.adapters.targets.jobs.settings import LaneAddressSettings
from bot.adapters.targets.webhook.settings import WebhookTargetSettings
from bot.adapters.targets.webhook.target import WebhookTarget
from bot.composition import registry
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed, Release, RunState
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.errors import StaleGeneration, TargetRefused
from tests.fakes.target import FakeTarget
from tests.support.host import host_of_processes, process_target
from tests.support.paths import SERVICE
from tests.support.routers.subjects import need_envoy
from tests.support.runtimes import DockerKit, RuntimeKit, SwarmKit
from tests.support.waiting import until

LANE = Lane("checkout", "production")
ALONE = Lane("herald", "production")


@dataclass
class TargetSubject:
    """A target that is examined, and a maker of releases that it can run."""

    target: DeployTarget
    release: Callable[..., Release]

    async def until(self, holds: Callable[[Observed], object], lane: Lane = LANE) -> Observed:
        return await until(lambda: self.target.observe(lane), holds)

    async def reach(self, lane: Lane, desired: Desired) -> Observed:
        """Apply, and wait until it is so."""
        await self.target.apply(lane, desired)
        stable, candidate = desired.stable, desired.candidate

        def holds(observed: Observed) -> bool:
            reached = candidate is None or observed.weight_of(candidate.digest) == desired.weight
            if stable is not None and desired.weight < 100:
                reached = reached and observed.weight_of(stable.digest) == 100 - desired.weight
            return reached

        return await self.until(holds, lane)


RUNTIMES = [
    "fake",
    "process",
    pytest.param("docker behind envoy", marks=pytest.mark.real),
    pytest.param("swarm behind envoy", marks=pytest.mark.real),
]
# Commands know of no release that runs without traffic beside another.
warm_too = pytest.mark.parametrize("subject", RUNTIMES, indirect=True)


@pytest.fixture(params=[*RUNTIMES, "command", "webhook"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TargetSubject]:
    if request.param == "fake":
        fake = FakeTarget(exclusive={ALONE}, looks_to_start=2)

        def fake_release(version: str, *, dies: bool = False) -> Release:
            found = Release("checkout", version, f"sha256:{version}", spec={"command": ["x"]})
            if dies:
                fake.dies.add(found.digest)
            return found

        yield TargetSubject(fake, fake_release)
        return

    if request.param == "command":
        yield by_commands(tmp_path)
        return

    if request.param == "webhook":
        async with by_webhooks(tmp_path) as examined:
            yield examined
        return

    if request.param == "docker behind envoy":
        need_envoy()
        kit = DockerKit(request.getfixturevalue("docker"), tmp_path)
        async with in_containers("docker", kit.engine.address, kit, tmp_path) as examined:
            yield examined
        return

    if request.param == "swarm behind envoy":
        need_envoy()
        there = SwarmKit(request.getfixturevalue("swarm"), tmp_path)
        async with in_containers("swarm", there.swarm.manager.address, there, tmp_path) as examined:
            yield examined
        return

    def release(version: str, *, dies: bool = False) -> Release:
        command = [sys.executable, SERVICE, "--port", "{port}", "--version", "{version}"]
        command += ["--die-at-start"] if dies else []
        spec = {"command": command, "stop_s": 3.0}
        return Release("checkout", version, f"sha256:{version}", spec=spec)

    need_envoy()
    host = host_of_processes(tmp_path / "host")
    await host.start()
    lanes = {LANE: HostedLaneSettings(listen_port=0), ALONE: HostedLaneSettings(exclusive=True)}
    yield TargetSubject(process_target(host.data_dir, lanes, start_host=False), release)
    await host.stop()


def by_commands(folder: Path) -> TargetSubject:
    script = folder / "deploy"
    script.write_text(f"#!/bin/sh\ntest ! -e {folder}/dies-$SLIPWAY_VERSION || {{ echo no; exit 1; }}\n")
    script.chmod(0o755)
    settings = CommandTargetSettings(kind="command", apply=(str(script),), weights=True, grace="500ms")
    reached = LaneAddressSettings(address="http://127.0.0.1:1")
    lanes = {LANE: ServedLane(False, reached), ALONE: ServedLane(True, reached)}

    def release(version: str, *, dies: bool = False) -> Release:
        if dies:
            (folder / f"dies-{version}").touch()
        return Release("checkout", version, f"sha256:{version}", spec={"env": {"REGION": "north"}})

    return TargetSubject(CommandTarget(settings, lanes, TargetContext(folder / "data")), release)


@asynccontextmanager
async def by_webhooks(folder: Path) -> AsyncIterator[TargetSubject]:
    dying: set[str] = set()

    async def deploy(request: web.Request) -> web.Response:
        order = await request.json()
        return web.Response(status=400 if order["release"]["version"] in dying else 200)

    app = web.Application()
    app.router.add_post("/deploy", deploy)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = WebhookTargetSettings.model_validate(
        {
            "kind": "webhook",
            "url": f"http://127.0.0.1:{runner.addresses[0][1]}/deploy",
            "secret": "of-the-contract-0123456789-0123456789",
            "timeout": "10s",
            "weights": True,
        }
    )
    reached = LaneAddressSettings(address="http://127.0.0.1:1")
    lanes = {LANE: ServedLane(False, reached), ALONE: ServedLane(True, reached)}

    def release(version: str, *, dies: bool = False) -> Release:
        if dies:
            dying.add(version)
        return Release("checkout", version, f"sha256:{version}", spec={"data": {"region": "north"}})

    yield TargetSubject(WebhookTarget(settings, lanes, TargetContext(folder / "data")), release)
    await runner.cleanup()


@asynccontextmanager
async def in_containers(
    kind: str, engine: str, kit: RuntimeKit, folder: Path
) -> AsyncIterator[TargetSubject]:
    settings = registry.KINDS.targets[kind].settings
    platform = platform_settings(
        settings.model_validate({"kind": kind, "engine": engine, "router": {"kind": "envoy"}})
    )

    def release(version: str, *, dies: bool = False) -> Release:
        return replace(kit.release(version, "dies" if dies else "serves"), service="checkout")

    lanes = {
        LANE: HostedLaneSettings(place=platform.place, listen_port=0),
        ALONE: HostedLaneSettings(place=platform.place, exclusive=True),
    }
    host = host_of_processes(folder / "host")
    await host.start()
    yield TargetSubject(HostedTarget(host.data_dir, platform, lanes, start_host=False), release)
    await host.stop()


async def test_unknown_lane_has_generation_zero_and_nothing_runs(subject: TargetSubject) -> None:
    assert await subject.target.observe(Lane("missing", "nowhere")) == Observed(0)


async def test_first_release_gets_ready_and_has_all_traffic(subject: TargetSubject) -> None:
    observed = await subject.reach(LANE, Desired(1, subject.release("1")))

    assert observed.generation == 1
    (running,) = observed.running
    assert (running.version, running.state, running.weight) == ("1", RunState.READY, 100)
    assert running.address is not None and running.address.startswith("http://")


async def test_candidate_without_weight_runs_and_serves_no_one(subject: TargetSubject) -> None:
    stable, candidate = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(1, stable))

    await subject.target.apply(LANE, Desired(2, stable, candidate))

    def ready(observed: Observed) -> bool:
        found = observed.of(candidate.digest)
        return found is not None and found.state is RunState.READY

    observed = await subject.until(ready)
    assert observed.weight_of(candidate.digest) == 0
    assert observed.weight_of(stable.digest) == 100


async def test_candidate_gets_its_weight_once_it_is_ready_and_loses_it_again(subject: TargetSubject) -> None:
    stable, candidate = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(1, stable))
    await subject.reach(LANE, Desired(2, stable, candidate, 25))

    observed = await subject.reach(LANE, Desired(3, stable, candidate, 0))

    assert observed.weight_of(stable.digest) == 100


async def test_older_generation_is_refused_and_changes_nothing(subject: TargetSubject) -> None:
    stable, candidate = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(5, stable, candidate, 5))
    await subject.reach(LANE, Desired(7, stable, candidate, 0))

    with pytest.raises(StaleGeneration):
        await subject.target.apply(LANE, Desired(6, stable, candidate, 25))

    observed = await subject.target.observe(LANE)
    assert (observed.generation, observed.weight_of(candidate.digest)) == (7, 0)


async def test_applying_the_same_again_changes_nothing(subject: TargetSubject) -> None:
    desired = Desired(2, subject.release("1"), subject.release("2"), 25)
    before = await subject.reach(LANE, desired)

    await subject.target.apply(LANE, desired)

    assert await subject.target.observe(LANE) == before


async def test_same_generation_cannot_mean_two_things(subject: TargetSubject) -> None:
    desired = Desired(2, subject.release("1"), subject.release("2"), 25)
    await subject.reach(LANE, desired)

    with pytest.raises(StaleGeneration):
        await subject.target.apply(LANE, replace(desired, weight=50))


async def test_candidate_that_dies_at_start_is_reported_and_never_serves(subject: TargetSubject) -> None:
    stable, candidate = subject.release("1"), subject.release("2", dies=True)
    await subject.reach(LANE, Desired(1, stable))
    await subject.target.apply(LANE, Desired(2, stable, candidate, 25))

    def crashed(observed: Observed) -> bool:
        found = observed.of(candidate.digest)
        return found is not None and found.state is RunState.CRASHED

    observed = await subject.until(crashed)
    found = observed.of(candidate.digest)
    assert found is not None and found.detail and found.weight == 0 and found.restarts == 0
    assert observed.weight_of(stable.digest) == 100


async def test_crashed_candidate_gets_another_chance_in_another_rollout(subject: TargetSubject) -> None:
    stable, candidate = subject.release("1"), subject.release("2", dies=True)
    await subject.target.apply(LANE, Desired(2, stable, candidate, 25))
    await subject.until(lambda o: (r := o.of(candidate.digest)) and r.state is RunState.CRASHED)
    await subject.reach(LANE, Desired(3, stable))
    await subject.until(lambda o: o.of(candidate.digest) is None)

    await subject.target.apply(LANE, Desired(4, stable, candidate))

    # It crashes again, which shows that it was started again.
    await subject.until(lambda o: (r := o.of(candidate.digest)) and r.state is RunState.CRASHED)


@warm_too
async def test_promoted_release_serves_alone_and_the_former_is_warm_while_named(
    subject: TargetSubject,
) -> None:
    old, new = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(1, old))
    await subject.reach(LANE, Desired(2, old, new, 100))

    observed = await subject.reach(LANE, Desired(3, new, None, 0, warm=(old,)))

    former = observed.of(old.digest)
    assert former is not None and (former.state, former.weight) == (RunState.READY, 0)
    back = await subject.reach(LANE, Desired(4, old, new, 0))
    assert back.weight_of(old.digest) == 100

    await subject.reach(LANE, Desired(5, new, None, 0, warm=(old,)))
    await subject.reach(LANE, Desired(6, new))
    await subject.until(lambda o: o.of(old.digest) is None)

    cold = await subject.reach(LANE, Desired(7, old, new, 0))
    assert cold.weight_of(old.digest) == 100


async def test_release_that_is_no_longer_named_goes_away(subject: TargetSubject) -> None:
    old, new = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(1, old, new, 50))

    await subject.reach(LANE, Desired(2, new))

    await subject.until(lambda observed: observed.of(old.digest) is None)


async def test_abort_takes_all_traffic_under_a_newer_generation_and_is_remembered(
    subject: TargetSubject,
) -> None:
    stable, candidate = subject.release("1"), subject.release("2")
    await subject.reach(LANE, Desired(4, stable, candidate, 50))

    observed = await subject.target.abort(LANE, "oncall", "payments fail")

    assert observed.generation == 5
    assert observed.weight_of(candidate.digest) == 0
    assert observed.weight_of(stable.digest) == 100
    assert observed.abort is not None
    assert (observed.abort.generation, observed.abort.by, observed.abort.why) == (
        5,
        "oncall",
        "payments fail",
    )
    with pytest.raises(StaleGeneration):
        await subject.target.apply(LANE, Desired(5, stable, candidate, 100))
    assert (await subject.target.observe(LANE)).abort is not None


async def test_abort_is_forgotten_when_a_newer_generation_is_applied(subject: TargetSubject) -> None:
    stable = subject.release("1")
    await subject.reach(LANE, Desired(4, stable))
    await subject.target.abort(LANE, "oncall", "")

    observed = await subject.reach(LANE, Desired(6, stable))

    assert observed.abort is None


async def test_abort_without_anything_stable_is_refused(subject: TargetSubject) -> None:
    with pytest.raises(TargetRefused):
        await subject.target.abort(LANE, "oncall", "")


@pytest.mark.parametrize("weight", [-1, 101])
async def test_weight_outside_of_a_hundred_is_refused(subject: TargetSubject, weight: int) -> None:
    with pytest.raises(TargetRefused):
        await subject.target.apply(LANE, Desired(1, subject.release("1"), subject.release("2"), weight))


async def test_weight_without_a_candidate_is_refused(subject: TargetSubject) -> None:
    with pytest.raises(TargetRefused):
        await subject.target.apply(LANE, Desired(1, subject.release("1"), None, 5))


async def test_release_that_cannot_be_run_is_refused_and_the_lane_stays_as_it_was(
    subject: TargetSubject,
) -> None:
    stable = subject.release("1")
    before = await subject.reach(LANE, Desired(1, stable))
    bad = Release("checkout", "2", "sha256:2", spec={"command": []})

    with pytest.raises(TargetRefused):
        await subject.target.apply(LANE, Desired(2, stable, bad))

    assert await subject.target.observe(LANE) == before


async def test_exclusive_lane_refuses_a_weight_between(subject: TargetSubject) -> None:
    with pytest.raises(TargetRefused):
        await subject.target.apply(ALONE, Desired(1, subject.release("1"), subject.release("2"), 5))


async def test_exclusive_lane_replaces_one_release_by_the_other(subject: TargetSubject) -> None:
    old, new = subject.release("1"), subject.release("2")
    await subject.reach(ALONE, Desired(1, old, new, 0))

    observed = await subject.reach(ALONE, Desired(2, old, new, 100))

    stopped = observed.of(old.digest)
    assert stopped is not None and stopped.state is RunState.STOPPED


async def test_exclusive_candidate_that_fails_is_reported_and_the_former_can_come_back(
    subject: TargetSubject,
) -> None:
    old, new = subject.release("1"), subject.release("2", dies=True)
    await subject.reach(ALONE, Desired(1, old))
    await subject.target.apply(ALONE, Desired(2, old, new, 100))
    await subject.until(lambda o: (r := o.of(new.digest)) and r.state is RunState.CRASHED, ALONE)

    observed = await subject.reach(ALONE, Desired(3, old, new, 0))

    assert observed.weight_of(old.digest) == 100
