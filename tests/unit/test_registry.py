"""The registry of adapter kinds: what it says is what the settings say."""

from __future__ import annotations

import typing
from dataclasses import fields

import pytest

from bot.composition.registry import KINDS
from bot.kinds import Kind

LINES = [
    (table.name, name, kind) for table in fields(KINDS) for name, kind in getattr(KINDS, table.name).items()
]


@pytest.mark.parametrize(("table", "name", "kind"), LINES, ids=[f"{t}-{n}" for t, n, _ in LINES])
def test_a_kind_is_listed_under_the_name_that_people_write(table: str, name: str, kind: Kind) -> None:
    assert typing.get_args(kind.settings.model_fields["kind"].annotation) == (name,)


def test_every_section_that_names_adapters_has_a_kind() -> None:
    sections = {"targets", "metrics", "releases", "manifests", "alert_sources", "checks", "sinks"}
    assert {table for table, _, _ in LINES} == sections
