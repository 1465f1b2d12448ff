"""Plays scenarios in the fast world, and compares what happened with what their files expect."""

from __future__ import annotations

import asyncio
import difflib
import tempfile
from pathlib import Path
from typing import NamedTuple

from demo.stories.language import Script, StoryError
from demo.stories.runner import help_text, play
from tests.scenarios.record import Record
from tests.scenarios.virtual_time import fresh
from tests.scenarios.world import VirtualWorld
from tests.support.postgres import PostgresServer
from tests.support.virtual_time import VirtualLoop

HERE = Path(__file__).parent
TESTDATA = HERE / "testdata"
README = HERE / "README.md"
_BEGIN, _END = "<!-- verbs: begin -->\n", "<!-- verbs: end -->\n"


class PlayedScript(NamedTuple):
    """The script's text with what happened, and the sentence of the line at which it ended too early, if it did."""

    text: str
    mistake: str = ""


def scenarios() -> list[Path]:
    """The files, in the order of their names."""
    return sorted(TESTDATA.glob("*.txt"))


def played(script: Script, postgres: PostgresServer) -> PlayedScript:
    """Play it in a world of its own."""
    dsn = asyncio.run(fresh(postgres))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_played(script, dsn, Path(folder)))


async def _played(script: Script, dsn: str, folder: Path) -> PlayedScript:
    record, mistake = Record(), ""
    async with VirtualWorld(dsn, folder, record) as world:
        try:
            await play(script, world, record)
        except StoryError as error:
            mistake = str(error)
    return PlayedScript(script.rewritten(record.happened), mistake)


def difference(expected: str, happened: str, path: Path) -> str:
    """What differs, line by line; empty when nothing does."""
    lines = (text.splitlines(keepends=True) for text in (expected, happened))
    return "".join(difflib.unified_diff(*lines, fromfile=f"{path} as written", tofile="as played"))


def readme() -> str:
    """README.md with the verbs as they are registered."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}\n{help_text()}\n{_END}{after}"
