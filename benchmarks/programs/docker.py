"""A Docker Engine: from a candidate that is healthy to its first user, and 200 services in one observation.

All parts are real: the bot with its PostgreSQL, its host, a router, `dockerd`, and containers of 2 MB. Time runs from
the moment at which the engine says that the candidate's health check passes to the first answer of the candidate that
a user got through the router. In between, Slipway hears of it, checks the candidate itself, and orders its traffic.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import aiohttp

from benchmarks.engine.catalog import catalog
from benchmarks.report import Row, show
from bot.adapters.runtimes.docker.engine import DockerApi
from tests.support.docker import NEEDS, DockerEngine, can_start, docker_engine
from tests.support.e2e.stack import Stack, lanes, opened
from tests.support.postgres import postgres_server
from tests.support.runtimes import DockerKit

SERVED = lanes("checkout/production", rate=0)
NAMES = {"envoy": "Envoy", "haproxy": "HAProxy"}
SOON, LATE = "1.5.0", "1.6.0"
LATE_S = 12
SERVICES = 200
GOAL_S = 1.0
_ASK_EVERY_S = 0.005
_PATIENCE_S = 120.0

_SERVICES = """
  checkout:
    releases:
      kind: listed
      spec:
        image: {image}
        command: [sh, -c, "case {{version}} in {late}) sleep {late_s};; esac; exec /serve"]
        port: 8080
        env: {{VERSION: "{{version}}"}}
        health: {{command: [test, -e, /tmp/www/healthz], interval: 500ms, retries: 1000}}
        ready: {{timeout: 2m}}
        drain: 1s
        stop: 1s
      versions: [{{version: {late}}}, {{version: {soon}}}, {{version: 1.4.0}}]
    environments:
      production: {{router: "${{{port}:-18402}}"}}
"""


def written(folder: Path, engine: DockerEngine, image: str, router: str) -> Path:
    """The catalog of one service on this engine, behind a router of this kind."""
    services = _SERVICES.format(
        image=image, soon=SOON, late=LATE, late_s=LATE_S, port=SERVED[0].port_variable
    )
    target = (
        f"{{kind: docker, engine: 'unix://{engine.socket}', publish: {engine.loopback}, "
        f"router: {{kind: {router}}}}}"
    )
    text = catalog(
        plan="[{verify: /healthz}, {shift: 50}, {soak: 1h}, {shift: 100}, {observe: 1h}]",
        policy="{objectives: {errors: 1%}, settle: 1s}",
        defaults="  tick: 1s\n  lock_after_rollback: false",
        target=target,
        services=services,
    )
    folder.mkdir()
    (folder / "services.yaml").write_text(text)
    return folder


async def first_answer(address: str, version: str) -> float:
    """When a user first got an answer of this version, in Unix seconds."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{address}/version") as answer:
                    if (await answer.text()).strip() == version:
                        return time.time()
            await asyncio.sleep(_ASK_EVERY_S)


def healthy(engine: DockerEngine, version: str, since: float) -> float:
    """When the engine first said after `since` that this version is healthy, in Unix seconds."""
    filters = {"type": ["container"], "event": ["health_status"], "label": [f"slipway.version={version}"]}
    asked = {"since": f"{since:.9f}", "until": f"{time.time():.9f}", "filters": json.dumps(filters)}
    told = [json.loads(line) for line in engine.ask("GET", f"/events?{urlencode(asked)}").splitlines()]
    return min(int(each["timeNano"]) for each in told if each["status"].endswith(": healthy")) / 1e9


class Served:
    """The running programs. Each round deploys a version, and takes it back again."""

    def __init__(self, stack: Stack, engine: DockerEngine) -> None:
        self._stack = stack
        self._engine = engine
        self._address = f"http://127.0.0.1:{stack.demo.router_ports[SERVED[0]]}"

    async def round(self, version: str) -> float:
        """Seconds from the candidate's health check to its first answer to a user."""
        since = time.time()
        asking = asyncio.create_task(first_answer(self._address, version))
        try:
            rollout = await self._stack.deploy("checkout", version, "production")
            at = await asyncio.wait_for(asking, _PATIENCE_S)
        finally:
            asking.cancel()
        well = await asyncio.to_thread(healthy, self._engine, version, since)
        await self._stack.phase(rollout, "soaking")
        await self._stack.press("oncall", rollout, "Roll back")
        await self._stack.phase(rollout, "rolled_back")
        await self._stack.until(f"{version} to be gone", lambda: self._gone(version))
        return at - well

    async def _gone(self, version: str) -> bool | None:
        there: list[Any] = await asyncio.to_thread(self._engine.containers)
        return None if any(each["Labels"].get("slipway.version") == version for each in there) else True


