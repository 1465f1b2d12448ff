"""What the repository ships beside its code: documents with commands in them, units, the compose file, pins."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from click.testing import CliRunner, Result
from dotenv import dotenv_values

from tests.support.forked import Said, run
from tests.support.paths import ROOT

EXAMPLES = ROOT / "config" / "examples"
SHELL = "sh"
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.M | re.S,
)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<kind>:[?-])?(?P<rest>[^}]*)\}|\$(?P<escaped>\$)")


class Block(NamedTuple):
    """A fenced block of a document."""

    path: str
    line: int
    language: str
    text: str


class Line(NamedTuple):
    """One command, and where it stands."""

    where: str
    text: str


def tracked() -> list[str]:
    """Every file that git knows, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30
    )
    return [name for name in listed.stdout.split("\0") if name]


def text_of(name: str) -> str:
    """The text of a tracked file; empty for a binary one, and for one that was just deleted."""
    try:
        return (ROOT / name).read_text("utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return ""


def documents() -> list[Path]:
    """Every Markdown file that people read."""
    found = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *EXAMPLES.rglob("*.md"),
        *(ROOT / "sandbox").glob("*.md"),
        *(ROOT / "sandbox/docs").glob("*.md"),
    ]
    return sorted(path for path in found if path.name != "CHANGELOG.md")


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a document."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(path.relative_to(ROOT).as_posix(), line, found["language"], found["text"])


def inline_code(path: Path) -> Iterator[Line]:
    """Every `…` outside fenced blocks, with the pipes of tables unescaped."""
    text = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), path.read_text(encoding="utf-8"))
    for found in _INLINE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Line(f"{path.relative_to(ROOT)}:{line}", found[1].replace("\\|", "|"))


def shell_commands(text: str, where: str, line: int = 0) -> Iterator[Line]:
    """The simple commands of a piece of shell: continued lines joined, comments and `VAR=value` prefixes left out."""
    for number, whole in enumerate(text.replace("\\\n", "  ").splitlines(), line + 1):
        bare = re.sub(r"\$\([^)]*\)", "X", whole)
        bare = re.sub(r"(^|\s)#.*", "", bare)
        for part in re.split(r"&&|\|\||[;|]", bare):
            words = part.strip()
            while re.match(r"\w+=\S*\s", words):
                words = words.split(None, 1)[1]
            if words:
                yield Line(f"{where}:{number}", words)


def words_after(program: str, command: str) -> list[str] | None:
    """The arguments of a program, also behind `docker compose exec SERVICE`; None if the command is another one."""
    bare = re.sub(r"\s[0-9]?[<>]{1,2}\s*\S+", "", command)
    words = shlex.split(re.sub(r"^docker compose exec \w+ ", "", bare))
    return words[1:] if words and Path(words[0]).name == program else None


def slipway(*words: str, folder: Path, environment: Mapping[str, str]) -> Said:
    """Run `slipway …` in a folder, with this environment and nothing of the test's own."""
    outside = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return run(words, {**environment, **outside, "PYTHONPATH": str(ROOT)}, folder)


def slipway_here(*words: str, folder: Path, environment: Mapping[str, str]) -> Result:
    """The same in this process, without the second that a program takes to start."""
    from bot.__main__ import cli

    hidden = {name: None for name in os.environ if name not in ("PATH", "HOME")}
    with contextlib.chdir(folder):
        return CliRunner(env={**hidden, **environment}).invoke(cli, words)


# ---- the compose file --------------------------------------------------------------------------------------


class MissingValue(Exception):
    """`${NAME:?…}` of the compose file without a value: compose refuses with these words."""


def compose(env_file: str) -> dict[str, Any]:
    """The compose file as it is with this `.env`: merged, interpolated, `environment` over `env_file`."""
    given = {name: value or "" for name, value in dotenv_values(stream=StringIO(env_file)).items()}
    tree: dict[str, Any] = _filled(yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8")), given)
    for service in tree["services"].values():
        files = {".env": given}
        inherited = files[service["env_file"]] if "env_file" in service else {}
        service["environment"] = {**inherited, **service.get("environment", {})}
    return tree


def image_environment() -> dict[str, str]:
    """What the last stage of the Dockerfile sets."""
    last = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").rpartition("\nFROM ")[2]
    pairs = [
        words for line in last.splitlines() if line.startswith("ENV ") for words in shlex.split(line)[1:]
    ]
    return dict(pair.split("=", 1) for pair in pairs)


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, given) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given) for inner in value]
    return _VARIABLE.sub(lambda found: _value(found, given), value) if isinstance(value, str) else value


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    value = given.get(found["name"], "")
    if not value and found["kind"] == ":?":
        raise MissingValue(f"{found['name']} {found['rest']}")
    return value or (found["rest"] if found["kind"] == ":-" else "")


# ---- units -------------------------------------------------------------------------------------------------


def unit(path: Path) -> dict[str, list[str]]:
    """The keys of a systemd unit with all their values."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, assigned, value = line.partition("=")
        if assigned and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found
