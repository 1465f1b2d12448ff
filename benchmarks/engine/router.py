"""Cost of each router compared with direct requests, and time until a rollback has removed the candidate's traffic.

Router, release and clients are three programs that share the machine's cores, so the throughput figure includes
the cost of all three. Clients and release are as small as they can be, so that they do not hide what the router costs.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import aiohttp
import psutil

from benchmarks.report import Row, show
from bot.adapters.routers.programs import runs
from bot.adapters.targets.hosted.settings import HostedLaneSettings, platform_settings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.composition.registry import KINDS
from bot.domain.rollout.model import Desired, Lane, Release, RunState

LANE = Lane("bench", "production")
CLIENTS = 32
NAMES = {"envoy": "Envoy", "haproxy": "HAProxy"}

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


# As many connections as it is told, each asking again as soon as it is answered. Prints requests per second, and the
# seconds of each request.
CLIENT = """
import asyncio, json, sys, time

class Client(asyncio.Protocol):
    def __init__(self, left, done):
        self.left, self.done, self.took, self.got = left, done, [], b""
    def connection_made(self, transport):
        self.transport = transport
        self.ask()
    def ask(self):
        self.begun = time.perf_counter()
        self.transport.write(b"GET / HTTP/1.1\\r\\nHost: bench\\r\\n\\r\\n")
    def data_received(self, data):
        self.got += data
        if not self.got.endswith(b"\\r\\n\\r\\nok"):
            return
        self.got = b""
        self.took.append(time.perf_counter() - self.begun)
        self.left -= 1
        self.ask() if self.left else self.done.set_result(self.took)
    def connection_lost(self, problem):
        if self.left:
            self.done.set_exception(problem or ConnectionError("closed"))

async def main(host, port, connections, times):
    loop = asyncio.get_running_loop()
    done = [loop.create_future() for _ in range(connections)]
    begun = time.perf_counter()
    for future in done:
        await loop.create_connection(lambda: Client(times // connections, future), host, port)
    took = [seconds for one in await asyncio.gather(*done) for seconds in one]
    print(json.dumps([len(took) / (time.perf_counter() - begun), took]))

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
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


async def load(address: str, connections: int, times: int) -> tuple[float, list[float]]:
    """Requests per second of so many clients, and the seconds of each request, sorted."""
    url = urlsplit(address)
    command = [sys.executable, "-c", CLIENT, str(url.hostname), str(url.port), str(connections), str(times)]
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await client.communicate()
    rate, took = json.loads(output)
    return rate, sorted(took)


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
        await settled(target, two.digest, 0)
        await asyncio.sleep(0.5)
        took.append(max(0.0, last - begun))
    running = False
    await asyncio.gather(*users)
    return sorted(took)


async def restarts(
    target: HostedTarget, session: aiohttp.ClientSession, address: str, router: Path, times: int
) -> list[float]:
    """Seconds from `kill -9` of the router to its next answer, sorted. router: the file with its pid."""
    took = []
    for _ in range(times):
        program = psutil.Process(int(router.read_text()))
        begun = perf_counter()
        program.kill()
        while runs(program):  # the next answer is not one of its last
            await asyncio.sleep(0.001)
        while True:
            try:
                async with session.get(address) as answer:
                    await answer.read()
                break
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.005)
        took.append(perf_counter() - begun)
        await settled(target, "sha256:1", 100)
        await asyncio.sleep(0.5)
    return sorted(took)


async def measure(times: int, router: str) -> list[Row]:
    """router: its kind."""
    name = NAMES[router]
    with tempfile.TemporaryDirectory() as folder:
        made = KINDS.targets["process"].settings(kind="process", users="host", router={"kind": router})
        lanes = {LANE: HostedLaneSettings(listen_port=0)}
        target = HostedTarget(Path(folder) / "host", platform_settings(made), lanes)
        try:
            await target.apply(LANE, Desired(1, release("1")))
            direct = await settled(target, "sha256:1", 100)
            routed = await target.router_address(LANE)
            assert routed is not None
            rows = [
                *await _latency(name, direct, routed, times),
                await _rate(name, direct, routed, times * 10),
            ]
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                rows += _percentiles(name, await rollbacks(target, session, routed, max(20, times // 50)))
                (pid_file,) = Path(folder).rglob(f"{router}.pid")
                rows.append(_memory(name, pid_file))
                rows += _restarted(name, await restarts(target, session, routed, pid_file, 5))
            return rows
        finally:
            await target.stop_host()


async def _latency(name: str, direct: str, routed: str, times: int) -> list[Row]:
    await load(routed, 1, 200)
    (_, through), (_, past) = await load(routed, 1, times), await load(direct, 1, times)
    rows = []
    for part, share in (("p50", 0.5), ("p99", 0.99)):
        ours, bare = through[int(times * share)] * 1e3, past[int(times * share)] * 1e3
        row = Row(f"request through {name}, {part}", ours, "ms", "direct", bare, ours / bare)
        limited = replace(row, goal="<= 2 ms more", ok=ours - bare <= 2.0)
        rows.append(limited if part == "p99" else row)
    return rows


async def _rate(name: str, direct: str, routed: str, times: int) -> Row:
    await load(routed, CLIENTS, times // 10)
    (ours, _), (bare, _) = await load(routed, CLIENTS, times), await load(direct, CLIENTS, times)
    share = ours / bare
    return Row(
        f"requests of {CLIENTS} clients through {name}",
        ours,
        "/s",
        "direct",
        bare,
        share,
        ">= 0.6x",
        share >= 0.6,
    )


def _restarted(name: str, took: list[float]) -> list[Row]:
    what = f"{name}: kill -9 -> it answers again"
    return [
        Row(f"{what}, median", took[len(took) // 2], "s"),
        Row(f"{what}, slowest of {len(took)}", took[-1], "s", goal="< 1 s", ok=took[-1] < 1.0),
    ]


def _memory(name: str, pid_file: Path) -> Row:
    pid = int(pid_file.read_text())
    return Row(
        f"memory of {name} with one lane, after this", psutil.Process(pid).memory_info().rss / 1e6, "MB"
    )


def _percentiles(name: str, took: list[float]) -> list[Row]:
    p99 = took[int(len(took) * 0.99)]
    return [
        Row(f"{name}: weight 0 ordered -> candidate's last answer, p50", took[len(took) // 2] * 1e3, "ms"),
        Row(
            f"{name}: weight 0 ordered -> candidate's last answer, p99",
            p99 * 1e3,
            "ms",
            "usual promise",
            120_000.0,
            goal="< 50 ms",
            ok=p99 < 0.05,
        ),
    ]


def run(quick: bool = False) -> list[Row]:
    """HAProxy too, where it is installed."""
    kinds = ["envoy", *(["haproxy"] if shutil.which("haproxy") else [])]
    return [row for kind in kinds for row in asyncio.run(measure(1000 if quick else 5000, kind))]


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Router")
