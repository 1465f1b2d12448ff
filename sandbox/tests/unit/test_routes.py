"""The table of Discord's routes is true: it is renewed, and what it says is missing exists in Discord's description."""

import importlib.util
import re
from types import ModuleType
from typing import Any

from discord_sandbox.server import ENDPOINTS
from support.discord_specs import resolved
from support.paths import PROJECT


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_routes", PROJECT / "docs" / "make_routes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = generator()


def test_the_table_is_the_one_that_the_code_makes() -> None:
    assert MAKE.PAGE.read_text(encoding="utf-8") == MAKE.page(), "run `python docs/make_routes.py`"


def test_the_original_answer_to_an_interaction_counts_as_modelled() -> None:
    states = {row.route: row.state for row in MAKE.rows()}
    original = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
    assert {states[f"{method} {original}"] for method in ("GET", "PATCH", "DELETE")} == {"modelled"}


def test_every_endpoint_is_a_route_of_discord() -> None:
    known = {MAKE.bare(route) for route in MAKE.described()}
    assert [one.path for one in ENDPOINTS if MAKE.bare(f"{one.method} {one.path}") not in known] == []


def names(schema: Any) -> set[str]:
    """Properties of a schema and of its alternatives."""
    schema = resolved(schema)
    found = set(schema.get("properties", {}))
    for key in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(key, []):
            found |= names(one)
    return found


def fields(operation: Any) -> set[str]:
    parameters = [resolved(one) for one in (*operation["shared"], *operation.get("parameters", []))]
    content = operation.get("requestBody", {}).get("content", {})
    bodies = [kind["schema"] for kind in content.values()]
    return {one["name"] for one in parameters if one["in"] == "query"}.union(*(names(one) for one in bodies))


def test_what_is_missing_is_a_field_of_a_modelled_route() -> None:
    described = MAKE.described()
    states = {row.route: row.state for row in MAKE.rows()}
    for route, missing in MAKE.WITHOUT.items():
        assert set(missing.split()) <= fields(described[route]), route
    assert {states[route] for route in (*MAKE.WITHOUT, *MAKE.BESIDES)} == {"partly"}


def test_no_cell_breaks_the_table() -> None:
    lines = [line for line in MAKE.page().splitlines() if line.startswith("| `")]
    assert len(lines) == len(MAKE.described())
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)
