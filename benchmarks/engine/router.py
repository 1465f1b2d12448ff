"""Cost of the router compared with direct requests, and time until a rollback has removed the candidate's traffic.

Router, release and clients are three programs that share the machine's cores, so the throughput figure includes
the cost of all three.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import aiohttp

from benchmarks.report import Row, show
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition.registry import KINDS
from bot.domain.rollout.model import Desired, Lane, Release, RunState

LANE = Lane("bench", "production")
CLIENTS = 32

# A minimal HTTP service, so that the comparison shows the router and not the release.
SERVICE = """
import asyncio, sys

class Hello(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(ANSWER * data.count(b"\\r\\n\\r\\n"))

ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nX-Version: " + sys.argv[2].encode() + b"\\r\\n\\r\\nok"

async def main():
    server = await asyncio.get_running_loop().create_server(Hello, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""


def release(version: str) -> Release:
    command = [sys.executable, "-c", SERVICE, "{port}", "{version}"]
    return Release("bench", version, f"sha256:{version}", spec={"command": command, "stop_s": 2.0})


async def settled(target: HostedTarget, digest: str, weight: int) -> str:
    """The address of the release once it has the weight."""
    while True:
        found = (await target.observe(LANE)).of(digest)
        if found and found.state is RunState.READY and found.weight == weight and found.address:
            return found.address
        await asyncio.sleep(0.02)


async def one_by_one(session: aiohttp.ClientSession, address: str, times: int) -> list[float]:
    """Seconds of each request, sorted."""
    took = []
    for _ in range(times):
        begun = perf_counter()
        async with session.get(address) as answer:
            await answer.read()
        took.append(perf_counter() - begun)
    return sorted(took)


async def together(session: aiohttp.ClientSession, address: str, times: int) -> float:
    """Requests per second of `CLIENTS` clients."""
    begun = perf_counter()
    await asyncio.gather(*(one_by_one(session, address, times // CLIENTS) for _ in range(CLIENTS)))
    return times // CLIENTS * CLIENTS / (perf_counter() - begun)


async def rollbacks(
    target: HostedTarget, session: aiohttp.ClientSession, address: str, times: int
) -> list[float]:
    """Seconds from the order of weight 0 to the answer of the candidate's last request, sorted, under traffic."""
    one, two = release("1"), release("2")
    last, running = 0.0, True

    async def user() -> None:
        nonlocal last
        while running:
            async with session.get(address) as answer:
                await answer.read()
                if answer.headers["X-Version"] == "2":
                    last = perf_counter()

    users = [asyncio.create_task(user()) for _ in range(8)]
    took = []
    for round_ in range(times):
        generation = 10 + 2 * round_
        await target.apply(LANE, Desired(generation, one, two, 50))
        await settled(target, two.digest, 50)
        await asyncio.sleep(0.05)
        begun = perf_counter()
        await target.apply(LANE, Desired(generation + 1, one, two, 0))
        await asyncio.sleep(0.05)
        took.append(max(0.0, last - begun))
    running = False
    await asyncio.gather(*users)
    return sorted(took)


async def measure(times: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        platform = platform_settings(KINDS.targets["process"].settings(kind="process"))
        target = HostedTarget(Path(folder) / "host", platform, {LANE: HostedLaneSettings(listen_port=0)})
        try:
            await target.apply(LANE, Desired(1, release("1")))
            direct = await settled(target, "sha256:1", 100)
            routed = await target.router_address(LANE)
            assert routed is not None
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                return [
                    *await _latency(session, direct, routed, times),
                    await _rate(session, direct, routed, times),
                    *_percentiles(await rollbacks(target, session, routed, max(20, times // 50))),
                ]
        finally:
            await target.stop_host()


async def _latency(session: aiohttp.ClientSession, direct: str, routed: str, times: int) -> list[Row]:
    await one_by_one(session, routed, 200)
    through, past = await one_by_one(session, routed, times), await one_by_one(session, direct, times)
    rows = []
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, bare = through[int(times * share)] * 1e3, past[int(times * share)] * 1e3
        rows.append(Row(f"request through the router, {name}", ours, "ms", "direct", bare, ours / bare))
    return rows


async def _rate(session: aiohttp.ClientSession, direct: str, routed: str, times: int) -> Row:
    ours, bare = await together(session, routed, times), await together(session, direct, times)
    share = ours / bare
    return Row(f"requests of {CLIENTS} clients", ours, "/s", "direct", bare, share, ">= 0.6x", share >= 0.6)


def _percentiles(took: list[float]) -> list[Row]:
    p99 = took[int(len(took) * 0.99)]
    return [
        Row("weight 0 ordered -> candidate's last answer, p50", took[len(took) // 2] * 1e3, "ms"),
        Row(
            "weight 0 ordered -> candidate's last answer, p99",
            p99 * 1e3,
            "ms",
            "usual promise",
            120_000.0,
            goal="<= 500 ms",
            ok=p99 <= 0.5,
        ),
    ]


def run(quick: bool = False) -> list[Row]:
    return asyncio.run(measure(1000 if quick else 5000))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Router")
