"""Language of the repository: plain English, without the words and spacings that do not belong."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.support.repository import text_of, tracked

# Each reads as translated, or leaves out who is meant: say who or what it is.
UNWANTED = re.compile(
    r"\b(anew|whoever|somebody|nobody|nought|whose|let go|lets it go|what is so)\b", re.IGNORECASE
)
SPACED_PERCENT = re.compile(r"[0-9}] %")
# In scripts of the page, where `x % 3` is a modulo.
SPACED_PERCENT_IN_CODE = re.compile(r"[0-9}] %(?! ?[\w(])")

# Text that has to be quoted as it is: a path, and the reason.
ALLOWED = {
    "tests/unit/repository/test_language.py": "names the words",
    "CONTRIBUTING.md": "quotes the spacing",
    "tests/unit/adapters/postgres/documents_schema_1.json": "documents as an earlier version stored them",
    "tests/unit/domain/judge/test_rules.py": "a rule may have the spacing",
}
# Names of others that contain such a word.
NAMES = re.compile(r"nobody:nogroup|user nobody|`nobody`|\"nobody\"")
# Finds all of it and more, in a text as a whole: tokens are made only where this found something.
PERHAPS = re.compile(
    r"anew|whoever|somebody|nobody|nought|whose|let[ _]go|lets[ _]it[ _]go|what[ _]is[ _]so|[0-9}] %",
    re.IGNORECASE,
)
NOT_OURS = re.compile(
    r"^(requirements/|bot/ui/chart/fonts/|LICENSE|.*\.(png|ttf|woff2|lock)$|.*/LICENSE[^/]*$)"
)


def texts() -> list[str]:
    return [name for name in tracked() if not NOT_OURS.match(name)]


def words_of(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and text without code: of Python files, strings and comments."""
    if not name.endswith(".py"):
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield from enumerate(token.string.splitlines(), token.start[0])
        elif token.type == tokenize.NAME:
            yield token.start[0], token.string.replace("_", " ")


def unwanted(name: str, text: str) -> list[str]:
    """`line: what` for each word or spacing that does not belong."""
    spaced = SPACED_PERCENT_IN_CODE if name.endswith((".js", ".css")) else SPACED_PERCENT
    found: list[str] = []
    if not PERHAPS.search(text):
        return found
    for number, line in words_of(name, text):
        plain = NAMES.sub("", line)
        found += [f"{number}: {match.group()}" for match in UNWANTED.finditer(plain)]
        found += [f"{number}: space before %"] * bool(spaced.search(plain))
    return found


def test_every_text_of_the_repository_is_plain_english() -> None:
    names = texts()
    assert len(names) > 100
    found = {name: unwanted(name, text_of(name)) for name in names if name not in ALLOWED}
    found = {name: mistakes for name, mistakes in found.items() if mistakes}
    assert not found, "\n".join(f"{name}:{one}" for name, mistakes in found.items() for one in mistakes)


@pytest.mark.parametrize("name", ALLOWED)
def test_an_exception_is_still_needed(name: str) -> None:
    assert unwanted(name, text_of(name)), f"{name} needs no exception any more"


@pytest.mark.parametrize(
    ("name", "text", "mistakes"),
    [
        ("a.md", "Ask somebody who has it.", ["1: somebody"]),
        ("a.md", "fine\nWhoever asked", ["2: Whoever"]),
        ("a.md", "5 % of traffic", ["1: space before %"]),
        ("a.py", 'said = f"{weight} % of traffic"', ["1: space before %"]),
        ("a.py", "def test_nobody_is_told(): ...", ["1: nobody"]),
        ("a.md", "5% of traffic", []),
        ("a.py", "x = 7 % 13", []),
        ("a.js", "const x = (i * 5 % size)", []),
        ("a.js", "`${share} %`", ["1: space before %"]),
        ("a.md", "runs as the user nobody", []),
    ],
)
def test_what_does_not_belong_is_found(name: str, text: str, mistakes: list[str]) -> None:
    assert unwanted(name, text) == mistakes
