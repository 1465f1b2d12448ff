"""A client of routers that sends exactly the bytes that it is told, and reads whole responses."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

Address = tuple[str, int]
# A router that says nothing for so long has failed the test.
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Response:
    status: int
    head: bytes
    body: bytes

    def values(self, name: str) -> list[str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


class Connection:
    """One connection: `send` bytes, `receive` a response."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: Address) -> Connection:
        return cls(*await asyncio.open_connection(*address, limit=1 << 20))

    async def send(self, request: bytes) -> None:
        self.writer.write(request)
        await self.writer.drain()

    async def receive(self) -> Response:
        """Raises `asyncio.IncompleteReadError` when the connection ends before the response does."""
        async with asyncio.timeout(_PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            response = Response(status, head, b"")
            if status < 200:
                return response
            if "chunked" in response.values("transfer-encoding"):
                return Response(status, head, await self._chunked())
            if lengths := response.values("content-length"):
                return Response(status, head, await self.reader.readexactly(int(lengths[0])))
            return Response(status, head, await self.reader.read())

    async def _chunked(self) -> bytes:
        found = b""
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            found += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return found

    async def ended(self) -> bytes:
        """What is left until the other side closes."""
        async with asyncio.timeout(_PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """What the other side has sent is lost, and it learns so at once."""
        reset(self.writer)

    def abort(self) -> None:
        self.writer.transport.abort()


def reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def request(path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """A request with a `Content-Length` where it has a body; underscores in names of headers are hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.example"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


WEBSOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Version": "13",
}


async def ask(
    address: Address, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> Response:
    """The response to one request, on a connection of its own."""
    connection = await Connection.open(address)
    try:
        await connection.send(request(path, method, body, **headers))
        return await connection.receive()
    finally:
        connection.close()


async def ask_many(address: Address, number: int, path: str = "/", **headers: str) -> list[Response]:
    """Responses to the same request so many times, over eight connections."""

    async def some(count: int) -> list[Response]:
        connection = await Connection.open(address)
        try:
            found = []
            for _ in range(count):
                await connection.send(request(path, **headers))
                found.append(await connection.receive())
            return found
        finally:
            connection.close()

    parts = [number // 8 + (place < number % 8) for place in range(8)]
    return [response for part in await asyncio.gather(*map(some, parts)) for response in part]
