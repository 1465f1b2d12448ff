"""Errors that people see have their words from the phrasebook: one place to change or to translate them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

FOLDERS = ("bot/cli", "bot/engine", "bot/ui", "bot/web", "cogs")
ERRORS = {"UserError", "Refused", "TokenRefused"}


def own_words(text: str) -> Iterator[str]:
    """`line: error` for each error of a person that is raised with words of its own."""
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS):
            continue
        words = [*node.args[:1], *(k.value for k in node.keywords if k.arg in ("sentence", "remedy"))]
        if any(_is_text(word) for word in words):
            yield f"{node.lineno}: {node.func.id}"


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value.strip())
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return any(isinstance(part, ast.Constant) and any(map(str.isalpha, str(part.value))) for part in parts)


def test_every_error_of_a_person_is_in_the_phrasebook() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 80
    found = [
        f"{path.relative_to(ROOT)}:{place}" for path in files for place in own_words(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('raise Refused("No.", rule="no")', ["1: Refused"]),
        ('raise UserError(f"{file} exists.", rule="no")', ["1: UserError"]),
        ('raise UserError(str(error), rule="no", remedy="Try again.")', ["1: UserError"]),
        ('raise UserError(f"{refused}.", rule="no")', []),
        ('raise Refused(self.sentence, rule="no")', []),
        ('raise phrasebook.panic_stop("oncall", "smoke")', []),
    ],
)
def test_words_of_its_own_are_found(code: str, found: list[str]) -> None:
    assert list(own_words(code)) == found
