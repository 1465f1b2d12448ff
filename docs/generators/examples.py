"""The files that ship as examples, as one page: the site shows what the repository holds."""

from __future__ import annotations

from pathlib import Path

from docs.generators.markdown import anchor, block

ROOT = Path(__file__).resolve().parents[2]
SINGLE = (".env.example", "compose.yml")
SANDBOX_API = "sandbox/docs/api.md"
FOLDERS = ("config/examples", "config/demo")
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".service": "ini", ".example": "ini"}
INTRODUCTION = """
# Examples

The files below are in the repository, and its tests run them: the catalogs are checked, the units and the compose file
are verified, and their command lines are executed.
"""


def files() -> list[str]:
    """Paths of the shipped examples, relative to the repository."""
    inside = [
        path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*")) if path.suffix in LANGUAGES
    ]
    return [*SINGLE, *(path.relative_to(ROOT).as_posix() for path in inside)]


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
    return {**found, **{f: next(a for path, a in found.items() if path.startswith(f)) for f in FOLDERS}}
