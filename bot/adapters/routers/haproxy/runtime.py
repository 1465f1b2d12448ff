"""Client of HAProxy's runtime API, a command line on a Unix socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from bot.ports.errors import Unreachable

_ANSWER_S = 5.0
_LONGEST_SOCKET_PATH = 100
_PROMPT = b"\n> "
# Longer than any answer: the ring has a megabyte, and a row of a table less than a kilobyte.
_LONGEST_ANSWER = 64 * 1024 * 1024


class RuntimeApi:
    """`socket`: path of HAProxy's stats socket, with level admin. Every call raises `Unreachable`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(self, *commands: str, within_s: float = _ANSWER_S) -> list[str]:
        """The answer to each of these commands, which are carried out in this order."""
        folder: int | None = None
        try:
            async with asyncio.timeout(within_s):
                path = str(self._socket)
                if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
                    # Addresses of sockets are limited to 108 bytes.
                    folder = os.open(self._socket.parent, os.O_RDONLY | os.O_DIRECTORY)
                    path = f"/proc/self/fd/{folder}/{self._socket.name}"
                reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_ANSWER)
                try:
                    writer.write(b"prompt\n")
                    await reader.readuntil(_PROMPT)
                    return [await _one(reader, writer, command) for command in commands]
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as problem:
            why = str(problem) or "no answer in time"
            raise Unreachable(f"HAProxy at {self._socket} does not answer: {why}") from None
        finally:
            if folder is not None:
                os.close(folder)

    async def replace_map(self, name: str, entries: Sequence[str]) -> str:
        """Replace all entries of a map at once. The answer is empty when it did."""
        (prepared,) = await self.ask(f"prepare map {name}")
        *_, version = prepared.split()
        if not version.isdecimal():
            return prepared
        said = await self.ask(
            f"add map @{version} {name} <<\n" + "".join(f"{entry}\n" for entry in entries),
            f"commit map @{version} {name}",
        )
        return " ".join(said).strip()


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> str:
    writer.write(command.encode() + b"\n")
    answer = (await reader.readuntil(_PROMPT)).removesuffix(_PROMPT).decode(errors="replace")
    # While it reads lines of a payload, its prompt is a plus.
    while answer.startswith("+ "):
        answer = answer[2:]
    return answer.strip("\n")


def entries(shown: str) -> list[str]:
    """Entries of a map from the answer to `show map`, without the addresses in memory before them."""
    return [line.partition(" ")[2] for line in shown.splitlines() if line.startswith("0x")]


def value(shown: str, name: str) -> str:
    """A variable from the answer to `show env`; empty when it is not set."""
    return shown.strip().partition(f"{name}=")[2]
