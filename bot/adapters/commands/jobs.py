"""Jobs: commands under supervisors, started once, found again after a restart of Slipway, ended when superseded."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bot.adapters.commands import supervisor
from bot.ports.errors import Unreachable
from bot.redaction import Redactor

# Exit codes that mean something; all others are failures. From sysexits.h: EX_TEMPFAIL and EX_CONFIG.
TEMPORARY, REFUSED = 75, 78
# The OpenSSH client's own: it could not connect, or lost the connection.
SSH_FAILED = 255

_START_S = 10.0
_KEPT = 10
_LAST_WORDS = 600
_TAIL_BYTES = 16 * 1024
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. Arguments, environment and input are handed to the supervisor, and never on disk.

    timeout_s: for all attempts together. grace_s: between SIGTERM and SIGKILL. input: text for its standard input,
    which stays open until the command is to end; None: none. temporary: exit codes after which it is tried again.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None = None
    timeout_s: float = 600.0
    grace_s: float = 10.0
    input: str | None = None
    temporary: tuple[int, ...] = (TEMPORARY,)


class JobState(Enum):
    ABSENT = "absent"  # not started
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"  # its supervisor was killed, with the machine for example: how it ended is not known


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended. `code`: of the last attempt; negative for a signal."""

    ended: str
    code: int | None
    attempts: int = 1
    why: str = ""

    @property
    def passed(self) -> bool:
        return self.ended == "exited" and self.code == 0

    def phrase(self, timeout_s: float) -> str:
        """How it ended, to follow the command's name."""
        if self.ended == "not_started":
            return f"cannot be started: {self.why}"
        if self.ended == "timeout":
            return f"did not finish within {timeout_s:g} s"
        if self.ended == "stopped":
            return "was stopped"
        if self.code is not None and self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        meant = {REFUSED: "refused (exit code 78)", TEMPORARY: "failed for the time being (exit code 75)"}
        return meant.get(self.code or 0, f"exited with code {self.code}")


@dataclass(frozen=True, slots=True)
class Job:
    """One command in its folder. Every process of Slipway that has the data folder sees the same."""

    folder: Path

    async def start(self, command: Command, *, after: Job | None = None, newest: Path | None = None) -> None:
        """Start the command unless that was done before; returns once its supervisor runs. Raises `Unreachable`.

        after: a job that is ended first. newest: a file with the name of the folder that may run.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = secrets.token_hex(12)
        described = {
            **asdict(command),
            "env": {**command.env, supervisor.TOKEN: token},
            "token": token,
            "after": str(after.folder) if after else None,
            "newest": str(newest) if newest else None,
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", supervisor.__file__, str(self.folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            async with asyncio.timeout(_START_S):
                await process.communicate(json.dumps(described).encode())
        except (OSError, TimeoutError) as problem:
            raise Unreachable(f"a command cannot be started: {problem or 'no answer in time'}") from None
        if process.returncode:
            raise Unreachable("the supervisor of a command could not be started")

    @property
    def state(self) -> JobState:
        if self.end is not None:
            return JobState.ENDED
        if not (self.folder / "begun").exists():
            return JobState.ABSENT
        if (fd := supervisor.lock(self.folder, 0.0)) is None:
            return JobState.RUNNING
        os.close(fd)
        return JobState.ENDED if self.end is not None else JobState.LOST

    @property
    def end(self) -> JobEnd | None:
        found = self.read("result")
        if found is None:
            return None
        return JobEnd(found["ended"], found["code"], found["attempts"], found.get("why", ""))

    @property
    def ended_at(self) -> float:
        """Time (seconds since the epoch) at which it ended, 0 while it did not."""
        found = self.read("result")
        return float(found["at"]) if found else 0.0

    def stop(self) -> None:
        """Ask it to end: SIGTERM, and SIGKILL after its grace time. Returns at once."""
        begun = self.read("begun")
        if begun is not None and self.state is JobState.RUNNING:
            try:
                os.kill(begun["pid"], signal.SIGTERM)
            except ProcessLookupError:
                return

    def sweep(self) -> None:
        """Kill what a lost job has left running."""
        begun = self.read("begun")
        if begun is not None:
            supervisor.sweep(begun["token"])

    def printed(self, offset: int, most: int) -> bytes:
        """At most `most` bytes of its output from `offset` on."""
        try:
            with (self.folder / "output").open("rb") as file:
                file.seek(offset)
                return file.read(most)
        except FileNotFoundError:
            return b""

    def size(self) -> int:
        """Bytes of output that were kept."""
        try:
            return (self.folder / "output").stat().st_size
        except FileNotFoundError:
            return 0

    def last_words(self, redact: Redactor) -> str:
        """The end of the output on one line, redacted."""
        said = " ".join(self.tail(redact).split())
        return said if len(said) <= _LAST_WORDS else f"…{said[-_LAST_WORDS:]}"

    def tail(self, redact: Redactor) -> str:
        """The end of the output, redacted: whole lines of the last `_TAIL_BYTES`."""
        offset = max(self.size() - _TAIL_BYTES, 0)
        found = self.printed(offset, _TAIL_BYTES)
        if offset:  # only the end of its first line, in which a secret would not be recognized
            found = found.partition(b"\n")[2]
        return readable(found, redact)

    def read(self, name: str) -> dict[str, Any] | None:
        """One of its JSON files; None when there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            return None
        return found


def readable(output: bytes, redact: Redactor) -> str:
    """Output as text without secrets, colours and overwritten lines."""
    text = _COLOURS.sub("", redact(output.decode("utf-8", "replace")))
    return "\n".join(line.rstrip().rpartition("\r")[2] for line in text.split("\n"))


def tidy(folder: Path, keep: str, *, kept: int = _KEPT) -> None:
    """Delete all but the newest folders, `keep`, and those of jobs that run: a job each, or jobs of one rollout."""
    found = sorted(
        (path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for old in found[:-kept]:
        jobs = [Job(old), *(Job(path) for path in old.iterdir() if path.is_dir())]
        if old.name != keep and all(job.state is not JobState.RUNNING for job in jobs):
            shutil.rmtree(old, ignore_errors=True)
