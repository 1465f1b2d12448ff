"""What people and files may say that is wrong or hostile: a clear sentence, nothing pinged, nothing lost."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from demo.stories.stage import said
from tests.support.e2e import acts
from tests.support.e2e.stack import Stack, lanes, marks, opened
from tests.support.postgres import PostgresServer

pytestmark = marks("bad-input")
LANES = lanes("search/production", "checkout/production", rate=10)
SEARCH = {"service": "search", "environment": "production"}
HOSTILE = (
    "@everyone <@&1463758221977061363> **bold** [free](https://evil.example) `code` ||x|| # big\n> quote\n"
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return acts.copied_crew(tmp_path_factory.mktemp("catalog"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(postgres: PostgresServer, catalog: Path) -> AsyncIterator[Stack]:
    name = await postgres.fresh()
    async with opened(LANES, postgres.dsn(name), config=catalog) as it:
        yield it
    await postgres.drop(name)


async def begun(stack: Stack) -> int:
    """How many rollouts there are."""
    row = await stack.one("SELECT count(*) AS n FROM rollouts")
    return int(row["n"]) if row else 0


# ---- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence", "offered"),
    [
        (
            {"service": "serach", "version": "1.5.0", "environment": "production"},
            "no service `serach`",
            "search",
        ),
        ({**SEARCH, "version": "1.50"}, "no version `1.50`", "1.5.0"),
        (
            {"service": "search", "version": "1.5.0", "environment": "prod"},
            "no environment `prod`",
            "production",
        ),
        (
            {**SEARCH, "version": "1.4.0"},
            "search 1.4.0 already runs in production",
            "production",
        ),
    ],
)
async def test_names_that_are_not_there_get_the_nearest(
    stack: Stack, options: dict[str, str], sentence: str, offered: str
) -> None:
    before = await begun(stack)
    answer = await acts.command(stack, "dev", "deploy", **options)
    assert sentence in answer
    assert offered in answer
    assert await begun(stack) == before


async def test_the_other_commands_know_the_nearest_names_too(stack: Stack) -> None:
    for name, more in (("rollback", {}), ("lock", {"reason": "x"}), ("unlock", {}), ("status", {})):
        answer = await acts.command(stack, "lead", name, service="serach", environment="production", **more)
        assert "Did you mean `search`" in answer, name


async def test_a_length_of_time_that_is_none_is_explained(stack: Stack) -> None:
    answer = await acts.command(stack, "lead2", "lock", reason="x", **{**SEARCH, "for": "a while"})
    assert "is not a valid duration" in answer
    assert "2h" in answer
    assert await stack.rows("SELECT 1 FROM locks") == []


async def test_a_dry_run_shows_the_plan_and_what_is_in_the_way_and_changes_nothing(stack: Stack) -> None:
    before, last = await begun(stack), await stack.stage.last_message("deploys")
    options = {"service": "checkout", "environment": "production", "version": "1.5.0"}
    answer = await acts.command(stack, "dev2", "deploy", dry_run=True, **options)
    assert "Blocked" in answer
    assert "has not succeeded in staging within the last" in answer
    assert "50%" in answer
    assert "1.4.0" in answer
    assert await begun(stack) == before
    assert await stack.stage.last_message("deploys") == last
    assert await stack.rows("SELECT 1 FROM interactions") == []
    assert "Ready to deploy" in await acts.command(
        stack, "dev2", "deploy", dry_run=True, version="1.5.0", **SEARCH
    )


# ---- hostile words -----------------------------------------------------------------------------------------


async def test_four_thousand_hostile_characters_are_cut_and_ping_no_one(stack: Stack) -> None:
    last = {c: await stack.stage.last_message(c) for c in ("deploys", "alerts")}
    reason = (HOSTILE * 50)[:4000]
    assert "** started" in await acts.command(
        stack, "dev", "deploy", version="1.5.0", reason=reason, **SEARCH
    )
    id_ = await stack.newest("search", "production")
    await stack.phase(id_, "soaking")
    card = await stack.button(id_, "Roll back")
    assert "**bold**" not in card["text"]
    assert r"\*\*bold" in card["text"]
    assert "](https://evil" not in card["text"]
    locked = await acts.command(stack, "lead", "lock", **{**SEARCH, "reason": reason, "for": "1h"})
    assert "Locked" in locked
    await acts.act(stack, "oncall", id_, "rollback")
    await stack.phase(id_, "rolled_back")
    await stack.settled(id_)
    refused = await stack.stage.slash("dev", "deploy", version="1.5.0", **SEARCH)
    assert "was locked by Lead" in said(refused)
    assert refused["message"]["notified"] == []
    assert "Unlocked" in await acts.command(stack, "lead", "unlock", **SEARCH)
    for channel in ("deploys", "alerts"):
        for message in await stack.stage.messages(channel):
            if int(message["id"]) > last[channel]:
                # `dev` is told that someone else rolled it back; no one else has anything to do.
                assert set(message["notified"]) <= {"dev"}, message["text"]
    for message in await stack.thread(id_):
        assert message["notified"] == []
    row = await stack.rollout(id_)
    assert len(row["reason"]) <= 4000


@pytest.mark.parametrize(
    "word", ["@everyone", "<@&1463758221977061363>", "`x` **y**", "a" * 100, "\u202eevil"]
)
async def test_a_hostile_name_is_repeated_as_words_only(stack: Stack, word: str) -> None:
    answer = await stack.stage.slash("dev2", "deploy", service=word, version=word, environment=word)
    assert answer["ephemeral"]
    assert "There is no service" in said(answer)
    assert answer["message"]["notified"] == []


@pytest.mark.parametrize(
    ("custom", "sentence"),
    [
        ("slipway:999999:0:approve:", "no rollout #999999"),
        ("slipway:1:0:explode:", "another version of Slipway"),
        ("slipway:nonsense", "another version of Slipway"),
    ],
)
async def test_a_button_that_never_was_is_answered(stack: Stack, custom: str, sentence: str) -> None:
    answer = await stack.stage.slash("lead2", "history")
    pressed = await acts.pressed_raw(stack, "lead2", answer["message"]["id"], custom)
    assert pressed["ephemeral"]
    assert sentence in said(pressed)


async def test_a_reason_of_blanks_is_no_reason(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    answer = await acts.act(stack, "lead", id_, "promote", reason="     ")
    assert "reason" in said(answer)
    assert (await stack.rollout(id_))["phase"] == "soaking"
    await acts.rolled_back(stack, id_)


# ---- a catalog that changes ---------------------------------------------------------------------------------


async def reload(stack: Stack, how: str) -> str:
    """Reloads; what the administrator, or the log, is told."""
    if how == "signal":
        log = stack.demo.child("bot").log
        before = log.read_text().count('"catalog_reload"')
        os.kill(stack.bot_pid, signal.SIGHUP)

        async def look() -> str | None:
            lines = [line for line in log.read_text().splitlines() if '"catalog_reload"' in line]
            return lines[-1] if len(lines) > before else None

        return await stack.until("the reload", look)
    headers = {"Authorization": "Bearer sandbox-admin-token"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stack.demo.bot_url}/admin/reload", headers=headers) as answer,
    ):
        return await answer.text()


@pytest.mark.parametrize("how", ["signal", "http"])
async def test_a_wrong_catalog_is_not_taken_and_a_mended_one_is(
    stack: Stack, catalog: Path, how: str
) -> None:
    file, version = catalog / "services.yaml", f"1.6.{len(how)}"
    sound = file.read_text()
    newer = sound.replace(
        "- {version: 1.5.3, commit: 44de1ab}", f"- {{version: {version}, commit: 44de1ab}}", 1
    )
    file.write_text(newer.replace("policy: starved", "policy: starving"))
    assert "starving" in await reload(stack, how)
    assert version not in await offered(stack)
    file.write_text(newer)
    assert "starving" not in await reload(stack, how)
    assert version in await offered(stack)
    file.write_text(sound)
    await reload(stack, how)
    assert version not in await offered(stack)


async def offered(stack: Stack) -> set[str]:
    """The versions that `/deploy` offers."""
    body = {"user": "dev", "channel": "deploys", "command": "deploy", "option": "version", "value": ""}
    found = await stack.stage.call("POST", "autocomplete", {**body, "options": {"service": "search"}})
    return {choice["value"] for choice in found["choices"]}
