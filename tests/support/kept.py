"""Texts kept in a file beside a test, in blocks: a line with a name, and what it stands for, indented."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent


def kept(file: Path) -> dict[str, str]:
    """The blocks of the file, by name, in its order."""
    blocks = file.read_text(encoding="utf-8").strip().split("\n\n")
    return {name: dedent(text) for name, _, text in (block.partition("\n") for block in blocks)}


def keep(file: Path, texts: Mapping[str, str]) -> None:
    """Write the file again."""
    blocks = (f"{name}\n{indent(text, '    ')}\n" for name, text in texts.items())
    file.write_text("\n".join(blocks), encoding="utf-8")
