"""What differs is found as Discord means it; what is dangerous is marked; a rename keeps the id."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.appcommands.diff import compare
from bot.domain.appcommands.normalization import digest, normal_manifest


def weather(**over):
    return {
        "name": "weather",
        "description": "Tells the weather",
        "options": [
            {"type": 3, "name": "city", "description": "Which city", "required": True},
            {"type": 4, "name": "days", "description": "How many", "min_value": 1, "max_value": 14},
        ],
        **over,
    }


def answered(command, command_id="77"):
    """As Discord gives it back: defaults filled in, fields of its own."""
    return {
        "id": command_id,
        "application_id": "1",
        "version": "2",
        "type": 1,
        "name_localizations": None,
        "description_localizations": None,
        "default_member_permissions": None,
        "dm_permission": True,
        "contexts": None,
        "integration_types": [0],
        "nsfw": False,
        **command,
    }


def test_what_discord_fills_in_is_no_difference():
    diff = compare([answered(weather())], [weather()])
    assert not diff and diff.unchanged == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"default_member_permissions": "8"}, {"default_member_permissions": 8}),
        ({"dm_permission": False}, {"contexts": [0]}),
        ({"contexts": [2, 0, 1]}, {"contexts": None}),
        ({"integration_types": [1, 0]}, {"integration_types": [0, 1]}),
        ({"nsfw": None}, {"nsfw": False}),
        ({"name_localizations": {}}, {"name_localizations": None}),
        (
            {"name_localizations": {"de": "wetter", "fr": "météo"}},
            {"name_localizations": {"fr": "météo", "de": "wetter"}},
        ),
        ({"type": None}, {"type": 1}),
    ],
)
def test_different_words_for_the_same_thing_are_equal(a, b):
    assert digest([weather(**a)]) == digest([weather(**b)])


def test_order_of_commands_means_nothing_and_order_of_options_something():
    other = {"name": "a", "description": "b"}
    assert digest([weather(), other]) == digest([other, weather()])
    turned = weather(options=list(reversed(weather()["options"])))
    diff = compare([answered(weather())], [turned])
    assert [c.path for c in diff.commands[0].changes] == ["options (order)"]


def test_contexts_mean_nothing_in_a_guild():
    diff = compare([answered(weather(contexts=[0]))], [weather()], guild=True)
    assert not diff


def test_changes_are_told_field_by_field():
    changed = weather(description="Foretells the weather")
    changed["options"][1] = {**changed["options"][1], "max_value": 7}
    found = compare([answered(weather())], [changed]).commands[0]
    assert found.what == "changed" and found.id == "77"
    assert {(c.path, c.before, c.after) for c in found.changes} == {
        ("description", "Tells the weather", "Foretells the weather"),
        ("options[days].max_value", 14, 7),
    }
    assert not found.dangers


def test_created_and_deleted():
    diff = compare([answered({"name": "old", "description": "was"})], [weather()])
    assert [(c.what, c.name) for c in diff.commands] == [("deleted", "old"), ("created", "weather")]
    assert diff.creates == 1
    assert any("deleted for everyone" in d for d in diff.dangers)


def test_a_rename_is_recognised_by_shape_and_keeps_the_id():
    diff = compare([answered(weather())], [weather(name="forecast")])
    (found,) = diff.commands
    assert (found.what, found.name, found.former_name, found.id) == ("renamed", "forecast", "weather", "77")
    assert diff.creates == 0 and "renamed from /weather" in diff.dangers[0]


def test_a_rename_with_a_small_change_is_still_a_rename():
    diff = compare([answered(weather())], [weather(name="forecast", description="Foretells the weather")])
    assert [c.what for c in diff.commands] == ["renamed"]
    assert [c.path for c in diff.commands[0].changes] == ["description"]


def test_bare_commands_of_other_meaning_are_no_rename():
    diff = compare(
        [answered({"name": "ping", "description": "Pong"})], [{"name": "help", "description": "Helps"}]
    )
    assert [c.what for c in diff.commands] == ["created", "deleted"]


def test_menu_commands_have_no_shape_to_be_known_by():
    diff = compare([answered({"type": 2, "name": "Ban", "description": ""})], [{"type": 2, "name": "Report"}])
    assert [c.what for c in diff.commands] == ["deleted", "created"]


def test_each_rename_takes_one_partner():
    present = [answered(weather(name=n), str(i)) for i, n in enumerate(("a", "b"))]
    diff = compare(present, [weather(name=n) for n in ("c", "d", "e")])
    assert sorted(c.what for c in diff.commands) == ["created", "renamed", "renamed"]
    assert len({c.id for c in diff.of("renamed")}) == 2


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"default_member_permissions": "8"}, {}, "more people"),
        ({"default_member_permissions": "0"}, {"default_member_permissions": "8"}, "more people"),
        ({"default_member_permissions": "24"}, {"default_member_permissions": "8"}, "more people"),
        ({}, {"contexts": [0]}, "outside servers"),
        ({"integration_types": [0, 1]}, {}, "installed the app"),
    ],
)
def test_dangerous_settings_are_marked(before, after, words):
    diff = compare([answered(weather(**before))], [weather(**after)])
    assert any(words in d for d in diff.dangers), diff


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"default_member_permissions": "8"}),
        ({"default_member_permissions": "8"}, {"default_member_permissions": "24"}),
        ({"default_member_permissions": "8"}, {"default_member_permissions": "0"}),
        ({"contexts": [0]}, {}),
    ],
)
def test_tightening_is_not_dangerous(before, after):
    diff = compare([answered(weather(**before))], [weather(**after)])
    assert diff and not diff.dangers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda o: o[1].update(type=3, min_value=None, max_value=None), "from integer to string"),
        (lambda o: o.pop(1), "removed"),
        (
            lambda o: o.insert(1, {"type": 3, "name": "new", "description": "n", "required": True}),
            "new required option",
        ),
        (lambda o: o[1].update(required=True), "becomes required"),
    ],
)
def test_dangerous_options_are_marked(change, words):
    changed = weather()
    change(changed["options"])
    assert any(words in d for d in compare([answered(weather())], [changed]).dangers)


names = st.text("abcdefg", min_size=1, max_size=4)
commands = st.builds(
    lambda name, description, options: {
        "name": name,
        "description": description,
        "options": [{"type": 3, "name": o, "description": "d"} for o in options],
    },
    names,
    st.text("xyz ", min_size=1, max_size=6),
    st.lists(names, unique=True, max_size=3),
)
manifests = st.lists(commands, unique_by=lambda c: c["name"], max_size=6)


@given(manifests)
def test_nothing_differs_from_itself(manifest):
    shuffled = random.Random(1).sample(manifest, len(manifest))
    assert not compare([answered(c, str(i)) for i, c in enumerate(manifest)], shuffled)


@given(manifests, manifests)
def test_applying_the_difference_gives_what_was_desired(present, desired):
    have = [answered(c, str(i)) for i, c in enumerate(present)]
    diff = compare(have, desired)
    gone = {c.name for c in diff.of("deleted")} | {c.former_name for c in diff.of("renamed")}
    after = {c["name"]: c for c in present if c["name"] not in gone}
    after |= {c.name: c.desired for c in diff.commands if c.what != "deleted"}
    assert normal_manifest(after.values()) == normal_manifest(desired)
    assert (digest(present) == digest(desired)) is not bool(diff)


def test_integers_written_as_floats_are_equal():
    a, b = weather(), weather()
    a["options"][1]["max_value"] = 14.0
    assert digest([a]) == digest([b])


def test_choices_are_told_by_name():
    def coloured(*names):
        option = {
            "type": 3,
            "name": "c",
            "description": "d",
            "choices": [{"name": n, "value": n} for n in names],
        }
        return {"name": "paint", "description": "Paints", "options": [option]}

    diff = compare([answered(coloured("red", "green"))], [coloured("red", "blue")])
    assert {c.path for c in diff.commands[0].changes} == {
        "options[c].choices[green]",
        "options[c].choices[blue]",
    }
