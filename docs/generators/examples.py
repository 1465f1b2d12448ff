"""The files that ship as examples, as one page: the site shows what the repository holds."""

from __future__ import annotations

from pathlib import Path

from docs.generators.markdown import anchor, block

ROOT = Path(__file__).resolve().parents[2]
SINGLE = (".env.example", "compose.yml")
SANDBOX_API = "sandbox/docs/api.md"
FOLDERS = ("config/examples", "config/demo")
# By suffix; programs have none.
LANGUAGES = {
    "": "sh",
    ".md": "markdown",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".service": "ini",
    ".example": "ini",
}
INTRODUCTION = """
# Examples

The files below are in the repository, and its tests run them: the catalogs are checked, the units and the compose file
are verified, and their command lines are executed.
"""


def files() -> list[str]:
    """Paths of the shipped examples, relative to the repository; in a folder, README.md comes first."""
    inside = [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"), key=_order)
        if path.is_file() and path.suffix in LANGUAGES
    ]
    return [*SINGLE, *(path.relative_to(ROOT).as_posix() for path in inside)]


def _order(path: Path) -> tuple[Path, bool, Path]:
    return path.parent, path.name != "README.md", path


def page() -> str:
    """Every example with its path as the heading."""
    parts = [INTRODUCTION.strip()]
    for path in files():
        text = (ROOT / path).read_text(encoding="utf-8")
        parts += [f"## {path}", block(text, LANGUAGES[Path(path).suffix])]
    return "\n\n".join(parts) + "\n"


def anchors() -> dict[str, str]:
    """Where on the page each path is: files at their heading, folders at the first of their files."""
    found = {path: anchor(path) for path in files()}
    folders = {folder.as_posix(): at for path, at in reversed(found.items()) for folder in Path(path).parents}
    return {**found, **folders}
