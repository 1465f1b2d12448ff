"""What happens in a scenario, by the line of the script after which it is written down."""

from __future__ import annotations

from typing import NamedTuple

from demo.stories.language import GIVEN, Line
from demo.stories.transcript import Transcript
from tests.support.virtual_time import virtual_loop


class _Entry(NamedTuple):
    at: float
    rank: int  # of two at the same time, what was recorded comes before what it led to
    number: int
    who: str
    what: str


class Record(Transcript):
    """Keeps everything until its line is over, then sorts it by time."""

    def __init__(self) -> None:
        super().__init__(tell=lambda line: None)
        self.happened: dict[int, list[str]] = {}
        self._entries: list[_Entry] = []

    def starts(self) -> None:
        """The story begins now; what was before is left out."""
        self.started, self._entries = virtual_loop().time(), []

    def chapter(self, title: str) -> None:
        """Chapters are in the script."""

    def say(self, who: str, what: str) -> None:
        self._add(virtual_loop().time() - self.started, 1, who, what)

    def recorded(self, at: float, who: str, what: str) -> None:
        """Something that is in the database."""
        self._add(at - self.started, 0, who, what)

    def begin(self, line: Line) -> None:
        """What happened since the line before belongs to that one."""

    def end(self, line: Line) -> None:
        found, self._entries = sorted(self._entries), []
        if line.verb is not None and line.verb.group == GIVEN:
            self.starts()
        else:
            self.happened[line.number] = [_shown(entry) for entry in found]

    def _add(self, at: float, rank: int, who: str, what: str) -> None:
        self._entries.append(_Entry(round(at, 3), rank, len(self._entries), who, what))


def _shown(entry: _Entry) -> str:
    if entry.who == "|":
        return f"| {entry.what}".rstrip()
    minutes, seconds = divmod(int(entry.at), 60)
    return f"{minutes:02}:{seconds:02}  {entry.who:<9} {entry.what}"
