"""A release for tests of routers: a server on loopback that does what the request's path says.

| path | |
|---|---|
| `/` | 200, and its digest as the body |
| `/status/500` | that status |
| `/slow/0.2` | 200 after so many seconds |
| `/held` | 200 once `over` is set |
| `/echo` | the body that it got, with its `Content-Encoding` |
| `/head` | the head that it got, as the body |
| `/redirect` | 302 to `/elsewhere`, also for upgrades |
| `/early` | 200 before it reads the body |
| `/hang`, `/reset`, `/garbage` | no response, a connection that ends without one, one that is not HTTP |
| `/die`, `/cut` | half a response, then the connection ends, or is reset |
| `/large/1000000` | so many bytes |
| `/ws` | 101, then what it gets, back |
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bot.ports.data_plane.routers import Backend, Share
from tests.support.routers.client import reset

# By RFC 6455.
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class TestRelease:
    """`async with TestRelease("sha256:1") as release:`. `heads`: of the requests that it has seen, in order.

    connections: how many were opened to it so far.
    """

    __test__ = False

    digest: str
    heads: list[bytes] = field(default_factory=list, repr=False)
    _server: asyncio.Server | None = field(default=None, repr=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    port: int = 0
    connections: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def count_open(self) -> int:
        """Connections to it now."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse from now on, as a release that died; its connections are reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def backend(self) -> Backend:
        return Backend(self.digest, "127.0.0.1", self.port)

    def share(self, weight: int, *backends: Backend) -> Share:
        return Share(self.digest, self.digest.removeprefix("sha256:"), weight, backends or (self.backend,))

    def requests(self, path: str) -> list[bytes]:
        return [head for head in self.heads if head.split(b" ", 2)[1] == path.encode()]

    # ---- one connection -------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.heads.append(head)
                    if not await self._answer(head, reader, writer):
                        return
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be used again."""
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        what, _, more = path.removeprefix("/").partition("/")
        upgrade = b"upgrade: websocket" in head.lower()
        if what == "early":
            writer.write(_response(200, b"ok"))
            await _body(head, reader)
            return True
        if upgrade and what in ("ws", "redirect"):
            return await self._upgrade(what, head, reader, writer)
        body = await _body(head, reader)
        if what == "hang":
            await asyncio.sleep(3600)
        if what == "slow":
            await asyncio.sleep(float(more))
        if what == "held":
            await self.over.wait()
        if what == "reset":
            writer.transport.abort()
            return False
        if what == "garbage":
            writer.write(b"\0\1\2 is not HTTP\r\n\r\n")
            await writer.drain()
            return False
        if what in ("die", "cut"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            await writer.drain()
            await asyncio.sleep(0.05)
            reset(writer) if what == "cut" else writer.transport.abort()
            return False
        response = self._plain(what, more, head, body)
        writer.write(response if method != "HEAD" else response.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        await writer.drain()
        return True

    def _plain(self, what: str, more: str, head: bytes, body: bytes) -> bytes:
        if what == "status":
            return _response(int(more), b"as asked\n")
        if what == "echo":
            encoding = _value(head, b"content-encoding")
            extra = b"Content-Encoding: " + encoding + b"\r\n" if encoding else b""
            return _response(200, body, extra)
        if what == "head":
            return _response(200, head)
        if what == "redirect":
            return _response(302, b"", b"Location: /elsewhere\r\n")
        if what == "large" and more.isdecimal():
            return _response(200, b"x" * min(int(more), 10_000_000))
        return _response(200, self.digest.encode())

    async def _upgrade(
        self, what: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if what == "redirect":
            writer.write(_response(302, b"", b"Location: /elsewhere\r\n"))
            await writer.drain()
            return True
        key = _value(head, b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET, usedforsecurity=False).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while received := await reader.read(65536):
            writer.write(received)
            await writer.drain()
        return False


def _response(status: int, body: bytes, extra: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n".encode()
    return head + extra + b"\r\n" + body


def _value(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if _value(head, b"transfer-encoding").lower() == b"chunked":
        found = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            found += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return found
    return await reader.readexactly(int(_value(head, b"content-length") or 0))
