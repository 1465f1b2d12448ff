"""The users of the demo services: steady traffic through the routers, and a log of its answers.

`python -m demo.services.traffic --sandbox URL --lane checkout/production=http://127.0.0.1:8401@150 …` sends
150 requests per second there, open loop (a slow answer does not delay the next request), keeps a log of the
answers, and registers with the sandbox, which passes its `services` calls here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from demo.services.behaviour import EVERY, OVERRIDES, VERSIONS, Behaviour, apply, kinds

LOG_KEPT = 20_000
SHARE_WINDOW_S = 3.0
# The database fails so long after the first request to a version that it fails with, for so long, for this share.
DATABASE_AFTER_S, DATABASE_FOR_S, DATABASE_FAILS = 5.0, 4.0, 0.35
NO_RELEASE = "none"  # no release answered: refused, reset, timed out, or an error of the router itself


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, as its user saw it."""

    n: int
    at: float
    version: str
    kind: str
    status: int  # 0: no answer
    ms: float

    def as_json(self) -> dict[str, object]:
        return {
            "n": self.n,
            "at": self.at,
            "version": self.version,
            "kind": self.kind,
            "status": self.status,
            "ms": round(self.ms, 1),
            "outcome": "ok" if 0 < self.status < 500 else "error",
        }


@dataclass
class Users:
    """The users of one service in one environment."""

    service: str
    environment: str
    url: str
    rate: float  # requests a second
    overrides: Path
    log: deque[Seen] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)
    count: int = 0
    database: asyncio.Task[None] | None = None  # that fails, or has failed

    async def ask_forever(self, session: aiohttp.ClientSession) -> None:
        names, weights = zip(*kinds(self.environment).items(), strict=True)
        pending: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while True:
            due = max(
                due + 1 / self.rate, time.monotonic() - 1
            )  # after a stall, catch up on one second at most
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._ask(session, random.choices(names, weights)[0]))
            pending.add(task)
            task.add_done_callback(pending.discard)

    async def _ask(self, session: aiohttp.ClientSession, kind: str) -> None:
        started = time.monotonic()
        version, status = NO_RELEASE, 0
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{self.url}/pay", params={"kind": kind}) as answer:
                await answer.read()
                version, status = answer.headers.get("X-Version", NO_RELEASE), answer.status
        self.seen(version, kind, status, (time.monotonic() - started) * 1000)

    def seen(self, version: str, kind: str, status: int, ms: float) -> None:
        """Keep an answer."""
        self.count += 1
        self.log.append(Seen(self.count, time.time(), version, kind, status, ms))
        self.totals[version, "ok" if 0 < status < 500 else "error"] += 1
        behaviour = VERSIONS.get(version)
        if behaviour and behaviour.database_fails and self.environment == "production" and not self.database:
            self.database = asyncio.create_task(self._lose_database())

    async def _lose_database(self) -> None:
        """The database that all versions use fails for a moment, once."""
        await asyncio.sleep(DATABASE_AFTER_S)
        self.change(EVERY, {"error_rate": DATABASE_FAILS})
        await asyncio.sleep(DATABASE_FOR_S)
        self.change(EVERY, {})

    def as_json(self, since: int, limit: int) -> dict[str, object]:
        now = time.time()
        recent = Counter(s.version for s in self.log if s.at >= now - SHARE_WINDOW_S)
        everything = sum(recent.values())
        totals: dict[str, dict[str, int]] = {}
        for (version, outcome), n in self.totals.items():
            totals.setdefault(version, {"ok": 0, "error": 0})[outcome] = n
        newer = [s for s in self.log if s.n > since][:limit] if since >= 0 else []
        return {
            "name": self.service,
            "environment": self.environment,
            "url": self.url,
            "rate": self.rate,
            "totals": totals,
            "shares": {v: round(n / everything, 4) for v, n in recent.items()} if everything else {},
            "cursor": newer[-1].n if newer else max(since, self.count if since < 0 else since),
            "log": [s.as_json() for s in newer],
            "behaviour": (behaviour := _read(self.overrides)),
            "error_rates": {v: one["error_rate"] for v, one in self._own(behaviour) if "error_rate" in one},
        }

    def _own(self, behaviour: dict[str, dict[str, float]]) -> list[tuple[str, dict[str, float]]]:
        """The changes to the versions of this lane."""
        here = f"{self.service}/{self.environment}/"
        return [(key.removeprefix(here), one) for key, one in behaviour.items() if key.startswith(here)]

    def change(self, version: str, settings: dict[str, float]) -> None:
        """Change a version while it runs; empty settings restore its own behaviour. Raises ValueError."""
        apply(Behaviour(), settings)
        everything = _read(self.overrides)
        key = f"{self.service}/{self.environment}/{version}"
        if settings:
            everything[key] = {**everything.get(key, {}), **settings}
        else:
            everything.pop(key, None)
        self.overrides.parent.mkdir(exist_ok=True)
        scratch = self.overrides.with_suffix(".new")
        scratch.write_text(json.dumps(everything))
        scratch.chmod(0o644)  # a release in a container is another user
        scratch.replace(self.overrides)


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        found: dict[str, dict[str, float]] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


