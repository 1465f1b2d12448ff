"""The client libraries of the matrix, and what each of them cannot do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.paths import TESTS

FOLDER = TESTS / "clients"
_REGION = re.compile(r"^[^\n]*\[sandbox\][^\n]*\n(.*?)^[^\n]*\[/sandbox\]", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Library:
    """`name` as people write it. By ability: `lacks`, what it does not have; `peculiar`, how it differs."""

    name: str
    folder: str
    distribution: str
    lacks: Mapping[str, str] = field(default_factory=dict)
    peculiar: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return FOLDER / self.folder

    @property
    def is_python(self) -> bool:
        return self.bot.suffix == ".py"

    @property
    def bot(self) -> Path:
        return next(path for path in sorted(self.path.iterdir()) if path.stem == "bot")

    @property
    def lock(self) -> Path:
        return self.path / ("requirements.txt" if self.is_python else "package-lock.json")

    @property
    def version(self) -> str:
        """The version that the lock pins."""
        name = re.escape(self.distribution)
        pattern = (
            rf"^{name}==(\S+)" if self.is_python else rf'"node_modules/{name}": {{\s*"version": "([^"]+)"'
        )
        found = re.search(pattern, self.lock.read_text(), re.M)
        assert found is not None, f"{self.lock} does not pin {self.distribution}"
        return found[1]

    def connecting(self) -> str:
        """The lines of the bot that point the library to the sandbox: between `[sandbox]` and `[/sandbox]`."""
        found = _REGION.search(self.bot.read_text())
        assert found is not None, f"{self.bot} does not mark the lines that point it to the sandbox"
        return found[1]


_FORGETS = "a connection that fails makes it begin a new session, and what it missed is lost"
_EARLY = "it counts calls itself, and repeats a refused one at once while its count has some left"
_ENDS = "a connection that fails ends it, so something has to start it again"
LIBRARIES = (
    Library("discord.js", "discord_js", "discord.js", peculiar={"Resume after an outage": _FORGETS}),
    Library("discord.py", "discord_py", "discord-py"),
    Library("disnake", "disnake", "disnake", peculiar={"Resume after an outage": _FORGETS}),
    Library("py-cord", "py_cord", "py-cord"),
    Library(
        "interactions.py",
        "interactions_py",
        "discord-py-interactions",
        peculiar={"Resume after an outage": _ENDS},
    ),
    Library("nextcord", "nextcord", "nextcord", lacks={"Components V2": "it has no classes for them"}),
    Library("hikari", "hikari", "hikari", peculiar={"429, scope user": _EARLY}),
)
