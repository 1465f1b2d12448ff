"""A Unix socket in front of a port, as containers of the demo reach the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.forwarding import Forwarding
from tests.support.waiting import PATIENCE_S


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that sends back what it gets, in capitals."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_what_is_said_arrives_and_is_answered_until_it_closes(port: int, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)  # longer than the path of a socket may be
    deep.mkdir()
    (tmp_path / "short").symlink_to(deep)
    forwarding = Forwarding(deep, "a.sock", port)
    await forwarding.open()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "short" / "a.sock")
    for word in (b"one", b"two"):
        writer.write(word)
        assert await asyncio.wait_for(reader.readexactly(3), PATIENCE_S) == word.upper()
    await forwarding.close()
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        await asyncio.open_unix_connection(tmp_path / "short" / "a.sock")


async def test_a_server_that_is_away_ends_the_connection(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, "a.sock", 1)
    await forwarding.open()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "a.sock")
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    await forwarding.close()