class Control:
    """HTTP server behind the sandbox's `services` calls."""

    def __init__(self, everybody: list[Users]) -> None:
        self._users = {(u.service, u.environment): u for u in everybody}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{service}/{environment}", self.get)
        app.router.add_post("/{service}/{environment}", self.post)
        return app

    def _of(self, request: web.Request) -> Users:
        return self._users[request.match_info["service"], request.match_info["environment"]]

    async def get(self, request: web.Request) -> web.Response:
        """Shares and totals; `?since=N` adds the log after N (0: all of it), at most `limit` entries."""
        since, limit = int(request.query.get("since", -1)), int(request.query.get("limit", 5000))
        return web.json_response(self._of(request).as_json(since, limit))

    async def post(self, request: web.Request) -> web.Response:
        """Take `{version, error_rate?, latency_ms?, slow_share?, slow_ms?}`; a version alone resets it."""
        body = await request.json()
        if not isinstance(body, dict) or not isinstance(body.get("version"), str):
            return _wrong("`version` is missing: name the version to change, such as 1.5.0.")
        settings = {k: v for k, v in body.items() if k not in {"version", "environment", "guild"}}
        try:
            self._of(request).change(body["version"], settings)
        except ValueError as error:
            return _wrong(str(error))
        return web.json_response(self._of(request).as_json(-1, 0))


def _wrong(sentence: str) -> web.Response:
    return web.json_response({"error": {"code": "invalid", "message": sentence, "hint": None}}, status=400)


def parse_lane(text: str, overrides: Path) -> Users:
    """Read `checkout/production=http://127.0.0.1:8401@150`: lane, address, requests per second."""
    name, _, rest = text.partition("=")
    url, _, rate = rest.rpartition("@")
    service, _, environment = name.partition("/")
    return Users(service, environment, url, float(rate), overrides)


async def serve(sandbox: str, everybody: list[Users]) -> None:
    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    runner = web.AppRunner(Control(everybody).app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    connector = aiohttp.TCPConnector(limit=400, force_close=False)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=12)) as session:
        for users in everybody:
            body = {
                "name": users.service,
                "environment": users.environment,
                "control_url": f"http://127.0.0.1:{port}/{users.service}/{users.environment}",
            }
            async with session.post(f"{sandbox}/sandbox/v1/registry/services", json=body) as answer:
                answer.raise_for_status()
        asking = [asyncio.create_task(u.ask_forever(session)) for u in everybody]
        print(json.dumps({"ready": True, "port": port}), flush=True)
        await stop.wait()
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True)
    parser.add_argument("--lane", action="append", required=True)
    args = parser.parse_args()
    folder = Path(os.environ.get("SANDBOX_DEMO_DIR", "."))
    everybody = [parse_lane(text, folder / OVERRIDES) for text in args.lane]
    asyncio.run(serve(args.sandbox.rstrip("/"), everybody))


if __name__ == "__main__":
    main()
