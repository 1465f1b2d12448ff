"""What keeps tests apart: no test module imports another, and none looks outside the repository."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.support.repository import text_of, tracked

TESTS = [name for name in tracked() if name.startswith(("tests/", "sandbox/tests/")) and name.endswith(".py")]
HOMES = ("/home/", "/root/", "/Users/", "/work/", "/mnt/", "~/")
FILES = {PurePosixPath(name).name for name in TESTS}
OUTWARD = re.compile(r"Path\(__file__\)(?!\.parent\b(?!\.parent))")
# The only modules that know where the repository is.
ANCHORS = {"tests/support/paths.py", "sandbox/tests/support/paths.py"}


def imported(name: str) -> Iterator[str]:
    """The modules that a file imports, dotted."""
    for node in ast.walk(ast.parse(text_of(name))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_test_module_imports_another() -> None:
    found = [
        f"{name}: {module}"
        for name in TESTS
        for module in imported(name)
        if any(part.startswith("test_") and f"{part}.py" in FILES for part in module.split("."))
    ]
    assert found == []


def test_only_one_module_of_each_distribution_knows_where_the_repository_is() -> None:
    """A test may read what lies beside it; all else starts at `support/paths.py`, wherever the test is moved."""
    found = [name for name in TESTS if name not in ANCHORS and OUTWARD.search(text_of(name))]
    assert found == []


def test_no_path_of_one_machine_is_written_down() -> None:
    found = [
        f"{name}:{node.lineno}: {node.value}"
        for name in TESTS
        if name != "tests/unit/repository/test_tests.py"
        for node in ast.walk(ast.parse(text_of(name)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(HOMES)
    ]
    assert found == []
