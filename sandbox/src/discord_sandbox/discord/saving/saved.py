"""A saved world: a JSON document with a version, in a file or in memory."""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from discord_sandbox.discord.saving.contents import LEFT_OUT, ROOTS, kinds
from discord_sandbox.discord.saving.graph import Reading, Writing
from discord_sandbox.discord.saving.shapes import shape, shown
from discord_sandbox.discord.state.ids import EPOCH_MS
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.state.store import State
from discord_sandbox.world import World, read_world

KIND, VERSION = "discord-sandbox world", 1
FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "version": int,
    "now": (int, float),
    "last_id": str,
    "cdn": str,
    "world": dict,
    "roots": dict,
    "objects": dict,
}
SHOWN_PROBLEMS = 10
_CDN = re.compile(r"(https?://[^/\s]+/cdn)?")
FIRST_DAY, LAST_DAY = EPOCH_MS / 1000, 4_102_444_800.0  # Discord's first, and the year 2100


class NotASavedWorldError(ValueError):
    """What is wrong with a document, as sentences in `problems`: all of it at once."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        more = len(problems) - SHOWN_PROBLEMS
        told = [*problems[:SHOWN_PROBLEMS], *([f"and {more} more problems"] if more > 0 else [])]
        super().__init__("; ".join(told))


@dataclass(slots=True)
class Contents:
    """A document as the model's objects. `now`: the clock's Unix seconds; `roots`: attributes of `State`."""

    world: World
    now: float
    last_id: int
    roots: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SavedWorld:
    """A whole world at one moment. `text` is JSON; it is never changed."""

    text: str

    @classmethod
    def take(cls, state: State, cdn: str) -> Self:
        """What is there now. `cdn`: the address that links to files begin with."""
        writing = Writing(LEFT_OUT)
        roots = {name: shape(hint).write(getattr(state, name), writing) for name, hint in ROOTS.items()}
        writing.finish()
        document = {
            "kind": KIND,
            "version": VERSION,
            "now": state.clock.now(),
            "last_id": str(state.new_id.last),
            "cdn": cdn,
            "world": asdict(state.world),
            "roots": roots,
            "objects": writing.objects,
        }
        return cls.of(document)

    @classmethod
    def of(cls, document: JSON) -> Self:
        """A document that is not checked yet: `restore` raises NotASavedWorldError if something is wrong with it."""
        return cls(json.dumps(document, separators=(",", ":")))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NotASavedWorldError with everything that is wrong."""
        found = cls(text)
        found.contents()
        return found

    @classmethod
    def read(cls, file: Path | str) -> Self:
        """Raises OSError, or NotASavedWorldError with everything that is wrong."""
        try:
            text = Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise NotASavedWorldError(["it is not JSON"]) from None
        return cls.parse(text)

    def write(self, file: Path | str) -> None:
        """Write a file whole or not at all. Raises OSError."""
        wanted = Path(file)
        begun = wanted.with_name(f".{wanted.name}.{os.getpid()}")
        try:
            begun.write_text(self.text, encoding="utf-8")
            begun.replace(wanted)
        finally:
            begun.unlink(missing_ok=True)

    @property
    def document(self) -> JSON:
        """A copy."""
        found: JSON = json.loads(self.text)
        return found

    def world(self) -> World:
        """What the saved sandbox started with, and its settings."""
        return read_world(self.document["world"])

    def contents(self, cdn: str | None = None) -> Contents:
        """New objects of the model. `cdn`: what links to files are to begin with; None or empty to keep them.

        Raises NotASavedWorldError with everything that is wrong.
        """
        document = _document(self.text)
        if cdn and document["cdn"] not in ("", cdn):
            old, new = (json.dumps(one)[1:-1] for one in (document["cdn"], cdn))
            document = _document(self.text.replace(old, new))
        problems: list[str] = []
        world = World()
        try:
            world = read_world(document["world"])
        except (TypeError, ValueError) as error:
            problems.append(f"world: {error}")
        if not is_id(document["last_id"]):
            problems.append(f"last_id must be an id, not {shown(document['last_id'])}")
        if not FIRST_DAY <= document["now"] <= LAST_DAY:
            problems.append(f"now must be Unix seconds, not {shown(document['now'])}")
        reading = Reading(document["objects"], kinds(), LEFT_OUT)
        roots = _roots(document["roots"], reading)
        reading.fill()
        problems += reading.problems or _contradictions(roots, reading.everything())
        if problems:
            raise NotASavedWorldError(problems)
        return Contents(world, float(document["now"]), int(document["last_id"]), roots)


def _document(text: str) -> JSON:
    """The document with fields of the right kinds. Raises NotASavedWorldError."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise NotASavedWorldError(["it is not JSON"]) from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        describes = isinstance(found, dict) and found.keys() & {"guilds", "applications"}
        hint = ": it describes one, for --world" if describes else ""
        raise NotASavedWorldError([f"it is not a saved world{hint}"])
    if found.get("version") != VERSION:
        version = shown(found.get("version"))
        raise NotASavedWorldError([f"it has version {version}, and this sandbox reads version {VERSION}"])
    problems = [f"it has no {key}" for key in FIELDS if key not in found]
    problems += [f"it cannot have {key}" for key in found if key not in FIELDS]
    problems += [
        f"{key} cannot be {shown(found[key])}"
        for key, kind in FIELDS.items()
        if key in found and (not isinstance(found[key], kind) or isinstance(found[key], bool))
    ]
    if not problems and _CDN.fullmatch(found["cdn"]) is None:
        problems.append(f"cdn must be an address that ends with /cdn, not {shown(found['cdn'])}")
    if problems:
        raise NotASavedWorldError(problems)
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) < 1 << 63


def _roots(given: JSON, reading: Reading) -> dict[str, Any]:
    for name in sorted(given.keys() - ROOTS.keys()):
        reading.complain("roots", f"has no {name}")
    found = {}
    for name, hint in ROOTS.items():
        if name in given:
            found[name] = shape(hint).read(given[name], reading, f"roots: {name}")
        else:
            reading.complain("roots", f"lacks {name}")
    return found


def _contradictions(roots: JSON, objects: Iterable[Any]) -> list[str]:
    """What cannot be in a world, though its values are of the right kinds."""
    found = [
        f"{type(one).__name__} cannot have the id {shown(one.id)}"
        for one in objects
        if hasattr(one, "id") and not is_id(one.id)
    ]
    for name in ("users", "guilds", "channels", "messages", "applications", "interactions", "webhooks"):
        for key, one in roots[name].items():
            if one.id != key:
                found.append(f"roots: {name} {key} has the id {one.id}")
    servers = [*roots["guilds"].values(), *(one.guild for one in roots["channels"].values())]
    for guild in {id(one): one for one in servers}.values():
        if guild.id not in guild.roles:
            found.append(f"the server {shown(guild.name)} lacks the role @everyone")
    return found
