"""What goes into SQL and JSON parameters."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot.adapters.postgres.connection.json import dumped, spliced
from bot.adapters.postgres.connection.queries import SQL, NamedQueries, without


def test_documents_are_put_into_others_as_they_are() -> None:
    text = spliced({"id": 1, "at": datetime(2026, 11, 20, tzinfo=UTC)}, state='{"step": 2}', judge=None)
    assert json.loads(text) == {"id": 1, "at": "2026-11-20T00:00:00+00:00", "state": {"step": 2}}


def test_nul_is_left_out_and_a_written_escape_is_kept() -> None:
    assert json.loads(dumped({"a": "x\0y"})) == {"a": "xy"}
    assert json.loads(dumped({"a": "\\u0000"})) == {"a": "\\u0000"}


def test_sets_are_written_in_order() -> None:
    assert dumped({"roles": frozenset({"b", "a"})}) == '{"roles": ["a", "b"]}'


def test_queries_are_found_by_name_and_carry_it() -> None:
    queries = NamedQueries("-- name: one\n-- why\nSELECT 1\n\n-- name: two\nSELECT 2\n")
    assert list(queries) == ["one", "two"]
    assert queries["one"] == "-- name: one\n-- why\nSELECT 1"
    assert len(SQL) > 30


def test_a_name_that_stands_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="two queries"):
        NamedQueries("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")


def test_parts_that_a_call_does_not_need_are_left_out_or_empty_where_others_read_them() -> None:
    assert without("save", frozenset()) == SQL["save"]
    text = without("save", frozenset({"held", "closed", "bad"}))
    assert "held AS (\n    SELECT NULL::bigint AS id WHERE false\n)" in text  # `updated` reads it
    assert "closed AS" not in text
    assert "bad AS" not in text
    assert text.startswith("-- name: save")
    assert text.endswith("SELECT EXISTS (SELECT FROM saved) AS saved")
    with pytest.raises(KeyError, match="no part other"):
        without("save", frozenset({"other"}))
