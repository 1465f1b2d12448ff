"""Clients of a sandbox: a bot (REST), people (JSON API), and a bare gateway connection."""

import asyncio
import json
import zlib
from types import TracebackType
from typing import Any, Self

import aiohttp

from discord_sandbox import Sandbox
from support import discord_specs, own_spec

JSON = dict[str, Any]


class Answer:
    """A response: status, parsed body (None if empty) and headers."""

    def __init__(self, status: int, body: Any, headers: Any) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    @property
    def code(self) -> int:
        return int(self.body["code"])


class Client:
    """One HTTP session for a bot and people. Checks REST answers against Discord's description."""

    def __init__(self, sandbox: Sandbox, application: str = "robot", *, check: bool = True) -> None:
        self.sandbox = sandbox
        self.application = application
        self._check = check

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    async def rest(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> Answer:
        """A REST call with the bot's token (`token=""` for none)."""
        token = self.sandbox.token(self.application) if token is None else token
        headers = {"Authorization": f"Bot {token}"} if token else {}
        headers |= options.pop("headers", {})
        if body is not None:
            options["json"] = body
        async with self.http.request(method, self.sandbox.api_base + path, headers=headers, **options) as got:
            text = await got.text()
            if text:
                assert got.headers["Content-Type"] == "application/json"
            answer = Answer(got.status, json.loads(text) if text else None, got.headers)
        if self._check:
            discord_specs.check_rest(method, path.split("?", maxsplit=1)[0], answer.status, answer.body)
        return answer

    async def api(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """A call of the JSON API. Checks the answer against its own description."""
        params = {key: one if isinstance(one, str) else json.dumps(one) for key, one in query.items()}
        async with self.http.request(method, f"{self.sandbox.api}/{path}", json=body, params=params) as got:
            answer = Answer(got.status, await got.json(), got.headers)
        own_spec.check_api(method, f"/{path.partition('?')[0]}", answer.status, answer.body)
        return answer

    async def send(self, body: JSON, channel: str = "general") -> Answer:
        return await self.rest("POST", f"/channels/{self.sandbox.channel_id(channel)}/messages", body)

    async def grant(self, *names: str, role: str = "Robot") -> None:
        """Give a role permissions, by default the bot's own."""
        got = await self.api("PATCH", f"roles/{role}", {"permissions": dict.fromkeys(names, True)})
        assert got.status == 200, got.body

    async def begin(self, path: str = "commands", **body: Any) -> JSON:
        """Act as a person; returns the interaction's id, token and application."""
        got = await self.api("POST", path, body)
        assert got.status == 200, got.body
        made = self.sandbox.core.state.interactions[got.body["interaction"]]
        return {"id": made.id, "token": made.token, "application_id": made.application.id}

    async def callback(self, it: JSON, body: JSON, *, response: bool = False) -> Answer:
        path = f"/interactions/{it['id']}/{it['token']}/callback"
        return await self.rest("POST", path + ("?with_response=true" if response else ""), body, token="")

    def webhook(self, it: JSON, message: str | None = None) -> str:
        path = f"/webhooks/{it['application_id']}/{it['token']}"
        return path if message is None else f"{path}/messages/{message}"

    async def commands(self, *bodies: JSON) -> None:
        app = self.sandbox.application_id(self.application)
        got = await self.rest("PUT", f"/applications/{app}/commands", list(bodies))
        assert got.status == 200, got.body


PING: JSON = {"name": "ping", "description": "Answers"}


class Wire:
    """A gateway connection without a library, frame by frame."""

    def __init__(self, client: Client, *, compress: str = "", url: str | None = None) -> None:
        self._client = client
        self._url = url or client.sandbox.gateway_url
        self._compress = compress
        self._inflate = zlib.decompressobj()
        self.seq: int | None = None
        self.session_id = ""
        self.resume_url = ""

    async def __aenter__(self) -> Self:
        query = "?v=10&encoding=json" + (f"&compress={self._compress}" if self._compress else "")
        self.ws = await self._client.http.ws_connect(self._url + query)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ws.close()

    async def send(self, op: int, data: Any = None, *, binary: bool = False) -> None:
        text = json.dumps({"op": op, "d": data})
        await (self.ws.send_bytes(text.encode()) if binary else self.ws.send_str(text))

    async def receive(self) -> JSON:
        """The next payload. Raises ClosedError with the close code at the end of the connection."""
        async with asyncio.timeout(60):
            message = await self.ws.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            raw: Any = message.data
        elif message.type is aiohttp.WSMsgType.BINARY:
            raw = self._inflate.decompress(message.data) if self._compress == "zlib-stream" else message.data
        else:
            raise ClosedError(self.ws.close_code)
        payload: JSON = json.loads(raw)
        if payload.get("s") is not None:
            self.seq = payload["s"]
        return payload

    async def dispatch(self, event: str) -> Any:
        """The data of the next dispatch of that name, skipping others."""
        while True:
            payload = await self.receive()
            if payload["op"] == 0 and payload["t"] == event:
                return payload["d"]

    async def op(self, number: int) -> JSON:
        while True:
            payload = await self.receive()
            if payload["op"] == number:
                return payload

    async def close_code(self) -> int | None:
        """Read until the connection ends; returns its close code."""
        try:
            while True:
                await self.receive()
        except ClosedError as closed:
            return closed.code

    async def identify(self, intents: int = 513, **more: Any) -> JSON:
        token = self._client.sandbox.token(self._client.application)
        body = {"token": token, "intents": intents, "properties": {"os": "test"}} | more
        await self.send(2, body)
        ready: JSON = await self.dispatch("READY")
        self.session_id, self.resume_url = ready["session_id"], ready["resume_gateway_url"]
        return ready

    async def resume(self, session_id: str, seq: int) -> None:
        token = self._client.sandbox.token(self._client.application)
        await self.send(6, {"token": token, "session_id": session_id, "seq": seq})


class ClosedError(AssertionError):
    """The gateway connection ended, with that close code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code
