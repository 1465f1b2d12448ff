"""A class name means one thing: it is defined once, but for the catalog's form of what the domain has."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.paths import ROOT


def test_a_class_name_is_defined_once_or_for_the_same_idea_in_catalog_and_domain() -> None:
    defined: dict[str, list[str]] = defaultdict(list)
    for folder in ("bot", "cogs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    defined[node.name].append(str(path.relative_to(ROOT)))
    assert len(defined) > 500
    twice = {
        name: places
        for name, places in defined.items()
        if len(places) > 1 and [place.split("/")[1] for place in places] != ["catalog", "domain"]
    }
    assert twice == {}
