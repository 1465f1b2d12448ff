"""Manifests printed by a program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, decoded, parsed
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable
from bot.values import Duration, RelativePath, Text

_SHOWN = 300


class CommandSettings(ManifestSettings):
    kind: Literal["command"]
    command: tuple[Text, ...] = Field(min_length=1, description="A program that prints the JSON.")
    cwd: RelativePath = Field(
        default=Path(), validate_default=True, description="Working directory, relative to this file."
    )
    timeout: Duration = Field(default=30.0, description="How long the program may run.")

    @property
    def where(self) -> str:
        return f"output of {' '.join(self.command)}"


class CommandManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: CommandSettings, context: ManifestContext) -> None:
        self._settings = settings

    async def read(self, release: Release | None) -> SourcedManifest:
        program, where = self._settings, f"output of {self._settings.command[0]}"
        output = await _output(program.command, program.cwd, program.timeout)
        return SourcedManifest(parsed(output, where), where)


async def _output(argv: Sequence[str], cwd: Path, timeout_s: float) -> str:
    """Output of a program that runs without a terminal, for a bounded time, and leaves no process behind."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ManifestUnavailable(f"{argv[0]} cannot be started: {error.strerror}.") from None
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stdout is not None and process.stderr is not None
            output, said = await asyncio.gather(_upto(process.stdout), _upto(process.stderr))
            status = await process.wait()
    except TimeoutError:
        raise ManifestUnavailable(f"{argv[0]} did not finish within {timeout_s:g} s.") from None
    finally:
        await _end(process)
    if status != 0:
        why = said.decode("utf-8", "replace").strip()[-_SHOWN:]
        raise ManifestUnavailable(f"{argv[0]} exited with code {status}: {why or 'no error output'}")
    return decoded(output, f"output of {argv[0]}")


async def _upto(stream: asyncio.StreamReader) -> bytes:
    """Read everything, so that the program can end; beyond the limit one byte is kept as a mark."""
    found = bytearray()
    while part := await stream.read(65536):
        found += part[: LARGEST + 1 - len(found)]
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
