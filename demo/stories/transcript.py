"""What was said and seen, with the seconds since the story began."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.stories.language import FAULTS, GIVEN, Line


@dataclass
class Transcript:
    """Tells each line as it comes. `tell` is where they go, `print` for people."""

    tell: Callable[[str], None] = print
    started: float = field(default_factory=time.monotonic)
    muted: bool = False

    def chapter(self, title: str) -> None:
        self.tell(f"\n── {title} " + "─" * max(3, 74 - len(title)))

    def say(self, who: str, what: str) -> None:
        if self.muted:
            return
        self.tell(f"{time.monotonic() - self.started:6.1f} s  {who:>8}  {what}")

    def begin(self, line: Line) -> None:
        """What people do is told by the world that they do it in, what is seen when it is seen."""
        group = line.verb.group if line.verb is not None else ""
        if group in (GIVEN, FAULTS):
            self.say("given" if group == GIVEN else "fault", line.text.removeprefix("given "))
        self.muted = group == GIVEN

    def end(self, line: Line) -> None:
        """The next line is told again."""
        self.muted = False


def short(text: str, most: int = 150) -> str:
    """On one line, cut."""
    line = " · ".join(part.strip() for part in text.splitlines() if part.strip())
    return line if len(line) <= most else line[: most - 1] + "…"


def plain(text: str) -> str:
    """Without Discord's marks for emphasis, code and headings, on one line."""
    for mark in ("\\", "**", "`", "\u200b"):
        text = text.replace(mark, "")
    lines = (line.removeprefix("-# ").lstrip("#> ").strip() for line in text.splitlines())
    return " · ".join(line for line in lines if line)
