"""The language of scenarios: every line has one meaning, and a line without one is answered with the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stories import runner
from demo.stories.language import GROUPS, VERBS, Lane, StoryError, Verb, parse

assert runner  # importing it registers the verbs
FILE = Path("a.txt")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.pattern)
def test_the_example_of_a_verb_has_that_meaning_alone(verb: Verb) -> None:
    assert parse(f"{verb.example}\n", FILE).lines[0].verb is verb
    assert verb.group in GROUPS
    assert verb.help.endswith(".")


def test_values_come_as_what_they_mean() -> None:
    text = (
        "dev: /lock service:checkout environment:staging reason:load test: all day for:2h\n"
        "wait until 1.5.0 serves 2.5% of checkout in staging within 2 minutes\n"
        'the answer says "one, two" and "three"\n'
        "the card has [Roll back] [Close]\n"
        "wait until greeter has no commands everywhere and /wave, /greet in the server\n"
    )
    lock, share, says, has, commands = (line.values for line in parse(text, FILE).lines)
    assert lock["options"] == {
        "service": "checkout",
        "environment": "staging",
        "reason": "load test: all day",
        "for": "2h",
    }
    assert share == {"version": "1.5.0", "share": 0.025, "lane": Lane("checkout", "staging"), "time": 120.0}
    assert says["words"] == ("one, two", "three")
    assert has["buttons"] == ("Roll back", "Close")
    assert (commands["commands"], commands["here"]) == ((), ("greet", "wave"))


def test_a_subcommand_is_part_of_the_command() -> None:
    (line,) = parse("dev: /commands-sync diff app:greeter\n", FILE).lines
    assert (line.values["command"], line.values["options"]) == ("commands-sync diff", {"app": "greeter"})


def test_unknown_lines_are_all_named_with_their_place_and_the_nearest_verb() -> None:
    text = "# fine\n\nlead press [Approve]\nwait 10 minutes\nthe database is gone for 5 s\n"
    with pytest.raises(StoryError) as raised:
        parse(text, FILE)
    first, second = str(raised.value).splitlines()
    assert first.startswith("a.txt:3: no verb for 'lead press [Approve]'. Nearest: {who} presses [{button}]")
    assert second.startswith(
        "a.txt:5: no verb for 'the database is gone for 5 s'. Nearest: the database is away"
    )


def test_what_is_expected_follows_a_verb() -> None:
    with pytest.raises(StoryError, match=r"a\.txt:2: an indented line"):
        parse("# a comment\n    00:00  card  checkout\n", FILE)


def test_a_channel_at_the_beginning_of_a_line_is_no_comment() -> None:
    comment, verb = parse("# alerts stays silent\n#alerts stays silent\n", FILE).lines
    assert comment.verb is None
    assert verb.verb is not None


def test_rewriting_keeps_everything_but_what_happened() -> None:
    text = "# why\n\n== one ==\nwait 1 s\n    00:01  old\n\nwait 2 s\n"
    rewritten = parse(text, FILE).rewritten({4: ["00:01  new", "00:01  newer"]})
    assert rewritten == "# why\n\n== one ==\nwait 1 s\n    00:01  new\n    00:01  newer\n\nwait 2 s\n"
