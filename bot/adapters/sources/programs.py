"""Output of a program that a source asks: without a terminal, for a bounded time, leaving no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

_SHOWN = 300


class ProgramError(Exception):
    """The program did not print what was asked; the sentence says why."""


async def output_of(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout_s: float,
    largest: int,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Standard output of `argv`; one byte more than `largest` where there was more. env: Slipway's own by default.

    Raises `ProgramError`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramError(f"{argv[0]} cannot be started: {error.strerror}.") from None
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stdout is not None and process.stderr is not None
            output, said = await asyncio.gather(
                _upto(process.stdout, largest), _upto(process.stderr, largest)
            )
            status = await process.wait()
    except TimeoutError:
        raise ProgramError(f"{argv[0]} did not finish within {timeout_s:g} s.") from None
    finally:
        await _end(process)
    if status != 0:
        why = said.decode("utf-8", "replace").strip()[-_SHOWN:]
        raise ProgramError(f"{argv[0]} exited with code {status}: {why or 'no error output'}")
    return output


async def _upto(stream: asyncio.StreamReader, largest: int) -> bytes:
    """Read everything, so that the program can end; beyond the limit one byte is kept as a mark."""
    found = bytearray()
    while part := await stream.read(65536):
        found += part[: largest + 1 - len(found)]
    return bytes(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the program and what it started, and discard their last output."""
    if process.returncode is None:
        _kill(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await process.communicate()


def _kill(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
