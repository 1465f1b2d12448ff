"""A host with an engine that does not answer: out of reach, and tried again without a second router."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from bot.adapters.targets.hosted.host.store import StateStore
from bot.adapters.targets.hosted.settings import HostedLaneSettings, PlatformSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry
from bot.ports.errors import TargetRefused, Unreachable
from tests.fakes.swarm_managers import FakeManager, SwarmState
from tests.support.host import LANE, host_of_processes
from tests.support.routers.subjects import need_envoy


def envoys(folder: Path) -> set[int]:
    found = set()
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if str(process.info["cwd"] or "").startswith(str(folder)) and "--config-path" in (
            process.info["cmdline"] or ()
        ):
            found.add(process.pid)
    return found


async def test_an_engine_that_is_away_is_no_empty_lane_and_the_router_is_started_once(tmp_path: Path) -> None:
    need_envoy()
    written = {"kind": "docker", "engine": f"unix://{tmp_path}/nothing.sock", "router": {"kind": "envoy"}}
    platform = platform_settings(registry.KINDS.targets["docker"].settings.model_validate(written))
    host = host_of_processes(tmp_path / "host")
    await host.start()
    try:
        lanes = {LANE: HostedLaneSettings(listen_port=0, place=platform.place)}
        target = HostedTarget(host.data_dir, platform, lanes, start_host=False)
        for _ in range(3):
            with pytest.raises(Unreachable, match=r"nothing\.sock"):
                await target.observe(LANE)
        assert len(envoys(tmp_path)) == 1
    finally:
        await host.stop()
    assert envoys(tmp_path) == set()


def of_swarm(engine: FakeManager, *further: FakeManager, **more: object) -> PlatformSettings:
    written = {"kind": "swarm", "engine": engine.address, "router": {"kind": "envoy"}, **more}
    if further:
        written["managers"] = [manager.address for manager in further]
    return platform_settings(registry.KINDS.targets["swarm"].settings.model_validate(written))


async def test_another_manager_is_named_while_the_host_runs_and_kept_for_its_next_start(
    tmp_path: Path,
) -> None:
    need_envoy()
    swarm = SwarmState()
    lost, other = (FakeManager(swarm, tmp_path / f"{name}.sock") for name in ("lost", "other"))
    await lost.start()
    await other.start()
    host = host_of_processes(tmp_path / "host")
    await host.start()
    platform = of_swarm(lost)
    lanes = {LANE: HostedLaneSettings(listen_port=0, place=platform.place)}
    try:
        await HostedTarget(host.data_dir, platform, lanes, start_host=False).observe(LANE)
        await lost.stop()
        changed = HostedTarget(host.data_dir, of_swarm(lost, other, network="net"), lanes, start_host=False)
        with pytest.raises(TargetRefused, match="change when the host starts again"):
            await changed.configure()
        target = HostedTarget(host.data_dir, of_swarm(lost, other), lanes, start_host=False)
        await target.configure()
        assert (await target.observe(LANE)).running == ()
        assert StateStore(host.data_dir).platforms() == [of_swarm(lost, other)]
    finally:
        await host.stop()
        await other.stop()
