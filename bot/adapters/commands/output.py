"""What a job prints, in slices for a rollout's thread: redacted and bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.adapters.commands import supervisor
from bot.adapters.commands.jobs import Job, JobState, readable
from bot.redaction import Redactor

# A message in Discord has 2,000 characters; some go to its frame and to escapes.
_SLICE = 1500
# A command that prints more gets one more slice, the end of its output.
_SLICES = 10
_READ = supervisor.TAIL_BYTES


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a job's output. `number`: the same for the same part, also in another process."""

    number: int
    text: str


class Output:
    """Output of one job. How much of it was passed on is kept in the job's folder."""

    def __init__(self, job: Job, redact: Redactor) -> None:
        self._job = job
        self._redact = redact

    def next(self) -> Slice | None:
        """The next slice, the same one until `passed_on`; None when there is nothing new, or enough was said."""
        told = self._told()
        if told["last"]:
            return None
        over = self._job.state in (JobState.ENDED, JobState.LOST)
        if told["number"] >= _SLICES:
            if not over or told["offset"] >= self._job.size():
                return None
            return self._end(told)
        length = told["length"] or self._whole_lines(told["offset"], over)
        if not length:
            return None
        if not told["length"]:
            self._tell({**told, "length": length})
        text = readable(self._job.printed(told["offset"], length), self._redact)
        return Slice(told["number"], _cut(text))

    def passed_on(self) -> None:
        """The slice that `next` gave is recorded elsewhere."""
        told = self._told()
        offset = told["offset"] + told["length"]
        self._tell({**told, "number": told["number"] + 1, "offset": offset, "length": 0, "last": told["end"]})

    def _whole_lines(self, offset: int, over: bool) -> int:
        """Length of the next slice: as many whole lines as fit, or one that does not."""
        found = self._job.printed(offset, _READ)
        if len(found) <= _SLICE and over:
            return len(found)
        fits = found.rfind(b"\n", 0, _SLICE) + 1
        return fits or found.find(b"\n") + 1 or (len(found) if over or len(found) == _READ else 0)

    def _end(self, told: dict[str, Any]) -> Slice:
        if not told["end"]:
            self._tell({**told, "end": True})
        tail = self._job.tail(self._redact).rstrip()
        return Slice(told["number"], f"[…]\n{tail[-(_SLICE - 5) :]}")

    def _told(self) -> dict[str, Any]:
        nothing = {"number": 0, "offset": 0, "length": 0, "end": False, "last": False}
        return {**nothing, **(self._job.read("told") or {})}

    def _tell(self, told: dict[str, Any]) -> None:
        supervisor.write(self._job.folder / "told", told)


def _cut(text: str) -> str:
    text = text.strip("\n")
    return text if len(text) <= _SLICE else f"{text[: _SLICE - 1]}…"


def framed(name: str, text: str) -> str:
    """A slice as a message: the command's name, and what it prints as a block of code."""
    block = text.replace("`", "'")
    return f"{name}:\n```\n{block}\n```"
