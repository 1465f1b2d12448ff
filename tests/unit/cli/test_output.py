"""Output of the command line: times for a terminal, ISO 8601 in JSON, and no Discord time marks."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.cli.appcommands.group import print_json
from bot.cli.exits import tell
from bot.domain.formatting import stamp
from tests.support.paths import ROOT


def test_a_time_in_a_sentence_is_shown_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell(f"The lock expires {stamp(datetime.now(UTC) + timedelta(hours=2, seconds=30))}.", err=True)
    said = capsys.readouterr().err
    assert re.fullmatch(r"The lock expires in 2 h \((\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\)\.\n", said), said


def test_json_has_times_that_programs_read(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"sentence": f"Expires {stamp(datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC))}."})
    assert json.loads(capsys.readouterr().out) == {"sentence": "Expires 2026-11-20T14:03:20Z."}


def test_only_the_part_that_speaks_discord_writes_its_time_marks() -> None:
    sources = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "cogs").rglob("*.py")]
    assert len(sources) > 100
    marked = {p.relative_to(ROOT).parts[:2] for p in sources if "<t:" in p.read_text("utf-8")}
    assert marked == {("bot", "ui")}
