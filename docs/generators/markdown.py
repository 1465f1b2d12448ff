"""Building blocks of generated Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table. Cells are Markdown; line breaks and pipes in them are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """Inline code."""
    return f"`{text}`"


def block(text: str, language: str = "text") -> str:
    """A fenced block that may itself contain fences."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def anchor(text: str) -> str:
    """The id that Python-Markdown's `toc` gives to a heading of plain words."""
    words = re.sub(r"[^\w\s-]", "", text).strip().lower()
    return re.sub(r"[-\s]+", "-", words)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
