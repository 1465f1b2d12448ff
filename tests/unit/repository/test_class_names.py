"""A class name means one thing: it is defined once in the product, and once in the tests."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.paths import ROOT


def defined(*folders: str) -> dict[str, list[str]]:
    """Where each class is defined, by its name; also those inside of functions."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "class " in text else ():
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_is_defined_once_or_for_the_same_idea_in_catalog_and_domain() -> None:
    found = defined("bot", "cogs")
    assert len(found) > 500
    twice = {
        name: places
        for name, places in found.items()
        if len(places) > 1 and [place.split("/")[1] for place in places] != ["catalog", "domain"]
    }
    assert twice == {}


def test_a_class_name_is_defined_once_in_the_tests() -> None:
    """What two test modules need lives in `support` or `fakes`; what one needs has a name that says what it is.

    No exceptions: a class of tests needs a name of its own as well.
    """
    found = defined("tests")
    assert len(found) > 200
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
