"""A TCP proxy on loopback that can cut connections, as a network would, and lead elsewhere, as a failover does."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.forwarding import pass_on


class TcpProxy:
    """`async with TcpProxy("127.0.0.1", port) as proxy:` listens on `proxy.port`; `cut` and `mend` it."""

    def __init__(self, host: str | Path, port: int = 0) -> None:
        """`host` is an address, or a Unix socket."""
        self._to = (host, port)
        self._open: set[asyncio.Task[None]] = set()
        self._refusing = False
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Resets every connection, and refuses new ones until `mend`."""
        self._refusing = True
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def mend(self) -> None:
        self._refusing = False

    def lead_to(self, host: str | Path, port: int = 0) -> None:
        """Where connections lead that are opened from now on. Those that are open stay as they are."""
        self._to = (host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if not self._refusing:
                await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._open.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to
        if isinstance(host, Path):
            back = await asyncio.open_unix_connection(host)
        else:
            back = await asyncio.open_connection(host, port)
        try:
            await pass_on((reader, writer), back)
        finally:
            back[1].transport.abort()
