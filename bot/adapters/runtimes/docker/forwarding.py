"""Forwarding of a remote engine's socket by the system's ssh."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from urllib.parse import urlsplit

_REMOTE_SOCKET = "/var/run/docker.sock"
_OPEN_S = 15.0
_OPTIONS = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=5", "ServerAliveCountMax=3")


class ForwardedSocket:
    """Socket at `path` that leads to the engine of `ssh://[USER@]HOST[:PORT][/SOCKET]`.

    ssh takes keys, jump hosts and known hosts from its own settings; it must not ask for a password.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self.path = folder / "engine.sock"
        self._address = address
        self._process: asyncio.subprocess.Process | None = None
        self._opening = asyncio.Lock()

    def command(self) -> list[str]:
        parts = urlsplit(self._address)
        options = [word for option in _OPTIONS for word in ("-o", option)]
        port = ["-p", str(parts.port)] if parts.port else []
        destination = f"{parts.username}@{parts.hostname}" if parts.username else str(parts.hostname)
        remote = parts.path if len(parts.path) > 1 else _REMOTE_SOCKET
        return ["ssh", "-N", "-T", *options, *port, "-L", f"{self.path}:{remote}", "--", destination]

    async def open(self) -> None:
        """Return once the socket is there. Raises OSError with ssh's own words."""
        async with self._opening:
            if self._process is not None and self._process.returncode is None and self.path.exists():
                return
            await self._stop()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
            self._process = await asyncio.create_subprocess_exec(
                *self.command(), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
            try:
                async with asyncio.timeout(_OPEN_S):
                    await self._until_there(self._process)
            except TimeoutError:
                await self._stop()
                raise OSError(f"ssh did not connect within {_OPEN_S:g} s") from None

    async def close(self) -> None:
        await self._stop()
        self.path.unlink(missing_ok=True)

    async def _until_there(self, process: asyncio.subprocess.Process) -> None:
        while not self.path.exists():
            if process.returncode is not None:
                assert process.stderr is not None
                said = (await process.stderr.read()).decode(errors="replace").strip()
                raise OSError(f"ssh: {said.splitlines()[-1] if said else f'exit code {process.returncode}'}")
            await asyncio.sleep(0.02)

    async def _stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
        self._process = None
