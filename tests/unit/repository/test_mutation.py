"""What `make mutate` needs: mutmut runs the tests of the domain in a copy, which has only what is named to it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from tests.support.paths import ROOT

MUTMUT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
COPIED = {"tests", *MUTMUT["source_paths"], *MUTMUT["also_copy"]}


def imported(path: Path) -> set[Path]:
    """The modules of this repository that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = [ROOT / name.replace(".", "/") for name in names]
    return {
        file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()
    }


def test_every_package_that_tests_of_the_domain_import_is_copied() -> None:
    """Also by way of other modules: one that is missing ends the run before the first mutant."""
    reached: set[Path] = set()
    found = {
        ROOT / "tests/conftest.py",
        ROOT / "tests/plugin.py",
        *(ROOT / "tests/unit/domain").rglob("*.py"),
    }
    while found:
        reached |= found
        found = {module for path in found for module in imported(path)} - reached
    assert {path.relative_to(ROOT).parts[0] for path in reached} - COPIED == set()
