"""The smallest emulator of Discord that a discord.py bot can work with. Baseline for the sandbox.

`python -m benchmarks.discord.minimal_emulator` prints a line of JSON when it is ready: `url`, `api_base`,
`gateway_url`. It checks nothing: a gateway that says READY, callbacks that are counted, messages that are kept as
they come. `POST /press` sends the interaction `payload` so many times (`count`), and answers with the seconds
until all callbacks are there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from aiohttp import web

BOT = {"id": "1", "username": "robot", "discriminator": "0", "avatar": None, "bot": True}
APPLICATION = {
    "id": "1",
    "name": "robot",
    "description": "",
    "icon": None,
    "summary": "",
    "bot_public": True,
    "bot_require_code_grant": False,
    "verify_key": "",
    "flags": 0,
    "owner": BOT,
}


def reply(body: Any) -> web.Response:
    """JSON with the exact content type that discord.py compares with."""
    return web.Response(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


class Smallest:
    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.messages: list[Any] = []
        self.waiting = 0
        self.done = asyncio.Event()
        self.gateway_url = ""

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}})
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT and message.type is not aiohttp.WSMsgType.BINARY:
                continue
            op = json.loads(message.data)["op"]
            if op == 2:
                self.sockets.append(socket)
                ready = {"v": 10, "user": BOT, "guilds": [], "session_id": "s", "application": APPLICATION}
                ready["resume_gateway_url"] = self.gateway_url
                await socket.send_json({"op": 0, "s": 1, "t": "READY", "d": ready})
            elif op == 1:
                await socket.send_json({"op": 11})
        return socket

    async def press(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.waiting = body["count"]
        self.done.clear()
        started = time.perf_counter()
        for number in range(body["count"]):
            payload = body["payload"] | {"id": str(number + 1), "token": f"t{number}"}
            event = {"op": 0, "s": number + 2, "t": "INTERACTION_CREATE", "d": payload}
            await self.sockets[-1].send_str(json.dumps(event))
        await self.done.wait()
        return reply({"seconds": time.perf_counter() - started})

    async def callback(self, request: web.Request) -> web.Response:
        await request.json()
        self.waiting -= 1
        if self.waiting == 0:
            self.done.set()
        return reply({"interaction": {"id": request.match_info["id"], "type": 3}})

    async def post(self, request: web.Request) -> web.Response:
        self.messages.append(await request.json())
        return reply({"id": str(len(self.messages))})


async def _me(request: web.Request) -> web.Response:
    return reply(BOT)


async def _application(request: web.Request) -> web.Response:
    return reply(APPLICATION)


async def main() -> None:
    smallest, app = Smallest(), web.Application()
    app.router.add_get("/gateway/", smallest.gateway)
    app.router.add_post("/press", smallest.press)
    app.router.add_get("/api/v10/users/@me", _me)
    app.router.add_get("/api/v10/oauth2/applications/@me", _application)
    app.router.add_get("/api/v10/applications/@me", _application)
    app.router.add_post("/api/v10/interactions/{id}/{token}/callback", smallest.callback)
    app.router.add_post("/api/v10/channels/{id}/messages", smallest.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    smallest.gateway_url = f"ws://{address}/gateway/"
    ready = {"url": f"http://{address}", "api_base": f"http://{address}/api/v10"}
    sys.stdout.write(json.dumps(ready | {"gateway_url": smallest.gateway_url}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
