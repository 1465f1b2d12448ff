"""Pages made from code: they have everything, and nothing in them breaks the table that it stands in."""

from __future__ import annotations

import re

import click
import pytest

from bot import catalog as catalogs
from bot.__main__ import cli
from bot.composition.registry import KINDS
from bot.settings import PLAIN_NAMES, variable_names
from docs.generators import catalog, command_line, examples, settings
from docs.generators.__main__ import FOLDER, PAGES
from docs.generators.catalog import Reference
from docs.generators.markdown import anchor, block, table


@pytest.mark.parametrize("name", PAGES)
def test_the_page_in_the_repository_is_the_one_that_the_code_makes(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make reference`"


def test_every_setting_is_there_with_its_meaning() -> None:
    rows = _rows(settings.page())
    assert sorted(row[0].strip("`") for row in rows) == sorted(variable_names())
    assert [row[0] for row in rows if not row[3]] == []
    assert [name for name in PLAIN_NAMES if f"Also read as `{name}`." not in settings.page()] == []


def test_defaults_and_limits_of_settings_are_said() -> None:
    rows = {row[0].strip("`"): row for row in _rows(settings.page())}
    assert rows["SLIPWAY_WEB_PORT"][1:3] == ["whole number, 0 to 65535", "`8080`"]
    assert rows["SLIPWAY_LOG_FORMAT"][1:3] == ["`json`, `console`", "`json`"]
    assert rows["SLIPWAY_WEB_ADMIN_TOKEN"][1:3] == ["secret, at least 16 characters", ""]


def test_every_command_has_a_heading_and_its_help() -> None:
    page = command_line.page()
    paths = [context.command_path for context in command_line.commands()]
    assert {"slipway", "slipway run", "slipway host stop", "slipway commands diff"} <= set(paths)
    assert [path for path in paths if not re.search(rf"^##+ {path}$", page, re.M)] == []
    assert len(paths) == len(set(paths)) == page.count("Usage: slipway")
    assert isinstance(cli, click.Group)


def test_every_key_of_the_catalog_is_there() -> None:
    schema = catalogs.schema(KINDS)
    page = catalog.page()
    assert [key for key in schema["properties"] if f"| `{key}` |" not in page] == []
    assert set(Reference(schema).met()) == set(schema["$defs"])
    for name, kind in schema["$defs"].items():
        assert f"\n### {name}\n" in page
        assert [key for key in kind.get("properties", {}) if f"| `{key}` |" not in page] == []


def test_every_key_of_the_catalog_says_what_it_means() -> None:
    mute: list[str] = []
    section = ""
    for line in catalog.page().splitlines():
        section = line if line.startswith("#") else section
        if (rows := _rows(line)) and not rows[0][-1]:
            mute.append(f"{section} {rows[0][0]}")
    assert mute == [], "give the field a description, or its mapping a docstring"


def test_links_between_mappings_lead_to_a_heading() -> None:
    page = catalog.page()
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", page, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


SCHEMA = {
    "properties": {"things": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Thing"}}},
    "$defs": {
        "Thing": {
            "description": "A | thing\nof two lines.",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": "What it is called."},
                "wait": {"type": "string", "examples": ["30s"], "default": 90.0},
                "share": {
                    "anyOf": [{"type": "string", "examples": ["1%"]}, {"type": "number"}],
                    "default": 0.01,
                },
                "mode": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}], "default": None},
                "on": {"type": "boolean", "default": True},
                "more": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
                "many": {"type": "integer", "minimum": 1, "maximum": 20, "default": 1},
            },
        },
        "Larger": {"properties": {}},
    },
}


def test_a_schema_is_read_without_knowing_the_catalog() -> None:
    larger = {**SCHEMA["$defs"]["Thing"]["properties"], "size": {"type": "integer"}}
    schema = {**SCHEMA, "$defs": {**SCHEMA["$defs"], "Larger": {"properties": larger}}}
    schema["properties"] = {**SCHEMA["properties"], "larger": {"$ref": "#/$defs/Larger"}}
    page = Reference(schema).page()
    rows = {row[0]: row[1:] for row in _rows(page)}
    assert rows["`things`"] == ["names, each with [Thing](#thing)", "A \\| thing of two lines."]
    assert rows["`name`"] == ["text", "**required**", "What it is called."]
    assert rows["`wait`"] == ["text such as `30s`", "`90s`", ""]
    assert rows["`share`"] == ["text such as `1%` or number", "`0.01`", ""]
    assert rows["`mode`"] == ["`a` or `b`", "", ""]
    assert rows["`on`"] == ["`true` or `false`", "`true`", ""]
    assert rows["`more`"] == ["text or list of text", "", ""]
    assert rows["`many`"] == ["whole number, 1 to 20", "`1`", ""]
    assert "All keys of [Thing](#thing), and:" in page
    assert page.count("`wait`") == 1


def test_cells_cannot_break_their_table() -> None:
    assert table(("a",), [("x | y\nz",)]).splitlines()[2] == "| x \\| y z |"


def test_fences_inside_a_block_do_not_end_it() -> None:
    assert block("```\nx\n```", "yaml").splitlines()[0] == "````yaml"


def test_every_example_is_on_its_page_and_can_be_linked_to() -> None:
    page = examples.page()
    for path in examples.files():
        assert f"\n## {path}\n" in page
        assert (examples.ROOT / path).read_text(encoding="utf-8").rstrip() in page
    assert examples.anchors()["config/examples/full/server.yaml"] == "configexamplesfullserveryaml"
    assert {
        "config/examples",
        "config/examples/full",
        "config/demo",
        ".env.example",
        "compose.yml",
    } <= examples.anchors().keys()


def _rows(page: str) -> list[list[str]]:
    """The cells of all tables, heads and rulers left out."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
