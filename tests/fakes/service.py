"""A small HTTP service for tests of the process target: `python service.py --port N [faults]`.

Paths: `/healthz`, `/` (says version and pid), `/slow?s=1`, `/held?until=FILE` (answers once it is there), `/die`,
`/hang`, `/half` (dies mid-answer), `/500`, `/echo` (streams the body back), `/drip?n=3&s=0.1`, `/headers`, `/ws`,
`/metrics`.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aiohttp import WSMsgType, web


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", default="0")
    parser.add_argument("--die-at-start", action="store_true")
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--ready-after", type=float, default=0.0)
    parser.add_argument("--die-unless", type=Path, help="exits at start when this file is not there")
    parser.add_argument(
        "--only-one", type=Path, help="lock file; a second process that finds it locked exits"
    )
    parser.add_argument("--journal", type=Path, help="one line for each start and end of this process")
    parser.add_argument("--child", action="store_true", help="start a child that ignores SIGTERM")
    parser.add_argument("--ignore-term", action="store_true")
    return parser.parse_args()


class Service:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.began = time.monotonic()
        self.requests = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/ws", self.websocket)
        for name in ("slow", "held", "die", "hang", "half", "echo", "drip", "headers"):
            app.router.add_route("*", f"/{name}", getattr(self, name))
        app.router.add_route("*", "/500", self.fails)
        app.router.add_route("*", "/{tail:.*}", self.index)
        return app

    async def index(self, request: web.Request) -> web.Response:
        self.requests += 1
        return web.json_response(
            {"version": self.given.version, "pid": os.getpid(), "path": request.raw_path},
            headers={"X-Version": self.given.version},
        )

    async def healthz(self, _: web.Request) -> web.Response:
        up = not self.given.never_ready and time.monotonic() - self.began >= self.given.ready_after
        return web.json_response({"up": up}, status=200 if up else 503)

    async def fails(self, _: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Version": self.given.version})

    async def slow(self, request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("s", "1")))
        return web.json_response({"version": self.given.version}, headers={"X-Version": self.given.version})

    async def held(self, request: web.Request) -> web.Response:
        there = Path(request.query["until"])
        while not there.exists():
            await asyncio.sleep(0.01)
        return web.json_response({"version": self.given.version}, headers={"X-Version": self.given.version})

    async def die(self, _: web.Request) -> web.Response:
        print("something terrible: no such table: prices", flush=True)
        os._exit(7)

    async def hang(self, _: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    async def half(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 10)
        os._exit(8)

    async def echo(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response

    async def drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(int(request.query.get("n", "3"))):
            await response.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(float(request.query.get("s", "0.1")))
        return response

    async def headers(self, request: web.Request) -> web.Response:
        answer = web.Response(
            text=json.dumps([[k, v] for k, v in request.headers.items()]),
            headers={"Keep-Alive": "timeout=5", "X-Kept": "yes"},
        )
        answer.headers.add("Set-Cookie", "a=1")
        answer.headers.add("Set-Cookie", "b=2")
        return answer

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(f"{self.given.version}:{message.data}")
            elif message.type is WSMsgType.BINARY:
                await ws.send_bytes(message.data)
        return ws

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=f'# TYPE seen counter\nseen_total{{outcome="ok"}} {self.requests}\n')


def main() -> None:
    given = options()
    if given.die_at_start:
        sys.exit("cannot read the price list")
    if given.die_unless is not None and not given.die_unless.exists():
        sys.exit(f"{given.die_unless.name} is missing")
    lock = None
    if given.only_one is not None:
        lock = given.only_one.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with given.only_one.with_suffix(".violated").open("a") as violated:
                violated.write(f"{given.version}\n")
            sys.exit("two at once")
    if given.journal is not None:
        with given.journal.open("a") as journal:
            journal.write(f"start {given.version} {os.getpid()}\n")
    if given.child:
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code])
        print(f"child {child.pid}", flush=True)
    if given.ignore_term:
        asyncio.run(_stubborn(given))
    else:
        web.run_app(
            Service(given).app(),
            host="127.0.0.1",
            port=given.port,
            print=None,
            access_log=None,
            shutdown_timeout=0.5,
        )
    if given.journal is not None:
        with given.journal.open("a") as journal:
            journal.write(f"end {given.version} {os.getpid()}\n")


async def _stubborn(given: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    runner = web.AppRunner(Service(given).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", given.port).start()
    await asyncio.sleep(600)


if __name__ == "__main__":
    main()
