"""`/commands-sync` end to end against the sandbox: answers, files, pages, presses after a restart, who may what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.appcommands.applications import GLOBAL, Application, Scope
from bot.domain.appcommands.validation import validate
from bot.domain.secret import Secret
from bot.ui.interactions import responder
from tests.fakes.appcommands import command
from tests.support.responder import Stand, standing

Json = dict[str, Any]
WANTED = [command("greet", options=[{"type": 3, "name": "city", "description": "Where"}]), command("wave")]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as made:
        harbor = Scope(int(made.sandbox.guild_id()))
        greeter = Application("greeter", 5, Secret("t"), staging=(harbor,), production=(GLOBAL,))
        made.service.add(greeter, WANTED, harbor.guild_id)
        made.service.discord["greeter", GLOBAL] = [command("old", id="3", description="Once was")]
        yield made


async def ask(stand: Stand, what: str, user: str = "dev", **options: Any) -> Json:
    done = await stand.slash(user, f"commands-sync {what}", **options)
    assert done["state"] == "answered", done
    assert done["ephemeral"]
    return done


def text_of(done: Json) -> str:
    """As people see it: without what keeps words from formatting."""
    return str((done["message"] or done["followups"][-1])["text"]).replace("\\", "")


async def everything(stand: Stand) -> None:
    """Staging and production, each once."""
    await ask(stand, "apply", app="greeter", environment="staging")
    await ask(stand, "apply", app="greeter", environment="production", reason="a fair")


async def test_diff_shows_both_environments_to_anybody(stand: Stand) -> None:
    found = text_of(await ask(stand, "diff", "guest", app="greeter"))
    assert "greeter → staging" in found and "greeter → production" in found
    assert "server harbor" in found and "everywhere (global)" in found
    assert "/old deleted" in found
    only = text_of(await ask(stand, "diff", "guest", app="greeter", environment="staging"))
    assert "production" not in only
    assert ("read", int(stand.sandbox.person_id("guest"))) in stand.limiter.hits


async def test_a_large_difference_comes_with_a_file(stand: Stand) -> None:
    many = [{**WANTED[0], "name": f"greet-{n:02}"} for n in range(90)]
    stand.service.manifests["greeter"] = many
    done = await ask(stand, "diff", app="greeter", environment="production")
    file = done["message"]["attachments"][0]
    assert file["filename"] == "greeter-production.diff"
    async with stand.http.get(stand.sandbox.url + file["url"]) as answer:
        whole = await answer.text()
    assert all(f"/greet-{n:02} created" in whole for n in range(90))
    assert "the full difference is in the attached file" in text_of(done)


async def test_a_slow_difference_is_deferred_and_its_file_comes_all_the_same(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder, "DEFER_S", 0.5)  # long before Discord gives up, for a busy machine
    stand.service.manifests["greeter"] = [{**WANTED[0], "name": f"greet-{n:02}"} for n in range(90)]
    stand.service.stuck_s = 1.0
    done = await ask(stand, "diff", app="greeter", environment="production")
    assert done["callback"] == 5
    message = done["message"] or done["followups"][-1]
    assert [a["filename"] for a in message["attachments"]] == ["greeter-production.diff"]


async def test_unknown_applications_and_environments_offer_the_nearest(stand: Stand) -> None:
    assert "Did you mean `greeter`?" in text_of(await ask(stand, "diff", app="greter"))
    wrong = text_of(await ask(stand, "diff", app="greeter", environment="prod"))
    assert "Did you mean `production`?" in wrong


async def test_apply_begins_a_rollout_and_shows_what_it_changes(stand: Stand) -> None:
    done = text_of(await ask(stand, "apply", app="greeter", environment="staging", reason="a fair"))
    assert "Rollout 1" in done and "/greet created" in done
    rollout = stand.engine.rollouts[1]
    assert (rollout.lane.service, rollout.lane.environment) == ("greeter-commands", "staging")
    assert (rollout.reason, rollout.requester.name) == ("a fair", "Dev")
    again = text_of(await ask(stand, "apply", app="greeter", environment="staging"))
    assert "nothing was called" in again
    assert ("deploy", int(stand.sandbox.person_id("dev"))) in stand.limiter.hits


async def test_a_guest_may_look_but_not_apply(stand: Stand) -> None:
    refused = text_of(await ask(stand, "apply", "guest", app="greeter", environment="staging"))
    assert "You need the role" in refused
    assert stand.engine.rollouts == {}


async def test_production_waits_for_staging_unless_it_is_an_emergency_with_a_reason(stand: Stand) -> None:
    refused = text_of(await ask(stand, "apply", app="greeter", environment="production"))
    assert "not succeeded in staging" in refused
    mute = text_of(await ask(stand, "apply", app="greeter", environment="production", emergency=True))
    assert "A reason is required" in mute
    done = await ask(
        stand, "apply", app="greeter", environment="production", emergency=True, reason="on fire"
    )
    assert "Rollout 1" in text_of(done)
    assert stand.service.requests[-1].emergency  # type: ignore[union-attr]


async def test_a_bad_manifest_is_refused_with_every_mistake(stand: Stand) -> None:
    bad = [{"name": "Two Words", "description": ""}, {"name": "x" * 33}, {"type": 9, "name": "y"}]
    stand.service.manifests["greeter"] = bad
    for what, more in (("validate", {}), ("apply", {"environment": "staging"})):
        found = text_of(await ask(stand, what, app="greeter", **more))
        for mistake in validate(bad):
            assert mistake.path in found
    assert stand.engine.rollouts == {}
    stand.service.manifests["greeter"] = [{} for _ in range(30)]
    done = await ask(stand, "validate", app="greeter")
    assert done["message"]["attachments"][0]["filename"] == "greeter-mistakes.txt"


async def test_a_valid_manifest_is_said_to_be(stand: Stand) -> None:
    assert "Valid" in text_of(await ask(stand, "validate", app="greeter"))


async def test_a_backup_is_browsed_compared_and_restored_after_a_restart(stand: Stand) -> None:
    await everything(stand)
    listed = await ask(stand, "backups", app="greeter")
    assert "#1" in text_of(listed) and "#2" in text_of(listed)
    stand.line.rest()._connection._view_store._views.clear()  # as after a restart
    one = await stand.choose("dev", listed["message"]["id"], "Show a backup", "2")
    assert "Backup 2 of greeter" in text_of(one) and "/old" in text_of(one)
    compared = await stand.press("dev", one["message"]["id"], "Compare with now")
    assert "What restoring backup 2 would change" in text_of(compared)
    assert "/old created" in text_of(compared) and "/greet deleted" in text_of(compared)
    stand.engine.rollouts.clear()  # nothing else is under way
    opened = await stand.press("dev", compared["message"]["id"], "Restore")
    assert opened["state"] == "modal"
    done = await stand.submit("dev", opened["id"], Reason="the old one was better")
    assert "Set these by hand" in text_of(done)
    assert stand.engine.rollouts[1].reason == "the old one was better"
    assert [c["name"] for c in stand.service.there("greeter", GLOBAL)] == ["old"]


async def test_backups_and_history_have_pages(stand: Stand) -> None:
    await everything(stand)
    held, past = stand.service.kept[2], stand.service.lines[1]
    for number in range(3, 15):
        stand.service.kept[number] = _renumbered(held, number)
        stand.service.lines.append(_numbered(past, number))
    for what in ("backups", "history"):
        first = await ask(stand, what, app="greeter")
        older = await stand.press("dev", first["message"]["id"], "Older")
        assert text_of(older) != text_of(first)
        assert "Older" not in [b["label"] for b in older["message"]["buttons"]]


def _renumbered(held: Any, number: int) -> Any:
    from dataclasses import replace

    return replace(held, line=replace(held.line, id=number))


def _numbered(line: Any, number: int) -> Any:
    from dataclasses import replace

    return replace(line, id=number)


async def test_rollback_takes_a_backup_of_this_application_by_its_number(stand: Stand) -> None:
    await everything(stand)
    wrong = text_of(await ask(stand, "rollback", app="greeter", backup="yesterday"))
    assert "not the number of a backup" in wrong
    assert "no backup 99" in text_of(await ask(stand, "rollback", app="greeter", backup="99"))
    assert "belongs to `greeter`" in text_of(await ask(stand, "rollback", app="slipway", backup="2"))
    stand.engine.rollouts.clear()
    done = text_of(await ask(stand, "rollback", app="greeter", backup="#2", reason="worse"))
    assert "Rollout 1" in done


async def test_rollback_by_on_call_is_never_limited_and_others_are(stand: Stand) -> None:
    await everything(stand)
    stand.engine.rollouts.clear()
    stand.limiter.full["deploy"] = 9.0
    assert "Try again" in text_of(await ask(stand, "rollback", app="greeter", backup="2"))
    refused = text_of(await ask(stand, "rollback", "oncall", app="greeter", backup="2"))
    assert "Try again" not in refused


async def test_status_and_history_answer(stand: Stand) -> None:
    await everything(stand)
    found = text_of(await ask(stand, "status", "guest"))
    assert "greeter" in found and "answered in 42 ms" in found and "of 200 new commands used today" in found
    past = text_of(await ask(stand, "history", "guest", app="greeter"))
    assert "2 of 2 verified" in past and "“a fair”" in past


async def test_suggestions(stand: Stand) -> None:
    await everything(stand)
    for what in ("diff", "validate", "apply", "rollback", "backups", "status", "history"):
        found = await stand.suggest("dev", f"commands-sync {what}", "app", "gre")
        assert [c["value"] for c in found] == ["greeter"]
    lanes = await stand.suggest("dev", "commands-sync apply", "environment", app="greeter")
    assert [c["name"] for c in lanes] == ["staging — server harbor", "production — everywhere (global)"]
    numbers = await stand.suggest("dev", "commands-sync rollback", "backup", app="greeter")
    assert [c["value"] for c in numbers] == ["2", "1"]
    assert "production, everywhere (global), 1 command" in numbers[0]["name"]
    assert await stand.suggest("dev", "commands-sync rollback", "backup") == []


async def test_an_outage_is_a_visible_refusal(stand: Stand) -> None:
    stand.service.away = True
    assert "nothing changed" in text_of(await ask(stand, "diff", app="greeter"))
    assert await stand.suggest("dev", "commands-sync rollback", "backup", app="greeter") == []


async def test_without_applications_it_says_where_they_are_named(stand: Stand) -> None:
    client: Any = stand.line.rest()
    client.responder.commands = None
    assert "under `applications` in the catalog" in text_of(await ask(stand, "status"))
