"""What tests of the process target share: releases of the test service, waiting, and counting answers."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import psutil

from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.settings import HostedLaneSettings, PlatformSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition import registry
from bot.composition.platforms import make_platform
from bot.domain.rollout.model import Lane, Observed, Release, RunState
from tests.support.paths import SERVICE
from tests.support.waiting import PATIENCE_S, until

LANE = Lane("checkout", "production")
EXCLUSIVE = HostedLaneSettings(listen_port=0, exclusive=True)


def processes(router: str = "envoy") -> PlatformSettings:
    """Processes of this machine behind a router of this kind."""
    written = {"kind": "process", "users": "host", "router": {"kind": router}}
    return platform_settings(registry.KINDS.targets["process"].settings.model_validate(written))


PROCESSES = processes()


def host_of_processes(folder: Path) -> Host:
    """A host to be run in a test's own process."""
    return Host(folder, make_platform)


def process_target(
    folder: Path,
    lanes: Mapping[Lane, HostedLaneSettings],
    *,
    metrics_listen: tuple[str, int] | None = None,
    start_host: bool = True,
    router: str = "envoy",
) -> HostedTarget:
    return HostedTarget(
        folder, processes(router), lanes, metrics_listen=metrics_listen, start_host=start_host
    )


def release(version: str, *arguments: str, **spec: object) -> Release:
    command = [sys.executable, SERVICE, "--port", "{port}", "--version", "{version}", *arguments]
    return Release(
        "checkout",
        version,
        f"sha256:{version}",
        spec={"command": command, "drain_s": 5.0, "stop_s": 3.0, **spec},
    )


async def settled(
    target: HostedTarget, weights: Mapping[str, int], lane: Lane = LANE, within_s: float = PATIENCE_S
) -> Observed:
    """Until each version (with a weight) is ready with exactly that weight, and nothing else has traffic."""

    def holds(observed: Observed) -> bool:
        serving = {r.version: r.weight for r in observed.running if r.state is RunState.READY and r.weight}
        return serving == {version: weight for version, weight in weights.items() if weight}

    return await until(lambda: target.observe(lane), holds, within_s)


class Users:
    """People who call the router one after the other, and what they got: versions, statuses, exceptions."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        self.address = address
        self.got: Counter[str] = Counter()

    async def ask(self, times: int = 1, path: str = "/", **more: object) -> None:
        for _ in range(times):
            try:
                async with self.session.get(self.address + path, **more) as answer:  # type: ignore[arg-type]
                    await answer.read()
                    ok = answer.status < 500
                    self.got[answer.headers.get("X-Version", "?") if ok else str(answer.status)] += 1
            except (aiohttp.ClientError, OSError) as problem:
                self.got[type(problem).__name__] += 1

    async def ask_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.ask()
            await asyncio.sleep(0.002)


async def gone(pid: int) -> bool:
    """Whether this process has ended; its parent may not know it yet.

    Its first thread may have while others have not, and then its sockets are open.
    """
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True
