"""A Unix socket in a folder that containers see, in front of a port of this machine's loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK = 65_536


class Forwarding:
    """Connections to `name` in `folder` go to 127.0.0.1:`port`, from `open` to `close`."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self._folder, self._name, self._port = folder, name, port
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Every user may connect: a program in a container is another one."""
        opened = os.open(self._folder, os.O_RDONLY)
        try:  # the path of a socket has 107 bytes at most; this one is short wherever the folder is
            path = f"/proc/self/fd/{opened}/{self._name}"
            self._server = await asyncio.start_unix_server(self._accept, path)
            os.chmod(self._name, 0o666, dir_fd=opened)  # noqa: S103 - as the docstring says
        finally:
            os.close(opened)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self._port)
            with contextlib.closing(there[1]):
                await pass_on((reader, writer), there)


async def pass_on(here: Connection, there: Connection) -> None:
    """Pass on what each of two connections sends to the other, until either ends. Closes neither."""
    ways = [asyncio.create_task(_pass(here[0], there[1])), asyncio.create_task(_pass(there[0], here[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
