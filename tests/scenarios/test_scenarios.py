"""Every scenario happens exactly as its file says, and the demo's stories go as told in virtual time too."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stories.language import VERBS, parse
from demo.stories.runner import PLAYED, STORIES, read
from tests.scenarios.runner import README, difference, played, readme, scenarios
from tests.support.postgres import PostgresServer

WRITE = "python -m tests.scenarios --rewrite"


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: path.stem)
def test_it_happens_as_written(path: Path, postgres: PostgresServer) -> None:
    found = played(read(path), postgres)
    assert not found.mistake, found.mistake
    differs = difference(path.read_text(encoding="utf-8"), found.text, path)
    assert not differs, f"If this is as it should be: {WRITE}\n{differs}"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_of_the_demo_goes_as_told(path: Path, postgres: PostgresServer) -> None:
    found = played(read(path), postgres)
    assert not found.mistake, found.mistake


def test_what_happens_otherwise_is_shown_line_by_line(postgres: PostgresServer) -> None:
    text = "lead: /unlock service:checkout environment:staging\n    00:00  → lead    🔓 Unlocked.\n"
    path = Path("unlock.txt")
    found = played(parse(text, path), postgres)
    differs = difference(text, found.text, path).splitlines()
    assert "-    00:00  → lead    🔓 Unlocked." in differs
    assert any(line.startswith("+    00:00  → lead    ✋") and "not locked" in line for line in differs)


def test_a_sight_that_is_not_there_ends_the_scenario_with_file_line_and_reason(
    postgres: PostgresServer,
) -> None:
    text = "# nothing\nusers of checkout in staging saw failures of 1.4.0 only\nwait 1 s\n"
    found = played(parse(text, Path("calm.txt")), postgres)
    assert found.mistake.startswith("calm.txt:2: users of checkout in staging saw failures of 1.4.0 only\n")
    assert "saw no failure of 1.4.0" in found.mistake


def test_every_verb_is_played_somewhere() -> None:
    files = [*scenarios(), *PLAYED]
    used = {line.verb.pattern for path in files for line in read(path).lines if line.verb}
    assert {verb.pattern for verb in VERBS} - used == set()


def test_every_scenario_says_first_what_it_is_about() -> None:
    assert [path.name for path in scenarios() if not read(path).title] == []


def test_the_readme_lists_the_verbs_as_they_are() -> None:
    assert README.read_text(encoding="utf-8") == readme(), f"Renew it: {WRITE}"
