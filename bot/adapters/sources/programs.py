"""Programs that sources ask: without Slipway's secrets or a terminal, for a bounded time, leaving no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bot.adapters.base_environment import base_environment
from bot.redaction import Redactor
from bot.values import Duration, Part, RelativePath, SecretText, Text

_SHOWN = 300
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class ProgramError(Exception):
    """The program did not print what was asked; the sentence says why."""


class ProgramSettings(Part):
    """A program, as a source's settings name it."""

    command: tuple[Text, ...] = Field(min_length=1, description="The program and its arguments; no shell.")
    cwd: RelativePath = Field(
        default=Path(), validate_default=True, description="Working directory, relative to this file."
    )
    env: dict[Annotated[str, Field(pattern=_NAME)], SecretText] = Field(
        default={},
        description="Variables that the program gets beside PATH, HOME and the like, each from ${NAME}.",
    )
    timeout: Duration = Field(default=30.0, description="How long the program may run.")

    def redacted(self, text: str) -> str:
        """`text` without what the program was given in `env`."""
        return Redactor(self._given().values())(text)

    def environment(self) -> dict[str, str]:
        """Everything that the program gets: nothing of Slipway's own that can have a secret."""
        return base_environment() | self._given()

    def _given(self) -> dict[str, str]:
        return {name: value.reveal() for name, value in self.env.items()}


async def output_of(program: ProgramSettings, largest: int) -> bytes:
    """What the program prints; one byte more than `largest` where there was more. Raises `ProgramError`."""
    argv, timeout_s = program.command, program.timeout
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=program.cwd,
            env=program.environment(),
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
