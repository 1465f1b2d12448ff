"""Brief commands, such as questions: run by this process, for a bounded time, and never found again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from bot.adapters.commands.jobs import Command

_LARGEST = 64 * 1024


async def output_of(command: Command) -> tuple[int, bytes]:
    """Exit code and output of a command; it leaves no process behind. Raises OSError, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        env=dict(command.env),
        cwd=command.cwd,
        stdin=asyncio.subprocess.PIPE if command.input is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(command.timeout_s):
            if process.stdin is not None:
                assert command.input is not None
                process.stdin.write(
                    command.input.encode()
                )  # open until the end: see `bot.adapters.commands.ssh`
            assert process.stdout is not None
            found = bytearray()
            while part := await process.stdout.read(1 << 16):
                found += part[: _LARGEST - len(found)]
            return await process.wait(), bytes(found)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await process.wait()
        if process.stdin is not None:
            process.stdin.close()
