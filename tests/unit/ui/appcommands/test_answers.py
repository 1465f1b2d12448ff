"""What `/commands-sync` says: the worst first, nothing cut in silence, everything in what Discord takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.appcommands.applications import GLOBAL, Scope
from bot.domain.appcommands.diff import compare
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.appcommands.validation import validate
from bot.engine.appcommands.api import (
    ApplicationStatus,
    ApplyResult,
    Backup,
    BackupLine,
    Comparison,
    EnvironmentStatus,
    History,
    HistoryLine,
    ManifestView,
    ManualStep,
    Restored,
    ScopeDiff,
    ScopeStatus,
    Validation,
    WatchFinding,
)
from bot.ui import escaping
from bot.ui.appcommands import answers, lists
from bot.ui.appcommands import wording as words
from bot.ui.appcommands.buttons import BackupSelect, ButtonId, RestoreForm, TouchButton
from bot.ui.appcommands.wording import place_of
from bot.ui.errors import Reply
from tests.fakes.appcommands import command
from tests.support import rollouts
from tests.support.components import payload, said

PLACE = place_of({77: "harbor"})
CITY = {"type": 3, "name": "city", "description": "Where"}
BEFORE = [
    command("greet", id="1", options=[CITY], default_member_permissions="32"),
    command("hi", id="2", options=[CITY, {"type": 4, "name": "times", "description": "How often"}]),
    command("old", id="3", description="Once was"),
    command("same", id="4"),
]
AFTER = [
    command("greet", options=[{**CITY, "type": 4, "required": True}]),
    {**BEFORE[1], "name": "hello"},
    command("wave", options=[CITY], nsfw=True),
    command("same"),
]


def compared(before: list[Any] = BEFORE, after: list[Any] = AFTER, *scopes: Scope, **more: Any) -> Comparison:
    view = ManifestView("f" * 64, "ffffffffffff", after, "manifests/greeter.json")
    found = [
        ScopeDiff(s, "e" * 64, len(before), compare(before, after, guild=not s.is_global))
        for s in scopes or (GLOBAL,)
    ]
    return replace(Comparison("greeter", "production", view, tuple(found)), **more)


def shown(reply: Reply) -> str:
    assert reply.view is not None
    assert reply.view.total_children_count <= 40
    found = said(reply.view)
    assert escaping.units(found) <= 4000
    payload(reply.view)
    return found


def test_every_kind_of_change_is_named_with_its_dangers_in_words() -> None:
    found = shown(answers.difference([compared()], PLACE))
    for expected in (
        "greeter → production",
        "4 commands would change",
        "1 deleted, 1 renamed, 1 changed, 1 created, 1 unchanged",
        "everywhere (global)",
        "/old deleted",
        "/hello renamed (was /hi)",
        "keeps its id",
        "/wave created",
        "string → integer",
        "manage guild → everyone",
        "DANGER",
        "more people can use it",
        "option becomes required",
    ):
        assert expected in found.replace("\\", ""), expected
    assert found.index("/old") < found.index("/wave"), "what is dangerous comes first"


def test_a_small_difference_needs_no_file_and_a_large_one_is_whole_in_it() -> None:
    assert answers.difference([compared()], PLACE).upload is None
    many = [
        command(f"command-{n:02}", options=[{**CITY, "name": f"o{m}"} for m in range(20)]) for n in range(60)
    ]
    reply = answers.difference([compared([], many)], PLACE)
    found = shown(reply)
    assert "60 commands would change" in found
    assert "more commands: the full difference is in the attached file" in found
    assert reply.upload is not None
    assert reply.upload.name == "greeter-production.diff"
    assert all(f"/command-{n:02} created" in reply.upload.content for n in range(60))


def test_many_changed_fields_are_counted_and_whole_in_the_file() -> None:
    before = [command("greet", id="1", options=[{**CITY, "name": f"o{m}"} for m in range(12)])]
    after = [command("greet", options=[{**CITY, "name": f"o{m}", "description": "New"} for m in range(12)])]
    reply = answers.difference([compared(before, after)], PLACE)
    assert "and 7 fields more" in shown(reply)
    assert reply.upload is not None
    assert reply.upload.content.count("+   options[o") == 12


def test_servers_that_differ_in_the_same_way_are_shown_once() -> None:
    found = shown(answers.difference([compared(BEFORE, AFTER, Scope(77), Scope(78))], PLACE))
    assert "server harbor, server 78" in found
    assert found.count("/wave created") == 1


def test_nothing_different_says_that_nothing_was_called() -> None:
    found = shown(answers.difference([compared(BEFORE, BEFORE)], PLACE))
    assert "No differences" in found
    assert "Nothing to apply" in found


def test_drift_and_mistakes_are_told_with_the_difference() -> None:
    one = compared()
    drifted = replace(one, scopes=(replace(one.scopes[0], drift="Someone changed it since."),))
    broken = replace(drifted, mistakes=(ManifestProblem("$[0].name", "is missing"),))
    found = shown(answers.difference([broken], PLACE))
    assert "Someone changed it since." in found
    assert "cannot be applied" in found
    assert "`$[0].name`" in found


def test_words_from_outside_neither_ping_nor_format() -> None:
    after = [{**command("greet"), "description": "@everyone **now** <@1> \n# big"}]
    found = shown(answers.difference([compared([command("greet", id="1")], after)], PLACE))
    assert "@everyone" not in found
    assert "<@1>" not in found
    assert "**now**" not in found


def test_the_text_file_signs_each_line() -> None:
    whole = words.whole_text(compared(), PLACE)
    for line in ("- /old deleted", "> /hello renamed (was /hi)", "~ /greet changed", "+ /wave created"):
        assert f"\n{line}\n" in whole
    assert "\n!   danger: deleted" in whole
    assert "\n-   options[city].type: string\n+   options[city].type: integer\n" in whole
    assert "@@ everywhere (global): " in whole


def test_values_are_said_as_people_say_them() -> None:
    assert words.value("default_member_permissions", "0") == "administrators only"
    assert words.value("default_member_permissions", "40") == "administrator and manage guild"
    assert words.value("contexts", [0, 1]) == "servers, messages with the bot"
    assert words.value("contexts", None) == "everywhere"
    assert words.value("integration_types", None) == "by servers"
    assert words.value("required", None) == "false"
    assert words.value("description", "x" * 900).endswith("…")
    assert words.called(2, "Report") == "Report (user command)"


def test_option_order_additions_and_removals_are_said() -> None:
    times = {"type": 4, "name": "times", "description": "How often", "required": True}
    choices = {**CITY, "choices": [{"name": "Oslo", "value": "osl"}]}
    before, after = [command("a", id="1", options=[CITY, times])], [command("a", options=[times, choices])]
    found = words.whole_text(compared(before, after), PLACE)
    assert "options (order): city, times → times, city" in found
    assert '+   options[city].choices[Oslo]: added: "osl"' in found
    gone = words.whole_text(compared(before, [command("a", options=[CITY])]), PLACE)
    assert '-   options[times]: removed: integer, required: "How often"' in gone


def test_all_mistakes_are_listed_and_too_many_are_a_file() -> None:
    few = validate([{"name": "Two Words"}, {"name": "x" * 40, "description": ""}])
    reply = answers.mistakes("greeter", few)
    found = shown(reply)
    assert reply.upload is None
    assert reply.outcome == "refused"
    assert all(f"`{one.path}`" in found for one in few)
    assert f"{len(few)} mistakes; nothing was sent to Discord" in found
    many = [ManifestProblem(f"$[{n}].name", "is missing") for n in range(60)]
    reply = answers.mistakes("greeter", many)
    assert "and 48 more: see the attached file" in shown(reply)
    assert reply.upload is not None
    assert all(str(one) in reply.upload.content for one in many)


def test_a_valid_manifest_is_said_to_be() -> None:
    view = ManifestView("f" * 64, "ffffffffffff", AFTER, "")
    found = shown(answers.validation(Validation("greeter", view, (), "manifests/greeter.json")))
    assert "Valid" in found
    assert "4 commands" in found
    wrong = Validation(
        "greeter", None, (ManifestProblem("$", "a manifest is a list"),), "manifests/greeter.json"
    )
    assert "1 mistake;" in shown(answers.validation(wrong))


async def test_an_apply_shows_its_rollout_and_what_it_changes() -> None:
    rollout = await rollouts.deployed(rollouts.engine())
    found = shown(answers.applied(ApplyResult(compared(), rollout, "2 created."), PLACE, "<#5>"))
    assert "Rollout 1" in found
    assert "<#5>" in found
    assert "/old deleted" in found
    same = ApplyResult(compared(BEFORE, BEFORE), None, "Nothing is different; nothing was called.")
    assert "nothing was called" in answers.applied(same, PLACE, "<#5>").content


async def test_a_restore_lists_what_must_be_set_by_hand() -> None:
    rollout = await rollouts.deployed(rollouts.engine())
    steps = tuple(ManualStep(GLOBAL, f"c{n}", "was allowed to deployers alone") for n in range(12))
    found = shown(answers.restored(Restored(compared(), rollout, steps, "2 created."), PLACE, "<#5>"))
    assert "Set these by hand" in found
    assert "and 4 more" in found
    same = answers.restored(Restored(compared(), None, (), "Discord has just that."), PLACE, "x")
    assert "just that" in shown(same)


def line(number: int = 1) -> BackupLine:
    return BackupLine(
        number,
        "greeter",
        "production",
        GLOBAL,
        rollouts.NOW,
        "d" * 64,
        "dddddddddddd",
        4,
        "rollout 3",
        "Lead",
        3,
        1,
    )


def test_backups_have_a_select_and_pages() -> None:
    found = [line(n) for n in range(20, 20 - lists.PAGE - 1, -1)]
    reply = lists.backups(found, "greeter", "production", PLACE, first=True)
    shown(reply)
    assert reply.view is not None
    items = list(reply.view.walk_children())
    select = next(i for i in items if isinstance(i, BackupSelect))
    assert [o.value for o in select.options] == [str(one.id) for one in found[: lists.PAGE]]
    older = next(i for i in items if isinstance(i, TouchButton))
    touch = ButtonId.parse(older.custom_id or "")
    assert touch == ButtonId("backups", found[lists.PAGE - 1].id, "greeter", "production")
    assert "No backups yet" in lists.backups([], "greeter", "", PLACE, first=True).content
    assert "Nothing older" in lists.backups([], "greeter", "", PLACE, first=False).content


def test_one_backup_offers_to_compare_and_to_restore() -> None:
    held = Backup(line(), BEFORE * 15, {}, (ManualStep(GLOBAL, "greet", "was for deployers"),))
    reply = lists.backup(held, PLACE)
    found = shown(reply)
    assert "/greet" in found
    assert "and 20 more" in found
    assert "was for deployers" in found
    assert reply.view is not None
    labels = [i.label for i in reply.view.walk_children() if isinstance(i, TouchButton)]
    assert labels == ["Compare with now", "Restore"]
    empty = lists.backup(replace(held, commands=[]), PLACE)
    assert "no commands" in shown(empty)


def test_hints_fit_into_a_choice() -> None:
    hint = lists.backup_hint(line(), rollouts.NOW + timedelta(hours=2), PLACE)
    assert hint == "production, everywhere (global), 4 commands dddddddddddd, 2 h ago"


def test_status_shows_versions_trends_and_findings() -> None:
    trend = tuple(ScopeStatus(GLOBAL, rollouts.NOW, float(ms), 4, "d") for ms in (10, 40, 80))
    away = ScopeStatus(Scope(77), rollouts.NOW, 5000.0, 4, "d", "Discord did not answer within 5 s.")
    one = EnvironmentStatus(
        "production",
        "ffffffffffff",
        "dddddddddddd",
        "Someone deleted /greet.",
        (trend[-1], away),
        trend,
        (WatchFinding("count", "4 commands, 20% fewer than before", rollouts.NOW),),
        None,
        None,
        12,
    )
    found = shown(lists.status([ApplicationStatus("greeter", 5, "file x.json", (one,))], PLACE))
    for expected in (
        "`dddddddddddd` · applied: `ffffffffffff`",
        "▂▅█",
        "10 to 80 ms",
        "did not answer",
        "drift",
        "20% fewer",
        "12 of 200 new commands used today",
    ):
        assert expected in found, expected
    assert "no application" in lists.status([], PLACE).content


def test_staging_that_was_tidied_up_is_no_difference() -> None:
    nothing: Any = ((), (), (), None, None, 0)
    staging = EnvironmentStatus("staging", "ffffffffffff", "empty", "", *nothing)
    production = EnvironmentStatus("production", "ffffffffffff", "ffffffffffff", "", *nothing)
    found = shown(
        lists.status([ApplicationStatus("greeter", 5, "file x.json", (staging, production))], PLACE)
    )
    assert "`ffffffffffff` was tried here and removed: production has it" in found


def test_forty_applications_fit_and_the_rest_is_counted() -> None:
    one = EnvironmentStatus("staging", None, None, "", (), (), (), None, None, 0)
    many = [ApplicationStatus(f"app-{n}", n, "file", (one, one)) for n in range(40)]
    assert "more; name an application" in shown(lists.status(many, PLACE))


def test_history_tells_results_and_the_rate_of_success() -> None:
    past = HistoryLine(
        9,
        "greeter",
        "production",
        GLOBAL,
        "Lead",
        "a fair",
        rollouts.NOW,
        "aaa",
        "bbb",
        "failed",
        "Refused: 30034",
        2,
        1,
        2300.0,
        4,
    )
    lines = tuple(replace(past, id=n) for n in range(20, 20 - lists.PAGE - 1, -1))
    reply = lists.history(History(lines, 9, 10), "greeter", PLACE, first=True)
    found = shown(reply)
    for expected in (
        "9 of 10 verified (90%)",
        "❌",
        "`aaa` → `bbb`",
        "took 2.3 s",
        "“a fair”",
        "Refused: 30034",
    ):
        assert expected in found, expected
    assert reply.view is not None
    assert any(isinstance(i, TouchButton) for i in reply.view.walk_children())
    assert "have been changed" in lists.history(History((), 0, 0), "", PLACE, first=True).content
    assert "older" in lists.history(History((), 0, 0), "", PLACE, first=False).content


def test_ids_say_everything_and_fit() -> None:
    touch = ButtonId("backups", 2**60, "a" * 40, "production")
    assert touch.fits
    assert ButtonId.parse(touch.custom_id) == touch
    assert not ButtonId("backups", 1, "a" * 41, "production").fits
    assert not ButtonId("backups", 1, "a:b", "production").fits
    assert ButtonId.parse("slipway:1:0:approve:") is None
    assert ButtonId.parse("slipway-commands:explode:1::") is None
    assert RestoreForm(ButtonId("restore", 7)).custom_id == "slipway-commands:restore:7::"
