"""The host as a program: log, signals, and its watchdog, which it replaces when that one dies."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.host.platform import MakePlatform
from bot.adapters.targets.hosted.host.sockets import Sockets
from bot.adapters.targets.hosted.host.watchdog import PROGRAM
from bot.ports.errors import Unreachable
from bot.redaction import Redactor

log = logging.getLogger(__name__)

_LOG_BYTES = 5 * 1024 * 1024


def serve(
    data_dir: Path, make_platform: MakePlatform, lock_fd: int, channel_fd: int, held: dict[str, int]
) -> int:
    """Run until told to stop. Exit code 1 when the state of this folder cannot be read."""
    _log_to(data_dir)
    # Descriptors between host and watchdog, which releases must not inherit.
    os.set_inheritable(lock_fd, False)
    channel = socket.socket(fileno=channel_fd)
    channel.set_inheritable(False)
    sockets = Sockets(held, channel.dup())
    try:
        asyncio.run(_serve(Host(data_dir, make_platform, sockets), sockets, channel, lock_fd))
    except (OSError, ValueError, Unreachable) as problem:
        log.critical("the host cannot run: %s", problem)
        print(f"slipway host: {problem}", file=sys.stderr)
        return 1
    return 0


def stop(data_dir: Path) -> int:
    """Stop the running host and all it runs; returns when they are gone."""
    from bot.adapters.targets.hosted.host.client import HostClient

    try:
        asyncio.run(HostClient(data_dir, start=False).stop())
    except Unreachable as problem:
        print(f"slipway host: {problem}", file=sys.stderr)
        return 1
    return 0


async def _serve(host: Host, sockets: Sockets, channel: socket.socket, lock_fd: int) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stopped.set)
    await host.start()
    # What is loaded now stays for good; collecting it would only interrupt requests.
    gc.freeze()
    guard = asyncio.create_task(_replace_watchdog(host.data_dir, sockets, channel, lock_fd))
    await host.stopped.wait()
    guard.cancel()
    await host.stop()


async def _replace_watchdog(data_dir: Path, sockets: Sockets, channel: socket.socket, lock_fd: int) -> None:
    """Start another watchdog whenever the present one is gone, and give it the listening sockets."""
    while True:
        while not _hung_up(channel):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        channel.close()
        log.warning("the watchdog is gone; starting another")
        channel, theirs = socket.socketpair()
        child = subprocess.Popen(  # noqa: S603, ASYNC220 - Slipway's own program; returns at once
            [
                *(sys.executable, "-m", PROGRAM, "--data-dir", str(data_dir)),
                *("--watch-pid", str(os.getpid())),
                *("--lock-fd", str(lock_fd), "--channel", str(theirs.fileno())),
            ],
            pass_fds=[lock_fd, theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        await asyncio.to_thread(sockets.connect, channel.dup())
        log.info("watchdog %d", child.pid)


def _hung_up(channel: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        try:
            return channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except ConnectionError:
            return True
    return False


class _Redacted(logging.Formatter):
    """Formatter that redacts what looks like a secret; output of releases is redacted before."""

    _redact = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def _log_to(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(data_dir / "host.log", maxBytes=_LOG_BYTES, backupCount=2)
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
