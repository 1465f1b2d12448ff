"""What a rollout changes in the source code: what is known at once, what is looked up, and how it reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.rollout.changes import Changes, known_changes, page
from bot.domain.rollout.events import ChangesRead, LogLine, ReadChanges
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Phase
from tests.support.rules.story import LANE, Story

OLD, NEW = "77d2b1e" * 5, "08fa6c4" * 5
READING = Changes(OLD, NEW, reading=True, link=f"https://github.com/acme/shop/compare/{OLD}...{NEW}")
FOUND = replace(READING, reading=False, added=12, removed=0, authors=("ada", "grace"), others=3)


def test_commits_are_looked_up_once_and_nothing_waits_for_them() -> None:
    story, without = Story(changes=READING), Story()
    assert story.seen(ReadChanges) == [ReadChanges(LANE, READING)]
    assert story.rollout.phase is without.rollout.phase
    assert story.ordered() == without.ordered()


@pytest.mark.parametrize("changes", [None, replace(READING, reading=False)])
def test_nothing_is_looked_up_where_nothing_can_be(changes: Changes | None) -> None:
    assert not Story(changes=changes).seen(ReadChanges)


def test_what_was_read_is_kept_and_told_and_moves_nothing() -> None:
    story = Story(changes=READING).to_gate()
    before = story.rollout
    story.tell(ChangesRead(story.at, FOUND))
    after = story.rollout
    assert after.changes == FOUND
    assert replace(after, changes=READING, version=before.version) == before
    line = story.transitions[-1]
    assert (line.what, line.from_phase, line.to_phase) == ("changes", "gated", "gated")
    assert line.why == f"12 commits by ada, grace and 3 more. {READING.link}"
    assert story.seen(LogLine)[-1].text == line.why


def test_the_second_answer_changes_nothing() -> None:
    story = Story(changes=READING).tell(ChangesRead(READING_AT, FOUND))
    before = story.rollout
    assert story.tell(ChangesRead(READING_AT, replace(FOUND, added=99))).rollout is before


READING_AT = Story().at


def test_an_answer_that_comes_when_all_is_over_changes_nothing() -> None:
    story = Story(changes=READING).crashed()
    assert story.rollout.phase is Phase.FAILED
    before = story.rollout
    assert machine.step(before, ChangesRead(story.at, FOUND)).rollout is before
    assert before.changes is not None
    assert before.changes.sentence == "What changes could not be read: the rollout ended before they were."


def test_what_changes_is_no_part_of_the_seal() -> None:
    assert Story(changes=READING).rollout.seal == Story().rollout.seal


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (READING, "The commits are being looked up."),
        (Changes(OLD, NEW), ""),
        (FOUND, "12 commits by ada, grace and 3 more."),
        (replace(FOUND, added=1, authors=("ada",), others=0), "1 commit by ada."),
        (replace(FOUND, authors=(), others=0), "12 commits."),
        (
            replace(FOUND, added=489, read=300, others=0),
            "489 commits by ada and grace (authors of the first 300).",
        ),
        (replace(FOUND, added=0, removed=4, others=0), "Goes back 4 commits by ada and grace."),
        (
            replace(FOUND, added=2, removed=1, authors=("ada",), others=0),
            "2 commits by ada; 1 commit of the present release is missing.",
        ),
        (
            replace(FOUND, added=2, removed=3, authors=("ada",), others=0),
            "2 commits by ada; 3 commits of the present release are missing.",
        ),
        (replace(FOUND, added=0, removed=0, authors=(), others=0), "No commits differ."),
        (
            replace(READING, reading=False, problem="GitHub answered 502."),
            "What changes could not be read: GitHub answered 502.",
        ),
    ],
)
def test_it_reads_as_a_sentence(changes: Changes, sentence: str) -> None:
    assert changes.sentence == sentence


def test_releases_say_what_they_know_and_nothing_is_invented() -> None:
    github = "https://github.com/acme/shop"
    assert known_changes(OLD, NEW, "") == Changes(OLD, NEW)
    assert known_changes(OLD, NEW, github) == replace(READING, reading=False)
    assert known_changes("", NEW, github) == Changes("", NEW, link=f"{github}/commit/{NEW}")
    assert known_changes("HEAD", NEW, "") == Changes("", NEW)
    assert known_changes(OLD, "", github) is None
    assert known_changes(OLD, "main", github) is None
    assert known_changes(NEW, NEW, github) is None


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://github.com/acme/shop", "https://github.com/acme/shop/compare/a...b"),
        ("https://github.com/acme/shop/", "https://github.com/acme/shop/compare/a...b"),
        ("https://github.com/acme/shop.git", "https://github.com/acme/shop/compare/a...b"),
        ("https://gitlab.com/acme/team/shop", "https://gitlab.com/acme/team/shop/-/compare/a...b"),
        ("https://codeberg.org/acme/shop", "https://codeberg.org/acme/shop/compare/a...b"),
        ("https://git.example.com/acme/shop", ""),
        ("https://github.com/acme/shop) [x](https://evil.example", ""),
        ("https://github.com@evil.example/acme/shop", ""),
        ("https://evil.example/github.com/shop", ""),
        ("javascript://github.com/acme/shop", ""),
        ("https://github.com", ""),
        ("", ""),
    ],
)
def test_a_page_is_known_for_a_few_hosts_alone(address: str, link: str) -> None:
    assert page(address, "a", "b") == link


def test_a_server_that_is_said_to_be_githubs_has_githubs_pages() -> None:
    server = "https://github.example.com/acme/shop"
    assert page(server, "a", "b", github=True) == f"{server}/compare/a...b"
    assert page(server, "", "b", github=True) == f"{server}/commit/b"
