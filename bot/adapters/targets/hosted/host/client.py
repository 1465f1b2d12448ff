"""Client of the host's socket, which starts a host where none answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bot
from bot.adapters.base_environment import base_environment
from bot.adapters.targets.hosted.host.sockets import short_path
from bot.adapters.targets.hosted.host.watchdog import PROGRAM, is_locked
from bot.adapters.targets.hosted.wire import MAX_LINE
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable

Json = dict[str, Any]

_ROOT = str(Path(bot.__file__).resolve().parent.parent)
_ANSWER_S = 10.0
_START_S = 15.0
_LOOK_S = 0.05


class _NoListener(Exception):
    """No host listens on the socket: nothing was sent."""


class HostClient:
    """Client with one connection for each call, so that a restart of either side breaks nothing.

    start: whether to start a host, detached from this program, when none answers.
    """

    def __init__(self, data_dir: Path, *, start: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self._socket = self.data_dir / "host.sock"
        self._start = start
        self._starting = asyncio.Lock()

    @property
    def path(self) -> Path:
        return short_path(self._socket)

    async def call(self, request: Json, timeout_s: float = _ANSWER_S) -> Json:
        """The host's answer. Raises `StaleGeneration`, `TargetRefused`, `Unreachable` (perhaps applied)."""
        try:
            return await self._ask(request, timeout_s)
        except _NoListener:
            if not self._start:
                raise Unreachable(f"No host answers at {self.data_dir}.") from None
        await self.ensure()
        try:
            return await self._ask(request, timeout_s)
        except _NoListener:
            raise Unreachable(f"The host at {self.data_dir} went away.") from None

    async def ensure(self) -> bool:
        """Start a host if none answers; True if one was started. Raises `Unreachable`."""
        async with self._starting:
            if await self._answers():
                return False
            deadline = time.monotonic() + _START_S
            while time.monotonic() < deadline:
                # A host that stops removes its socket first and keeps the folder a little longer.
                if not is_locked(self.data_dir):
                    await self._launch()
                if await self._answers():
                    return True
                await asyncio.sleep(_LOOK_S)
        raise Unreachable(f"The host did not start; see {self.data_dir / 'host.log'}.")

    async def stop(self, within_s: float = 60.0) -> None:
        """Stop the host and all it runs; returns when they are gone. Raises `Unreachable`."""
        try:
            await self._ask({"do": "stop"}, _ANSWER_S)
        except _NoListener:
            raise Unreachable(f"No host answers at {self.data_dir}.") from None
        deadline = time.monotonic() + within_s
        while self.path.exists() or is_locked(self.data_dir):
            if time.monotonic() > deadline:
                raise Unreachable(f"The host is still stopping after {within_s:g} s.")
            await asyncio.sleep(_LOOK_S)

    async def _answers(self) -> bool:
        try:
            await self._ask({"do": "ping"}, 2.0)
        except (_NoListener, Unreachable):
            return False
        return True

    async def _launch(self) -> None:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = os.open(self.data_dir / "host.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            started = await asyncio.create_subprocess_exec(
                *(*host_command(self.data_dir), "--detach"),
                env=host_environment(),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            await started.wait()
        finally:
            os.close(output)

    async def _ask(self, request: Json, timeout_s: float) -> Json:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path), limit=MAX_LINE * 4)
        except OSError:
            raise _NoListener from None
        try:
            async with asyncio.timeout(timeout_s):
                writer.write(json.dumps(request).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
        except TimeoutError:
            raise Unreachable(f"The host did not answer within {timeout_s:g} s.") from None
        except (OSError, ValueError) as problem:
            raise Unreachable(f"The connection to the host broke: {problem}") from None
        finally:
            writer.close()
        if not line.endswith(b"\n"):
            raise Unreachable("The host died before it answered.")
        return _unwrap(json.loads(line))


def host_command(data_dir: Path) -> list[str]:
    return [sys.executable, "-m", PROGRAM, "--data-dir", str(data_dir)]


def host_environment() -> dict[str, str]:
    """Variables of the host, which runs releases and must not have the bot's secrets."""
    return {**base_environment(), "PYTHONPATH": _ROOT, **_coverage()}


def _unwrap(answer: Json) -> Json:
    if "ok" in answer:
        found: Json = answer["ok"]
        return found
    sentence = answer["error"]["sentence"]
    kinds = {"stale": StaleGeneration, "refused": TargetRefused}
    raise kinds.get(answer["error"]["kind"], Unreachable)(sentence)


def _coverage() -> dict[str, str]:
    """Variables for test coverage of started programs; empty outside tests."""
    return {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
