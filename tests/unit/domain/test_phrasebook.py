"""Every message of the phrasebook, with long, empty and hostile values, as Discord and a terminal would show it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, get_type_hints

import pytest

from bot.domain import phrasebook
from bot.domain.errors import UserError
from bot.domain.formatting import plain_time, stamp, with_times
from bot.domain.phrasebook import values
from bot.ui import escaping

NOW = datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC)
TAME = "Checkout/production"
VALUES = {
    "tame": TAME,
    "empty": "",
    "blank": " \n\t ",
    "invisible": "\u200b\u200d\u2060",
    "long": "x" * 5000,
    "long words": "word " * 1000,
    "long emoji": "🚀" * 5000,
    "joined emoji": "👩\u200d🚒 on call",
    "mentions": "@everyone <@1> <@&2> <#3> </deploy:1> @here",
    "markdown": "**bold** __u__ ~~s~~ ||spoiler|| [link](https://evil.example) *",
    "backticks": "` `` ``` a`b",
    "lines": "one\n# two\n> three\n-# four\r\nfive\u2028six",
    "right to left": "\u202eelbisrever\u202c שלום \u2066x\u2069",
    "a time": f"{stamp(NOW)} ⟨not a time⟩",
    "control": "\x00\x1b[31mred\x07",
    "half a character": "\ud83d broken",
}
_LIVE = re.compile(r"@(?=everyone|here)(?!.?\u200b)|<(?=@|#|/|:|a:|id:)(?!\u200b)", re.IGNORECASE)
_EMPTY = re.compile(r"  |(?:^|\s)[.,;!?](?:\s|$)|[:,;]\s*[.,;]|``|\(\)|\*\*\*\*|\.\.", re.MULTILINE)

MESSAGES: list[Callable[..., Any]] = [
    found
    for _, found in inspect.getmembers(phrasebook, inspect.isfunction)
    if found.__module__.startswith(f"{phrasebook.__name__}.")
]
CONSTANTS = [value for name, value in vars(phrasebook).items() if name.isupper() and isinstance(value, str)]


def calls(message: Callable[..., Any], value: str) -> Iterator[list[Any]]:
    """Arguments by type: all texts are `value`; numbers, times and lists also at their edges."""
    hints = get_type_hints(message)
    hints.pop("return")
    variants: dict[Any, list[Any]] = {
        str: [value],
        int: [0, 1, 3],
        float: [0.0, 7.2, 5000.0],
        datetime: [NOW],
        datetime | None: [None, NOW + timedelta(hours=2)],
        Sequence[str]: [[], [value], [value] * 9],
    }
    # Our own words are not hostile: a sentence, or a phrase in the middle of one.
    ours = {"how": ["Give it here."], "outcome": ["rollback", "wait"]}
    choices = [
        ours.get(name, ["deploy here"]) if hint is LiteralString else variants[hint]
        for name, hint in hints.items()
    ]
    for turn in range(max((len(c) for c in choices), default=1)):
        yield [choice[turn % len(choice)] for choice in choices]


def written(message: Callable[..., Any], value: str) -> Iterator[str]:
    return (str(message(*arguments)) for arguments in calls(message, value))


def test_the_phrasebook_is_found() -> None:
    assert len(MESSAGES) > 50
    assert {"locked", "too_fast", "needs_role"} <= {message.__name__ for message in MESSAGES}
    assert phrasebook.HALTED in CONSTANTS


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_survives_every_value(message: Callable[..., Any], kind: str) -> None:
    for text, tame in zip(written(message, VALUES[kind]), written(message, TAME), strict=True):
        shown = escaping.sentence(f"✋ {text}", 10_000)
        assert escaping.units(shown) <= escaping.CONTENT, "a value is not shortened: the end would be cut off"
        assert not _LIVE.search(shown.replace("<\u200b", "").replace("@\u200b", "")), shown
        assert not _EMPTY.search(shown), shown
        assert text.strip() and text[-1] in ".?`*" + tame[-1], text
        assert text.count("\n") == tame.count("\n"), "a value adds lines"
        assert shown.count("`") % 2 == 0, "a value opens or ends a code span"
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_reads_as_sentences(message: Callable[..., Any]) -> None:
    for text in written(message, TAME):
        assert text[0].isupper() or text[0] in "*…`"
        rest = re.split(r"(?<=[.?!]) ", text)[1:]
        assert all(part[0].isupper() or part[0].isdigit() or part[0] in "*`" for part in rest), text


@pytest.mark.parametrize("text", CONSTANTS)
def test_a_fixed_phrase_is_short(text: str) -> None:
    assert text.strip() == text and not _EMPTY.search(text)
    assert len(text) <= 120


def test_times_are_formatted_where_they_are_shown() -> None:
    refused = phrasebook.locked(TAME, "Ada", "freeze", NOW - timedelta(hours=2), NOW + timedelta(days=1))
    in_discord = escaping.sentence(str(refused), 2000)
    in_terminal = with_times(str(refused), lambda at: plain_time(at, NOW))
    assert "locked by Ada <t:1795176200:R>: freeze. The lock expires <t:1795269800:R>." in in_discord
    assert "locked by Ada 2 h ago (12:03 UTC): freeze." in in_terminal
    assert "expires in 24 h (2026-11-21 14:03 UTC)." in in_terminal
    assert "⟨" not in in_discord + in_terminal


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s ago (14:03 UTC)"),
        (8, "in 8 s (14:03 UTC)"),
        (-3700, "1 h 2 min ago (13:01 UTC)"),
        (3 * 86400, "in 72 h (2026-11-23 14:03 UTC)"),
    ],
)
def test_a_terminal_shows_how_far_a_time_is_away(seconds: int, said: str) -> None:
    assert plain_time(NOW + timedelta(seconds=seconds), NOW) == said


def test_a_stamp_that_is_no_time_stays_as_it_is() -> None:
    assert with_times("⟨2026-13-40T99:00:00Z⟩", str) == "2026-13-40T99:00:00Z"
    assert with_times("⟨soon⟩", str) == "⟨soon⟩"


def test_the_wait_is_told_in_words() -> None:
    assert str(phrasebook.too_fast(7.2, "read")) == "You're going too fast. Try again in 8 seconds."
    assert str(phrasebook.too_fast(0.1, "read")) == "You're going too fast. Try again in 1 second."
    assert phrasebook.too_fast(0.1, "deploy").rule == "rate_limit_deploy"


def test_every_refusal_has_a_rule_for_logs_and_metrics() -> None:
    refusals = [message(*next(calls(message, "x"))) for message in MESSAGES]
    rules = [refusal.rule for refusal in refusals if isinstance(refusal, UserError)]
    assert len(rules) > 40
    assert all(re.fullmatch(r"[a-z][a-z_]*( here)?", rule) for rule in rules), rules


@pytest.mark.parametrize(
    ("reason", "after_a_colon", "as_a_sentence"),
    [
        ("too slow", ": too slow", " too slow."),
        ("... too slow. . ", ": ... too slow", " ... too slow."),
        ("XX too `slow` X", ": XX too 'slow' X", " XX too 'slow' X."),
        (" . ", "", ""),
        ("", "", ""),
    ],
)
def test_a_reason_ends_in_one_full_stop(reason: str, after_a_colon: str, as_a_sentence: str) -> None:
    assert (values.because(reason), values.sentence(reason)) == (after_a_colon, as_a_sentence)


def test_a_value_is_short_and_ends_no_code_span() -> None:
    assert (values.name("x" * 60), values.name("x" * 61)) == ("x" * 60, "x" * 59 + "…")
    assert values.because("y" * 301) == f": {'y' * 299}…"
    assert values.sentence("y" * 301) == f" {'y' * 299}…."
    assert (values.code("a`b"), values.code(""), values.name(" ")) == ("`a'b`", "`-`", "-")


LONG: dict[str, tuple[int, Callable[[str], object]]] = {
    "The regression is issue checkout#7, {}.": (200, lambda url: phrasebook.issue_opened("checkout#7", url)),
    "{} exists.": (300, lambda file: phrasebook.file_exists(file).sentence),
    "Run `{}` first.": (200, lambda command: phrasebook.prerequisite("a 1", "b", 60, None, command).remedy),
    "To close an incident you need one of the roles {}, or to have it yourself.": (
        200,
        lambda roles: phrasebook.not_your_incident("close", roles).sentence,
    ),
    "To silence an alert you need one of the roles {}, or to have acknowledged it yourself.": (
        200,
        lambda roles: phrasebook.not_your_alert("silence", roles).sentence,
    ),
    "{} Failed from `a`, 1 of 3 locations.": (300, lambda said: phrasebook.failed_from(said, ["a"], 3, 3)),
}
REASONS: dict[str, tuple[int, Callable[[str], object]]] = {
    "1.5.0 did not start in a/b. {}.": (500, lambda why: phrasebook.did_not_start("a/b", "1.5.0", why)),
    "{}.": (600, lambda said: phrasebook.no_more_commands_today(said).sentence),
    "{}. 1.5.0 is irreversible. It is not rolled back automatically.": (
        600,
        lambda why: phrasebook.left_to_people(why, "1.5.0", ""),
    ),
    "The token of bot does not belong to application 7. Discord says “{}” (401).": (
        200,
        lambda said: phrasebook.token_of_another("bot", 7, said, 401),
    ),
    "Discord refuses the commands of bot (50035). Where: {}.": (
        600,
        lambda field: phrasebook.commands_refused("bot", "", 50035, [field]),
    ),
    "The plan canary has mistakes: {}.": (
        300,
        lambda mistake: phrasebook.unsound_plan("canary", [mistake], "").sentence,
    ),
    "Or: {}.": (200, lambda hint: f"Or: {phrasebook.unsound_plan('canary', [], hint).remedy}"),
}


@pytest.mark.parametrize("text", [*LONG, *REASONS])
def test_a_long_value_is_shown_up_to_its_bound(text: str) -> None:
    longest, message = {**LONG, **REASONS}[text]
    for value, shown in (
        (f"X{'y' * (longest - 1)}", f"X{'y' * (longest - 1)}"),
        (f"X{'y' * longest}", f"X{'y' * (longest - 2)}…"),
        ("X `a`", "X 'a'"),
    ):
        assert str(message(value)) == text.format(shown)


@pytest.mark.parametrize("text", REASONS)
def test_a_reason_of_another_program_ends_in_one_full_stop(text: str) -> None:
    _, message = REASONS[text]
    for reason, shown in (("X too slow. . ", "X too slow"), ("X. Too slow X", "X. Too slow X"), ("X", "X")):
        assert str(message(reason)) == text.format(shown)


@pytest.mark.parametrize("why", ["", " ", " . "])
def test_without_a_reason_there_is_no_second_sentence(why: str) -> None:
    assert phrasebook.did_not_start("a/b", "1.5.0", why) == "1.5.0 did not start in a/b."


def test_a_reason_of_another_program_begins_with_a_capital() -> None:
    assert phrasebook.did_not_start("a/b", "1.5.0", "no Route") == "1.5.0 did not start in a/b. No Route."
    assert str(phrasebook.no_more_commands_today("no Room")).startswith("No Room.")
    assert phrasebook.unsound_plan("canary", [], "a Soak").remedy == "A Soak."