async def served(engine: DockerEngine, dsn: str, router: str, times: int, late: int) -> list[Row]:
    """router: its kind. times, late: rounds with a candidate that is healthy soon, and with one that takes longer."""
    image = engine.load("bench:1")
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        config = written(base / "config", engine, image, router)
        async with opened(SERVED, dsn, config=config) as stack:
            rounds = Served(stack, engine)
            soon = [await rounds.round(SOON) for _ in range(times)]
            later = [await rounds.round(LATE) for _ in range(late)]
    what = f"Docker behind {NAMES[router]}: candidate healthy -> serving"
    return [*_times(what, soon), *_times(f"{what}, {LATE_S} s after its start", later)]


class Requests:
    """What is asked of an engine: each request that was answered, with its begin and end."""

    def __init__(self, engine: DockerApi) -> None:
        self._inside = engine.request
        self._done: list[tuple[float, float]] = []
        engine.request = self._request  # type: ignore[method-assign]

    def within(self, begin: float, end: float) -> int:
        """How many of them lie within this time."""
        return sum(begin <= one and other <= end for one, other in self._done)

    @asynccontextmanager
    async def _request(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        began = perf_counter()
        async with self._inside(method, path, **more) as answer:
            yield answer
        self._done.append((began, perf_counter()))


async def observed(engine: DockerEngine, times: int) -> list[Row]:
    """One container for each service, as Slipway labels it. They do not run: 200 that do would be most of the cost."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        kit = DockerKit(engine, Path(folder))
        await kit.create("many", SERVICES)
        runtime = kit.make("many")
        asked = Requests(runtime.engine)
        await runtime.start(lambda lane: None)
        try:
            took, requests, bare = [], [], []
            for _ in range(times):
                began = perf_counter()
                assert len(await runtime.observe()) == SERVICES
                took.append(perf_counter() - began)
                requests.append(asked.within(began, began + took[-1]))
                bare.append(await asyncio.to_thread(_listed, engine))
        finally:
            await runtime.close()
    what, alone = f"{SERVICES} services on Docker observed", median(bare)
    slowest = max(took)
    return [
        Row(f"{what}, median", median(took), "s", "the engine alone", alone, median(took) / alone),
        Row(f"{what}, slowest of {times}", slowest, "s", goal="< 1 s", ok=slowest < GOAL_S),
        Row("  requests for it, most of them", max(requests), "", goal="1", ok=max(requests) == 1),
    ]


def _listed(engine: DockerEngine) -> float:
    """Seconds that the engine takes to list its containers to a client that does not look into the answer."""
    began = perf_counter()
    engine.ask("GET", "/containers/json?all=1")
    return perf_counter() - began


def _times(what: str, took: list[float]) -> list[Row]:
    slowest = max(took)
    return [
        Row(f"{what}, median", median(took), "s"),
        Row(f"{what}, slowest of {len(took)}", slowest, "s", goal="< 1 s", ok=slowest < GOAL_S),
    ]


def run(quick: bool = False) -> list[Row]:
    """Behind HAProxy too, where it is installed. Where no engine can be started, a row says what that needs."""
    if not can_start():
        return [Row("Docker: candidate healthy -> serving", float("nan"), "s", NEEDS, goal="< 1 s")]
    routers = ["envoy", *(["haproxy"] if shutil.which("haproxy") else [])]
    times, late = (3, 1) if quick else (15, 5)
    rows = []
    with docker_engine() as engine:
        with postgres_server(durable=True) as server:
            for router in routers:
                dsn = server.dsn(asyncio.run(server.fresh()))
                rows += asyncio.run(served(engine, dsn, router, times, late))
        rows += asyncio.run(observed(engine, 5 if quick else 20))
    return rows


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Docker")
