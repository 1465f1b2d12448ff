"""Exports as CSV: one byte order mark, numbers as numbers, and nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta, timezone

import pytest

from bot.domain.reports.tables import BOM, COLUMNS, Table, Value, body, head


def cells(*values: Value) -> list[str]:
    (row,) = csv.reader(io.StringIO(body([values]).decode(), newline=""))
    return row


@pytest.mark.parametrize("table", Table)
def test_a_file_begins_with_one_mark_and_the_names_of_its_columns(table: Table) -> None:
    text = (head(table) + body([["ada"], [f"gra{BOM}ce"], [f"{BOM}{BOM}grace"]])).decode()
    assert text.startswith(BOM) and text.count(BOM) == 1
    assert text[1:].splitlines()[0] == ",".join(COLUMNS[table])
    assert len(set(COLUMNS[table])) == len(COLUMNS[table])
    assert text.endswith("grace\r\n")


def test_numbers_are_numbers_times_are_utc_and_nothing_is_empty() -> None:
    at = datetime(2026, 11, 22, 14, 3, 20, 999_999, timezone(timedelta(hours=2)))
    assert cells(12, -3, 2**62, None, at) == ["12", "-3", str(2**62), "", "2026-11-22T12:03:20Z"]
    assert body([[12, True]]) == b"12,1\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠1",
        "  =1",
        "\u00a0=1",
        f"{BOM}=1",
        f"{BOM}{BOM}=1",
    ],
)
def test_what_would_be_a_formula_is_text(text: str) -> None:
    (cell,) = cells(text)
    assert cell.startswith("'") and cell[1:] == text.replace(BOM, "")


def test_other_text_stays_as_it_is() -> None:
    given = ['says "no"', "a, b; c", "two\r\nlines", "München 🚀 検査", "1.5.0", "a=b", "", "'quoted"]
    assert cells(*given) == given
    assert cells("half \ud800 of a pair", "n\0l") == ["half ? of a pair", "nl"]


def test_the_columns_of_each_file() -> None:
    usual = ["id", "service", "environment"]
    ends = {
        Table.ROLLOUTS: (
            "from_version to_version to_digest commit phase requester reason outcome requested_at ended_at"
            " seconds returns rolled_back"
        ),
        Table.ALERTS: (
            "severity title state opened_at acknowledged_at acknowledged_by ended_at ended_by returns rollout_id"
            " seconds_to_acknowledge seconds_open"
        ),
        Table.INCIDENTS: (
            "severity title opened_by owner since opened_at acknowledged_at restored_at closed_at closed_by"
            " alerts rollouts postmortem seconds_to_acknowledge seconds_to_restore"
        ),
    }
    for table, columns in ends.items():
        assert list(COLUMNS[table]) == [*usual, *columns.split()]
        assert head(table) == ("\ufeff" + ",".join(COLUMNS[table]) + "\r\n").encode()


def test_each_row_is_a_line_and_blanks_before_other_text_stay() -> None:
    assert body(iter([["a", 1], ["b"], []])) == b"a,1\r\nb\r\n\r\n"
    assert body([]) == b""
    assert cells("  a", "\u00a0a", " \u00a0 +1") == ["  a", "\u00a0a", "' \u00a0 +1"]
    assert cells("\t1", " \t1", "a\t=1") == ["'\t1", "' \t1", "a\t=1"]
