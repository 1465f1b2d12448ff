"""Every limit of Discord on commands, on both sides of it, and every mistake at once with its path."""

import copy

import pytest

from bot.domain.appcommands.validation import budget, validate
from tests.support.rules.manifests import REFUSED, TAKEN, chars, command, option


@pytest.mark.parametrize("name", TAKEN)
def test_what_discord_takes_is_taken(name):
    assert validate(TAKEN[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_discord_refuses_is_told_with_its_path(name):
    manifest, path, words = REFUSED[name]
    before = copy.deepcopy(manifest)
    found = validate(manifest)
    assert any(m.path == path and words in m.sentence for m in found), [str(m) for m in found]
    assert manifest == before


def test_all_mistakes_come_at_once_in_document_order():
    manifest = [
        command(name="A b", options=[option(type=99), option(name="", choices=3)]),
        command(description=""),
    ]
    paths = [m.path for m in validate(manifest)]
    assert paths == [
        "$[0].name",
        "$[0].name",
        "$[0].options[0].type",
        "$[0].options[1].name",
        "$[0].options[1].choices",
        "$[1].description",
    ]


@pytest.mark.parametrize(("total", "fits"), [(7901, True), (7902, False)])
def test_the_longest_localisation_counts_toward_the_8000(total, fits):
    localised = {"de": "d" * 100, "fr": "d" * 40}
    (long,) = chars(total)  # its description is one character, for which now the German hundred count
    found = validate([{**long, "description_localizations": localised}])
    assert (found == []) is fits, found


@pytest.mark.parametrize(
    ("creates", "today", "fits"),
    [(200, 0, True), (201, 0, False), (1, 199, True), (1, 200, False), (0, 200, True)],
)
def test_the_budget_of_200_creations_a_day(creates, today, fits):
    assert (budget(creates, today) is None) is fits
