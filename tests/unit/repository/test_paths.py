"""Paths and module names in documents, docstrings and comments: each names something that exists."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.repository import text_of, tracked

# Folders of the repository with checked paths, and where a path may be relative to instead.
TOP = "bot|cogs|tests|docs|config|demo|sandbox|migrations|benchmarks|requirements|\\.github|\\.ci"
ENDINGS = "py|pyi|md|ya?ml|sql|toml|json|txt|service|js|css|html|svg|png|ttf|mako"
PATH = re.compile(rf"(?<![\w./*{{-])(?:{TOP})/[\w./*-]*[\w*](?:/|\b)")
FILE = re.compile(rf"(?<![\w./*{{}}-])[\w-]+\.(?:{ENDINGS})\b(?!/)")
MODULE = re.compile(r"(?<![\w./-])(?:bot|cogs|demo|benchmarks)(?:\.\w+)+")
# What people make themselves, what a build makes, and files of other projects.
ELSEWHERE = re.compile(
    r"^(discord\.js$|config/catalog|docs/reference/(examples|sandbox-api)\.md|bot/migrations|(chart|name|[A-Za-z])\.\w+$|"
    r"(pyproject|mkdocs|commands|m|team|plans|services|applications|catalog\.schema|openapi|identify|"
    r"behaviour|processes|state|world|x|h|lane|file|document|playbook|manifest|events|charter|spec|rollout)\.(toml|yml|yaml|json|md))"
)
KNOWN_FILES = {Path(name).name for name in tracked()}


def prose(name: str) -> Iterator[tuple[int, str]]:
    """Line numbers and lines that are read as text: of Python files only docstrings and comments."""
    text = text_of(name)
    if not name.endswith(".py"):
        yield from enumerate(text.splitlines(), 1)
        return
    for node in statements(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield from enumerate(str(first.value.value).splitlines(), first.lineno)
    for number, line in enumerate(text.splitlines(), 1):
        if "#" in line:  # a comment, or a string with this sign, which does no harm here; tokens take seconds
            yield number, line[line.index("#") :]


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and every statement in it, without their expressions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            each
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]


@cache
def missing_path(path: str, name: str) -> bool:
    """Whether `path`, written in file `name`, leads nowhere: from the root, or from the file's own distribution."""
    if ELSEWHERE.match(path):
        return False
    roots = [ROOT, *(parent for parent in (ROOT / name).parents if parent.is_relative_to(ROOT))]
    return not any(any(root.glob(path.rstrip("/"))) for root in roots)


@cache
def missing_module(dotted: str) -> bool:
    """Whether a dotted name is neither a module nor something in one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            if not hasattr(found, attribute):
                return attribute not in getattr(found, "__annotations__", {})
            found = getattr(found, attribute)
        return False
    return True


def mistakes(name: str) -> list[str]:
    found = []
    for number, line in prose(name):
        for match in PATH.finditer(line):
            if missing_path(match.group(), name):
                found.append(f"{name}:{number}: {match.group()}")
        rest = PATH.sub("", line)
        for match in FILE.finditer(rest):
            if match.group() not in KNOWN_FILES and not ELSEWHERE.match(match.group()):
                found.append(f"{name}:{number}: {match.group()}")
        for match in () if name.startswith(("sandbox/", "demo/")) else MODULE.finditer(rest):
            if missing_module(match.group()):
                found.append(f"{name}:{number}: {match.group()}")
    return found


def checked() -> list[str]:
    """Documents, and Python files of the product and its tests. The changelog tells of files that are gone."""
    return [
        name
        for name in tracked()
        if name.endswith((".md", ".py")) and name != "CHANGELOG.md" and not name.startswith("docs/reference/")
    ]


def test_every_path_in_documents_and_docstrings_exists() -> None:
    names = checked()
    assert len(names) > 300
    found = [mistake for name in names for mistake in mistakes(name)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See bot/domain/rollout/machine/machine.py and docs/judge.md.", 0),
        ("See bot/catalog.py.", 1),
        ("in `bot/domain/` and config/examples", 0),
        ("`mixture.py` has it", 1),
        ("`bot.domain.rollout.machine.machine.step` does it", 0),
        ("`bot.domain.terms` has the words", 1),
        ("tests/e2e/test_*.py play it", 0),
        ("your own config/catalog/ folder", 0),
    ],
)
def test_a_path_that_leads_nowhere_is_found(
    text: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.repository.test_paths.text_of", lambda name: text)
    assert len(mistakes("docs/any.md")) == found
