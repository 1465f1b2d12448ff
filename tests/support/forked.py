"""The command line without its start: a process that has imported it forks for each command.

A command is still a process with its own environment, folder, output and exit code; only the second and more that a
program spends on its imports is spent once for each worker. Tests of the start itself start the program.

As a program, `python -m tests.support.forked SOCKET` serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.support.paths import ROOT

# What most commands import when they are called.
_USED = (
    "bot.composition.registry",
    "bot.adapters.postgres.store",
    "bot.cli.deploys.local",
    "bot.cli.deploys.lists",
    "bot.cli.deploys.requests",
    "bot.cli.appcommands.commands",
    "bot.cli.judging.judge",
)
_LONGEST = 1 << 20  # bytes of arguments and environment


class Said(NamedTuple):
    """What a command printed, and its exit code; negative: the signal that ended it."""

    code: int
    out: str
    err: str


async def command(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float = 150.0
) -> Said:
    """Run `slipway WORDS…` with exactly this environment. Raises `TimeoutError`; the command is ended then."""
    return await asyncio.to_thread(run, words, environment, folder, limit_s)


def run(words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float = 150.0) -> Said:
    """`command`, where no loop runs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _fork(words, environment, folder, (out, err), limit_s)
        return Said(code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _fork(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    files: tuple[IO[bytes], IO[bytes]],
    limit_s: float,
) -> int:
    asked = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(folder)})
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(limit_s)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        connection.connect(_server())
        socket.send_fds(connection, [asked.encode()], [file.fileno() for file in files])
        return int(connection.recv(64))


@cache
def _server() -> str:
    """The socket of this worker's server, which ends with the worker."""
    folder = tempfile.TemporaryDirectory(prefix="slipway-cli-")
    path = f"{folder.name}/socket"
    # Its standard input ends when the worker does, however that ends.
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forked", path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the server of commands did not start"

    def end() -> None:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return path


# ---- the server --------------------------------------------------------------------------------------------


def serve(path: str) -> None:
    """Fork for each connection until standard input ends."""
    for module in ("bot.__main__", *_USED):
        __import__(module)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for those who wait for commands
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in readable:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _wait(connection)
        connection.close()


def _wait(connection: socket.socket) -> None:
    """Run one command and send its exit code; end it when the one who asked for it has gone. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files, _, _ = socket.recv_fds(connection, _LONGEST, 2)
    child = os.fork()
    if child == 0:
        connection.close()
        _become(json.loads(asked), files)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(child)
    readable, _, _ = select.select([ended, connection.fileno()], [], [])
    if ended not in readable:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(asked: Any, files: Sequence[int]) -> None:
    """Be the command. Does not return."""
    null = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((null, *files)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    code = 1
    try:
        from bot.__main__ import main

        main(asked["words"])
    except SystemExit as exited:
        code = exited.code if isinstance(exited.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
