"""Log lines are JSON with a trace id, whichever module writes them, and hold no secret, wherever it came from."""

from __future__ import annotations

import gc
import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bot import logs
from bot.redaction import Redactor

TOKEN = "MTQ1OTc0NzgzMTMxNTg5MTM5NQ.GhXyZa.abcdefghijklmnopqrstuvwxyz0123456789AB"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    gc.collect()  # what earlier tests left behind complains now, and not into this log
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    sink = io.StringIO()
    logs.configure("debug", "json", Redactor(["the-known-secret"]), sink)
    yield sink
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def lines(written: io.StringIO) -> Lines:
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_begins_with_time_level_event_and_trace(lines: Lines) -> None:
    with logs.tracing() as ref:
        structlog.get_logger("x").warning("shifted", weight=25)
    (line,) = lines()
    assert list(line)[:4] == ["timestamp", "level", "event", "trace_id"]
    assert (line["level"], line["event"], line["trace_id"], line["weight"]) == ("warning", "shifted", ref, 25)
    assert re.fullmatch(r"[2-9a-z]{8}", ref)
    assert line["timestamp"].endswith("Z")


def test_lines_name_the_program_and_whom_they_concern_libraries_too(lines: Lines) -> None:
    with logs.tracing(), logs.concerning(guild_id=7, user_id=11, rollout=None):
        structlog.get_logger().info("pressed", rollout=3)
        logging.getLogger("discord.http").warning("slow")
    structlog.get_logger().info("after")
    pressed, slow, after = lines()
    assert list(pressed)[3:7] == ["trace_id", "service", "guild_id", "user_id"]
    assert (pressed["service"], pressed["guild_id"], pressed["user_id"], pressed["rollout"]) == (
        "slipway",
        7,
        11,
        3,
    )
    assert (slow["guild_id"], slow["user_id"], slow["service"]) == (7, 11, "slipway")
    assert not {"guild_id", "user_id"} & set(after)


def test_the_standard_librarys_lines_look_the_same(lines: Lines) -> None:
    with logs.tracing("abcd2345"):
        logging.getLogger("discord.gateway").info("shard %s connected", 0, extra={"shard": 0})
    (line,) = lines()
    assert (line["event"], line["logger"], line["trace_id"]) == (
        "shard 0 connected",
        "discord.gateway",
        "abcd2345",
    )
    assert line["shard"] == 0


def test_a_trace_is_the_one_around_and_ends_with_it(lines: Lines) -> None:
    assert logs.trace_id() is None
    with logs.tracing() as outer, logs.tracing() as inner:
        assert outer == inner == logs.trace_id()
    assert logs.trace_id() is None
    structlog.get_logger().info("after")
    assert "trace_id" not in lines()[0]


def test_a_traceback_is_in_the_line_and_without_the_secret(lines: Lines, written: io.StringIO) -> None:
    try:
        raise ValueError(f"login with {TOKEN} and the-known-secret failed")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("other").exception("failed too")
    assert all("ValueError" in line["exception"] for line in lines())
    assert TOKEN not in written.getvalue()
    assert "the-known-secret" not in written.getvalue()


def test_values_that_json_does_not_know_are_written_as_text(lines: Lines) -> None:
    structlog.get_logger().info("odd", what={1}, object=object)
    assert lines()[0]["what"] == "{1}"


def test_warnings_go_into_the_log(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", UserWarning, stacklevel=1)
    (line,) = (line for line in lines() if line["logger"] == "py.warnings" and "UserWarning" in line["event"])
    assert "old thing" in line["event"]


def test_the_level_counts_for_both(written: io.StringIO) -> None:
    logs.configure("warning", "json", stream=written)
    structlog.get_logger().info("quiet")
    logging.getLogger("x").info("quiet")
    assert written.getvalue() == ""


def test_the_console_format_is_for_people(written: io.StringIO) -> None:
    logs.configure("info", "console", stream=written)
    structlog.get_logger().info("shifted", token="abcdef")
    assert "shifted" in written.getvalue()
    assert "abcdef" not in written.getvalue()
