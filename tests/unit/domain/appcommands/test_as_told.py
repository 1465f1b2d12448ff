"""Mistakes, differences, calls and canonical forms as they are told, each whole, in the files beside this module.

`python -m tests.unit.domain.appcommands.test_as_told` writes them again: read the diff.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.domain.appcommands import limits
from bot.domain.appcommands.applications import GLOBAL, PRODUCTION, STAGING, Application, Scope
from bot.domain.appcommands.calls import DiscordCall, calls
from bot.domain.appcommands.diff import CommandDiff, compare
from bot.domain.appcommands.normalization import (
    digest,
    normal_command,
    normal_manifest,
    sent_command,
    whole_command,
)
from bot.domain.appcommands.records import EMPTY, Accepted, Manifest, version_of
from bot.domain.appcommands.texts import characters
from bot.domain.appcommands.validation import budget, validate
from bot.domain.rollout.model import Lane
from bot.domain.secret import Secret
from tests.support.kept import keep, kept
from tests.support.rules.manifests import REFUSED, choice, command, option, sub, with_option

HERE = Path(__file__).parent
MISTAKES, DIFFERENCES, FORMS = HERE / "mistakes.txt", HERE / "differences.txt", HERE / "forms.txt"

# ---- mistakes ----------------------------------------------------------------------------------------------


def _group(name: str, *options: Any, **over: Any) -> dict[str, Any]:
    return {"type": 2, "name": name, "description": "A group", "options": list(options), **over}


# Beside those that the sandbox and Discord's description refuse as well.
MORE: Mapping[str, Any] = {
    "several characters": [command(name="a b☀!")],
    "a name of a menu": [{"type": 2, "name": "Two Words"}, {"type": 3, "name": " "}, {"type": 3, "name": "m" * 33}],
    "a menu's localised names": [
        {"type": 2, "name": "Ban", "name_localizations": {"de": "Ganz Weg", "xx": "a", "fr": "f" * 33}}
    ],
    "kinds of values": [command(name=value) for value in ({}, [], True, None, 0.5)],
    "settings": [command(nsfw=0, dm_permission="", default_permission=1)],
    "permissions": [command(name=f"c{i}", default_member_permissions=p) for i, p in enumerate(
        (True, 8.0, -1, "٣", str(limits.MAX_PERMISSIONS), str(limits.MAX_PERMISSIONS + 1), "0")
    )],
    "contexts": [command(name=f"c{i}", contexts=c) for i, c in enumerate(([0, True], "0", [3], [0, 1], [1, 1]))],
    "integration types": [command(integration_types=[])],
    "an entry point": [
        {"type": 4, "name": "Launch", "description": "d", "handler": "1", "options": [option()]}
    ],
    "types": [{"type": kind, "name": "a"} for kind in (True, 0, "1", 6)],
    "duplicates of two types": [command(), {"type": 2, "name": "weather"}, command(), command()],
    "an option's type": [command(options=[option(name=f"o{i}", type=t) for i, t in enumerate((True, None, "3", 0))])],
    "an option's bounds": [command(options=[
        option(name="a", type=4, min_value=0.5, max_value=True),
        option(name="b", type=10, min_value=-(2**53) - 1, max_value=2**53 + 1),
        option(name="c", type=4, min_value=-(2**53), max_value=2**53),
        option(name="d", min_length=True, max_length=6000.5),
        option(name="e", min_length=7, max_length=6),
        option(name="f", type=10, min_value=0.5, max_value=0.5),
    ])],
    "channel types": with_option(type=7, channel_types=[0, 0]),
    "choices of a number": with_option(type=10, choices=[
        choice(1, value="1"), choice(2, value=2**53), choice(3, value=2**53 + 1), choice(4, value=-(2**53))
    ]),
    "choices of a text": with_option(choices=[choice(1, value=1), choice(2, colour=3), {"value": "v"}]),
    "localised choices": with_option(
        choices=[choice(1, name_localizations={"de": "x" * 101, "xx": "y", "fr": "Eins"})]
    ),
    "autocomplete that is a text": with_option(autocomplete="yes"),
    "options of types that begin with a vowel": [command(options=[
        option(type=11, choices=[choice(1)]), option(name="b", type=4, min_length=1, channel_types=[0]),
        option(name="c", type=11, autocomplete=True, options=[option()], max_value=1),
    ])],
    "an option without anything": with_option(type=6, options=[], choices=[], channel_types=[]),
    "order of required options": [command(options=[
        option(name="a"), "b", option(name="c", required=False), option(name="d", required=True), option(name="e")
    ])],
    "sub-commands of sub-commands": [command(options=[
        _group("g", sub(options=[_group("h")])),
        _group("i", sub(options=[option(type=99)]), required=True),
        sub("x", options=[option(required="no")]),
    ])],
}  # fmt: skip


def _mistakes(manifest: Any) -> str:
    return "\n".join(map(str, validate(manifest))) or "none"


SAID = {**{name: refused[0] for name, refused in REFUSED.items()}, **MORE}


@pytest.mark.parametrize("name", SAID)
def test_mistakes_are_told_as_they_are_kept(name: str) -> None:
    assert _mistakes(SAID[name]) == kept(MISTAKES)[name]


@pytest.mark.parametrize(("creates", "said"), [(1, "1 new command"), (3, "3 new commands")])
def test_creations_above_a_days_limit_are_counted(creates: int, said: str) -> None:
    assert budget(creates, 200 - creates) is None
    assert str(budget(creates, 201 - creates)) == (
        f"$: {said} would exceed Discord's limit of 200 creations a day: "
        f"{201 - creates} were created in the last 24 hours"
    )


def test_characters_are_counted_with_the_longest_translation_of_each_text() -> None:
    inner = option(
        name="ab",
        description="abc",
        choices=[choice(1, name="abcd", value="abcde"), {"name": "a", "value": 7}, 3],
    )
    held = command(
        name="ab", description="abc", name_localizations={"de": "abcd", "fr": 3}, options=[inner, "x"]
    )
    assert characters(held) == (4 + 3) + (2 + 3) + (4 + 5) + 1
    assert characters({"options": 3, "name": None}) == 0


# ---- differences, and the calls that end them --------------------------------------------------------------


def _had(number: int, **over: Any) -> dict[str, Any]:
    return command(
        id=str(70 + number), application_id="1", version="2", default_member_permissions=None, **over
    )


CITY = [option(required=True), option(type=4, name="days", min_value=1, max_value=14)]
PAIRS: Mapping[str, tuple[list[Any], list[Any]]] = {
    "nothing": ([], []),
    "the same": ([_had(1)], [command()]),
    "the first": ([], [command()]),
    "the last is deleted": ([_had(1)], []),
    "one of many is created": ([_had(n, name=f"c{n}") for n in range(4)], [command(name=f"c{n}") for n in range(5)]),
    "one of many is deleted": ([_had(n, name=f"c{n}") for n in range(5)], [command(name=f"c{n}") for n in range(4)]),
    "three of many are changed": (
        [_had(n, name=f"c{n}") for n in range(4)],
        [command(name=f"c{n}", description="new" if n else "Tells the weather") for n in range(4)],
    ),
    "three of three are changed": (
        [_had(n, name=f"c{n}") for n in range(3)], [command(name=f"c{n}", description="new") for n in range(3)]
    ),
    "four of many are changed": (
        [_had(n, name=f"c{n}") for n in range(9)],
        [command(name=f"c{n}", description="new" if n < 4 else "Tells the weather") for n in range(9)],
    ),
    "renamed": (
        [_had(1, options=CITY), _had(2, name="b")],
        [command(name="forecast", options=CITY), command(name="b")],
    ),
    "renamed, with another created": (
        [_had(1, options=CITY), *(_had(n, name=f"c{n}") for n in range(2, 5))],
        [command(name="forecast", description="Foretells", options=CITY), command(name="new", description="Quite new"),
         *(command(name=f"c{n}") for n in range(2, 5))],
    ),
    "a menu and a command of one name": (
        [_had(1), {"type": 2, "name": "weather", "id": "9"}], [command(), {"type": 3, "name": "weather"}]
    ),
    "without ids": ([command(options=CITY)], [command(name="forecast", options=CITY)]),
    "everything": ([_had(1, options=CITY)], [command(
        description="New", nsfw=True, contexts=[0], integration_types=[1], default_member_permissions=8,
        name_localizations={"de": "wetter"}, description_localizations={"de": "Neu"},
        options=[option(type=6, description="Who"), option(name="new", required=True)],
    )]),
    "options": (
        [_had(1, options=[option(name=n) for n in "abc"])],
        [command(options=[
            option(name="c"), option(name="a", required=True), option(name="d"), option(name="e", required=True)
        ])],
    ),
    "options that are gone": ([_had(1, options=CITY)], [command()]),
    "options that are new": ([_had(1)], [command(options=CITY)]),
    "choices": (
        [_had(1, options=[option(choices=[choice(1), choice(2)])])],
        [command(options=[option(choices=[choice(2), choice(1, value="x"), choice(3)])])],
    ),
    "permissions": (
        [_had(n, name=f"c{n}") | {"default_member_permissions": p}
         for n, p in enumerate((None, "0", "8", "8", "24", "8"))],
        [command(name=f"c{n}", default_member_permissions=p) for n, p in enumerate(("8", "8", None, "24", "8", "0"))],
    ),
    "where they are used": (
        [_had(1, name="a", integration_types=[0, 1]), _had(2, name="b", contexts=[0]),
         _had(3, name="c", contexts=[0, 1])],
        [command(name="a"), command(name="b", contexts=[1]), command(name="c", contexts=[0])],
    ),
}  # fmt: skip


def _change(found: CommandDiff) -> list[str]:
    head = f"{found.what} {found.type} {found.name} id {found.id} was {found.former_name}"
    fields = (
        f"  {c.path}: {json.dumps(c.before)} → {json.dumps(c.after)}{f' ({c.danger})' if c.danger else ''}"
        for c in found.changes
    )
    return [f"{head}{f' ({found.danger})' if found.danger else ''}", *fields]


def _call(call: DiscordCall) -> str:
    sent = call.commands if call.kind == "overwrite" else call.command
    return f"→ {call.kind} {call.id}: {json.dumps(sent, ensure_ascii=False)}"


def _difference(present: list[Any], desired: list[Any]) -> str:
    diff = compare(present, desired)
    lines = [line for found in diff.commands for line in _change(found)]
    told = [f"! {danger}" for danger in diff.dangers]
    counted = f"{diff.unchanged} unchanged, {diff.creates} created"
    return "\n".join([counted, *lines, *told, *map(_call, calls(diff, desired, guild=False))])


@pytest.mark.parametrize("name", PAIRS)
def test_differences_and_their_calls_are_told_as_they_are_kept(name: str) -> None:
    assert _difference(*PAIRS[name]) == kept(DIFFERENCES)[name]


def test_in_a_guild_calls_say_nothing_about_contexts() -> None:
    desired = [command(contexts=[0], integration_types=[1]), *(command(name=f"c{n}") for n in range(3))]
    (created,) = calls(compare(desired[1:], desired, guild=True), desired, guild=True)
    (all_at_once,) = calls(compare([], desired, guild=True), desired, guild=True)
    assert created.command == sent_command(desired[0], guild=True) == all_at_once.commands[-1]
    assert "contexts" not in (created.command or {})
    had = [_had(1, name="former", options=CITY), _had(2, name="b")]
    (renamed,) = calls(compare(had, [command(options=CITY), command(name="b")], guild=True), [], guild=True)
    assert renamed.id == "71" and "contexts" not in (renamed.command or {"contexts": 1})


@pytest.mark.parametrize(("equal", "what"), [(5, ["renamed"]), (4, ["created", "deleted"])])
def test_commands_are_renamed_when_three_quarters_of_them_are_equal(equal: int, what: list[str]) -> None:
    """Equal: the type and some translations; the description is another one."""
    texts = dict.fromkeys(("de", "fr", "ja", "ko", "tr")[:equal], "a")
    had = command(id="7", name="old", description="a", name_localizations=texts)
    want = command(name="new", description="b", name_localizations=texts)
    assert sorted(c.what for c in compare([had], [want]).commands) == what


# ---- canonical forms ---------------------------------------------------------------------------------------

WRITTEN: Mapping[str, Any] = {
    "bare": {"name": "a"},
    "defaults": command(
        type=1, options=[], nsfw=False, contexts=[2, 1, 0], integration_types=[0], default_member_permissions=None,
        name_localizations={}, description_localizations={"de": None}, handler=None,
    ),
    "settings": command(nsfw=True, contexts=[2, 0, 2], integration_types=[1, 0, 1], default_member_permissions="8"),
    "permissions of none": command(default_member_permissions=0),
    "guilds only, as it was written earlier": command(dm_permission=False),
    "direct messages, as it was written earlier": command(dm_permission=True),
    "contexts before the earlier form": command(dm_permission=False, contexts=[1]),
    "what Discord adds": command(id="1", application_id="2", guild_id="3", version="4", name_localized="x"),
    "localised": command(name_localizations={"fr": "b", "de": "a"}, description_localizations={"fr": "d", "de": "c"}),
    "a menu": {"type": 2, "name": "Ban", "description": "not sent", "description_localizations": {"de": "x"}},
    "an entry point": {"type": 4, "name": "launch", "description": "d", "handler": 2,
                       "description_localizations": {"de": "x"}},
    "options": command(options=[
        option(required=False, autocomplete=True, min_length=0, max_length=9, name_localizations={"de": "ort"}),
        option(type=10, name="n", min_value=1.0, max_value=2.5, min_length=1, description_localizations={"de": "x"}),
        option(type=7, name="c", channel_types=[5, 0, 5], required=True, description=None),
        option(name="p", choices=[choice(1, name_localizations={"de": "x"}), choice(2, value=2.0), choice(3, value=0)]),
    ]),
    "sub-commands": command(options=[
        {"type": 2, "name": "g", "description": "G", "options": [sub(options=[option(required=True)])]}
    ]),
}  # fmt: skip


def _forms(written: Any) -> str:
    forms = {
        "canonical": normal_command(written),
        "in a guild": normal_command(written, guild=True),
        "sent": sent_command(written),
        "whole": whole_command(written),
        "whole in a guild": whole_command(written, guild=True),
    }
    return "\n".join(f"{name}: {json.dumps(form, ensure_ascii=False)}" for name, form in forms.items())


@pytest.mark.parametrize("name", WRITTEN)
def test_a_command_has_the_forms_that_are_kept(name: str) -> None:
    assert _forms(WRITTEN[name]) == kept(FORMS)[name]


def test_a_manifest_is_in_the_order_of_types_and_names_and_has_one_digest() -> None:
    commands = [{"type": 2, "name": "a"}, command(name="b"), command(name="a")]
    assert [(c["type"], c["name"]) for c in normal_manifest(commands)] == [(1, "a"), (1, "b"), (2, "a")]
    assert digest(commands) == digest(list(reversed(commands)))
    assert digest([command(description="ä\ud83d")]) == (
        "c04b993c5b198ed78224913085dd462d0c7256ef754a2988ddf9284109b3c760"
    )


# ---- records -----------------------------------------------------------------------------------------------


def test_a_manifest_is_known_by_its_digests_and_a_short_version() -> None:
    manifest = Manifest.of([command(contexts=[0])])
    assert (
        manifest.digest
        == digest(manifest.commands)
        != manifest.guild_digest
        == digest([command()], guild=True)
    )
    assert (manifest.digest_in(GLOBAL), manifest.digest_in(Scope(5))) == (
        manifest.digest,
        manifest.guild_digest,
    )
    assert manifest.version == version_of(manifest.digest) == manifest.digest[:12]
    assert EMPTY.version == version_of(EMPTY.digest) == "empty"


@pytest.mark.parametrize(
    ("candidate", "weight", "wanted"), [("c", 100, "c"), ("c", 99, "s"), ("", 100, "s"), ("c", 0, "s")]
)
def test_the_candidates_manifest_is_wanted_once_it_has_everything(
    candidate: str, weight: int, wanted: str
) -> None:
    assert Accepted(1, "s", candidate, weight).wanted == wanted


def test_an_application_is_a_service_with_two_lanes_and_their_scopes() -> None:
    one = Application("greeter", 7, Secret("t"), staging=(Scope(5),))
    assert one.lanes == (Lane("greeter-commands", "staging"), Lane("greeter-commands", "production"))
    assert one.lane(STAGING) == one.lanes[0]
    assert (one.scopes(STAGING), one.scopes(PRODUCTION)) == ((Scope(5),), (GLOBAL,))
    assert [str(scope) for scope in (GLOBAL, Scope(5))] == ["global", "5"]


@pytest.mark.parametrize("file", [MISTAKES, DIFFERENCES, FORMS], ids=lambda file: file.stem)
def test_the_files_have_these_cases_and_no_others(file: Path) -> None:
    assert list(kept(file)) == list({MISTAKES: SAID, DIFFERENCES: PAIRS, FORMS: WRITTEN}[file])


if __name__ == "__main__":
    keep(MISTAKES, {name: _mistakes(manifest) for name, manifest in SAID.items()})
    keep(DIFFERENCES, {name: _difference(*pair) for name, pair in PAIRS.items()})
    keep(FORMS, {name: _forms(written) for name, written in WRITTEN.items()})
