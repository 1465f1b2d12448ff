"""JSON-lines server on the host's Unix socket: one request per line, one answer per line."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.adapters.targets.hosted.wire import MAX_LINE
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable

log = logging.getLogger(__name__)

Json = dict[str, Any]
# pid, uid and gid of a peer.
_CREDENTIALS = struct.Struct("3i")
Operation = Callable[[Json], Awaitable[Json]]


class CommandServer:
    """Calls `operations[request["do"]](request)`; known errors are sent to the caller by kind."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def serve(self, listening: socket.socket) -> None:
        # A duplicate, because the server closes the socket.
        self._server = await asyncio.start_unix_server(self._talk, sock=listening.dup(), limit=MAX_LINE)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            if not _is_trusted(writer.get_extra_info("socket")):
                log.warning("a process of another user was turned away")
                return
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            # The client is gone, or its line was too long: there is no one to answer.
            log.debug("a client disconnected")
        except asyncio.CancelledError:
            log.debug("the host is stopping")
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> Json:
        try:
            request = json.loads(line)
            operation = self._operations[request["do"]]
        except (ValueError, KeyError, TypeError):
            return _error("refused", "The host does not know this command.")
        try:
            return {"ok": await operation(request)}
        except StaleGeneration as stale:
            return _error("stale", str(stale))
        except TargetRefused as refused:
            return _error("refused", str(refused))
        except Unreachable as problem:
            return _error("unreachable", str(problem))
        except Exception:
            log.exception("%s failed", request["do"])
            return _error("failed", f"The host failed at {request['do']}; see its log.")


def _is_trusted(connection: socket.socket) -> bool:
    """Whether the peer is this user or root, where the system can say so."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return uid in (0, os.getuid())


def _error(kind: str, sentence: str) -> Json:
    return {"error": {"kind": kind, "sentence": sentence}}
