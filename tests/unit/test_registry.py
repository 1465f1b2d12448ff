"""The registry of adapter kinds: what it says is what the settings say."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from bot.composition.registry import KINDS, ROUTERS, RUNTIMES
from bot.kinds import Kind
from tests.support.paths import ROOT

TABLES: dict[str, Mapping[str, Kind]] = {table.name: getattr(KINDS, table.name) for table in fields(KINDS)}
LINES = [(table, name, kind) for table, kinds in TABLES.items() for name, kind in kinds.items()]


@pytest.mark.parametrize(("table", "name", "kind"), LINES, ids=[f"{t}-{n}" for t, n, _ in LINES])
def test_a_kind_is_listed_under_the_name_that_people_write(table: str, name: str, kind: Kind) -> None:
    written = kind.settings.model_fields["kind"]
    assert typing.get_args(written.annotation) == (name,)
    # The catalog looks for the kinds that its files name, so none may be left out.
    assert written.is_required()


def test_every_section_that_names_adapters_has_a_kind() -> None:
    sections = {"targets", "metrics", "releases", "manifests", "alert_sources", "checks", "sinks"}
    assert {table for table, _, _ in LINES} == sections


def test_every_kind_in_a_module_of_the_adapters_is_listed() -> None:
    files = [path for path in Path(ROOT, "bot/adapters").rglob("*.py") if "\nKIND = " in path.read_text()]
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    listed = [*ROUTERS.values(), *RUNTIMES.values(), *(kind for _, _, kind in LINES)]
    assert [module for module in modules if import_module(module).KIND not in listed] == []
    assert len(modules) == len(ROUTERS) + len(LINES)


def test_only_the_kinds_that_are_named_are_taken_and_an_unknown_name_takes_none() -> None:
    few = KINDS.only(["process", "probe", "no-such-kind"])
    assert few is KINDS.only(("probe", "process"))
    found = {table.name: set(getattr(few, table.name)) for table in fields(few)}
    assert {table: names for table, names in found.items() if names} == {
        "targets": {"process"},
        "metrics": {"probe"},
    }
