"""Rows of exports as CSV: what spreadsheets open as it is meant, and never as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

Value = str | int | datetime | None

# Excel takes a file for UTF-8 by it.
BOM = "\ufeff"
# What begins a formula, in its full width too, or makes a spreadsheet look behind it (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Table(StrEnum):
    """What can be exported."""

    ROLLOUTS = "rollouts"
    ALERTS = "alerts"
    INCIDENTS = "incidents"


COLUMNS: dict[Table, tuple[str, ...]] = {
    Table.ROLLOUTS: (
        *("id", "service", "environment", "from_version", "to_version", "to_digest", "commit", "phase"),
        *("requester", "reason", "outcome", "requested_at", "ended_at", "seconds", "returns", "rolled_back"),
    ),
    Table.ALERTS: (
        *("id", "service", "environment", "severity", "title", "state", "opened_at", "acknowledged_at"),
        *("acknowledged_by", "ended_at", "ended_by", "returns", "rollout_id"),
        *("seconds_to_acknowledge", "seconds_open"),
    ),
    Table.INCIDENTS: (
        *("id", "service", "environment", "severity", "title", "opened_by", "owner", "since", "opened_at"),
        *("acknowledged_at", "restored_at", "closed_at", "closed_by", "alerts", "rollouts", "postmortem"),
        *("seconds_to_acknowledge", "seconds_to_restore"),
    ),
}


def head(table: Table) -> bytes:
    """The begin of the file: the byte order mark, once, and the names of the columns."""
    return (BOM + _written([COLUMNS[table]])).encode()


def body(rows: Iterable[Sequence[Value]]) -> bytes:
    """Further rows."""
    return _written(rows).encode("utf-8", "replace")


def _written(rows: Iterable[Sequence[Value]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Value) -> str | int:
    """Numbers as they are, times as ISO 8601 in UTC, text that is no formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, int):
        return int(value)
    text = value.replace(BOM, "").replace("\0", "")
    # The apostrophe says that text follows. Blanks before a formula do not keep a spreadsheet from reading it.
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip(" \u00a0").startswith(_FORMULA) else text
