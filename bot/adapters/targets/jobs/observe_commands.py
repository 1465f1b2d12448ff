"""Answers of observe commands: asked now and then in the background, so that a slow one delays no other lane."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

from bot.adapters.commands.brief import output_of
from bot.adapters.commands.jobs import TEMPORARY, Command
from bot.domain.rollout.model import Lane
from bot.ports.errors import Unreachable
from bot.redaction import Redactor

_SHOWN = 300
_LINE = re.compile(r"(\S+)(?:\s+(\d{1,3})%?)?")


@dataclass(frozen=True, slots=True)
class ObservedAnswer:
    """What an observe command said. asked_at: seconds since the epoch. shares: in per cent, by version."""

    asked_at: float
    shares: dict[str, int] = field(default_factory=dict)
    trouble: str = ""


class Observations:
    """The last answer for each lane; asks again after `every_s`, and at once after a command has ended."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._answers: dict[Lane, ObservedAnswer] = {}
        self._asking: dict[Lane, asyncio.Task[None]] = {}

    async def shares(self, lane: Lane, command: Command, *, since: float, redact: Redactor) -> dict[str, int]:
        """Shares by version, asked after `since` (seconds since the epoch). Raises `Unreachable`."""
        known = self._answers.get(lane)
        if known is None or known.asked_at <= since or time.time() - known.asked_at > self.every_s:
            task = self._asking.get(lane)
            if task is None or task.done():
                task = asyncio.create_task(self._ask(lane, command, redact), name=f"observe:{lane}")
                self._asking[lane] = task
            if known is None or known.asked_at <= since:
                await asyncio.shield(task)
                known = self._answers[lane]
                if known.asked_at <= since:
                    raise Unreachable("its observe command has not answered yet")
        if known.trouble:
            raise Unreachable(known.trouble)
        return known.shares

    def last(self, lane: Lane, since: float) -> dict[str, int] | None:
        """The last shares by version, if they were asked for after `since`; nothing is asked now."""
        known = self._answers.get(lane)
        return known.shares if known and known.asked_at > since and not known.trouble else None

    async def close(self) -> None:
        """Stop asking."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _ask(self, lane: Lane, command: Command, redact: Redactor) -> None:
        began = time.time()
        self._answers[lane] = await _answer(command, began, redact)


async def _answer(command: Command, began: float, redact: Redactor) -> ObservedAnswer:
    name = command.argv[0]
    try:
        code, output = await output_of(command)
    except TimeoutError:
        return ObservedAnswer(began, trouble=f"{name} did not finish within {command.timeout_s:g} s")
    except OSError as problem:
        return ObservedAnswer(began, trouble=f"{name} cannot be started: {problem.strerror}")
    said = redact(output.decode("utf-8", "replace"))
    if code != 0:
        what = "is not available now (exit code 75)" if code == TEMPORARY else f"exited with code {code}"
        return ObservedAnswer(
            began, trouble=f"{name} {what}: {' '.join(said.split())[-_SHOWN:] or 'no output'}"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = [_LINE.fullmatch(line) for line in lines]
    if any(match is None or int(match[2] or 100) > 100 for match in found):
        shown = " ".join(said.split())[:_SHOWN]
        return ObservedAnswer(began, trouble=f"{name} should print a version a line, but printed: {shown}")
    return ObservedAnswer(began, {match[1]: int(match[2] or 100) for match in found if match})
