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
from tests.e2e import acts
from tests.e2e.world import World, lanes, marks, opened
from tests.support.postgres import PostgresServer

pytestmark = marks("bad-input")
LANES = lanes("search/production", "checkout/production", rate=10)
ROOT = Path(__file__).parents[2]
SEARCH = {"service": "search", "environment": "production"}
HOSTILE = (
    "@everyone <@&1463758221977061363> **bold** [free](https://evil.example) `code` ||x|| # big\n> quote\n"
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return acts.copied_crew(tmp_path_factory.mktemp("catalog"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(postgres: PostgresServer, catalog: Path) -> AsyncIterator[World]:
    name = await postgres.fresh()
    async with opened(LANES, postgres.dsn(name), config=catalog) as it:
        yield it
    await postgres.drop(name)


async def begun(world: World) -> int:
    """How many rollouts there are."""
    row = await world.one("SELECT count(*) AS n FROM rollouts")
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
    world: World, options: dict[str, str], sentence: str, offered: str
) -> None:
    before = await begun(world)
    answer = await acts.command(world, "dev", "deploy", **options)
    assert sentence in answer
    assert offered in answer
    assert await begun(world) == before


async def test_the_other_commands_know_the_nearest_names_too(world: World) -> None:
    for name, more in (("rollback", {}), ("lock", {"reason": "x"}), ("unlock", {}), ("status", {})):
        answer = await acts.command(world, "lead", name, service="serach", environment="production", **more)
        assert "Did you mean `search`" in answer, name


async def test_a_length_of_time_that_is_none_is_explained(world: World) -> None:
    answer = await acts.command(world, "lead2", "lock", reason="x", **{**SEARCH, "for": "a while"})
    assert "is not a valid duration" in answer
    assert "2h" in answer
    assert await world.rows("SELECT 1 FROM locks") == []


async def test_a_dry_run_shows_the_plan_and_what_is_in_the_way_and_changes_nothing(world: World) -> None:
    before, last = await begun(world), await world.stage.last_message("deploys")
    options = {"service": "checkout", "environment": "production", "version": "1.5.0"}
    answer = await acts.command(world, "dev2", "deploy", dry_run=True, **options)
    assert "Blocked" in answer
    assert "has not succeeded in staging within the last" in answer
    assert "50%" in answer
    assert "1.4.0" in answer
    assert await begun(world) == before
    assert await world.stage.last_message("deploys") == last
    assert await world.rows("SELECT 1 FROM interactions") == []
    assert "Ready to deploy" in await acts.command(
        world, "dev2", "deploy", dry_run=True, version="1.5.0", **SEARCH
    )


# ---- hostile words -----------------------------------------------------------------------------------------


async def test_four_thousand_hostile_characters_are_cut_and_ping_nobody(world: World) -> None:
    last = {c: await world.stage.last_message(c) for c in ("deploys", "alerts")}
    reason = (HOSTILE * 50)[:4000]
    assert "** started" in await acts.command(
        world, "dev", "deploy", version="1.5.0", reason=reason, **SEARCH
    )
    id_ = await world.newest("search", "production")
    await world.phase(id_, "soaking")
    card = await world.button(id_, "Roll back")
    assert "**bold**" not in card["text"]
    assert r"\*\*bold" in card["text"]
    assert "](https://evil" not in card["text"]
    locked = await acts.command(world, "lead", "lock", **{**SEARCH, "reason": reason, "for": "1h"})
    assert "Locked" in locked
    await acts.act(world, "oncall", id_, "rollback")
    await world.phase(id_, "rolled_back")
    await world.settled(id_)
    refused = await world.stage.slash("dev", "deploy", version="1.5.0", **SEARCH)
    assert "was locked by Lead" in said(refused)
    assert refused["message"]["notified"] == []
    assert "Unlocked" in await acts.command(world, "lead", "unlock", **SEARCH)
    for channel in ("deploys", "alerts"):
        for message in await world.stage.messages(channel):
            if int(message["id"]) > last[channel]:
                # `dev` is told that somebody else rolled it back; nobody else has anything to do.
                assert set(message["notified"]) <= {"dev"}, message["text"]
    for message in await world.thread(id_):
        assert message["notified"] == []
    row = await world.rollout(id_)
    assert len(row["reason"]) <= 4000


@pytest.mark.parametrize(
    "word", ["@everyone", "<@&1463758221977061363>", "`x` **y**", "a" * 100, "\u202eevil"]
)
async def test_a_hostile_name_is_repeated_as_words_only(world: World, word: str) -> None:
    answer = await world.stage.slash("dev2", "deploy", service=word, version=word, environment=word)
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
async def test_a_button_that_never_was_is_answered(world: World, custom: str, sentence: str) -> None:
    answer = await world.stage.slash("lead2", "history")
    pressed = await acts.pressed_raw(world, "lead2", answer["message"]["id"], custom)
    assert pressed["ephemeral"]
    assert sentence in said(pressed)


async def test_a_reason_of_blanks_is_no_reason(world: World) -> None:
    id_ = await acts.soaking(world)
    answer = await acts.act(world, "lead", id_, "promote", reason="     ")
    assert "reason" in said(answer)
    assert (await world.rollout(id_))["phase"] == "soaking"
    await acts.rolled_back(world, id_)


# ---- a catalog that changes ---------------------------------------------------------------------------------


async def reload(world: World, how: str) -> str:
    """Reloads; what the administrator, or the log, is told."""
    if how == "signal":
        log = world.demo.child("bot").log
        before = log.read_text().count('"catalog_reload"')
        os.kill(world.bot_pid, signal.SIGHUP)

        async def look() -> str | None:
            lines = [line for line in log.read_text().splitlines() if '"catalog_reload"' in line]
            return lines[-1] if len(lines) > before else None

        return await world.until("the reload", look)
    headers = {"Authorization": "Bearer sandbox-admin-token"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{world.demo.bot_url}/admin/reload", headers=headers) as answer,
    ):
        return await answer.text()


@pytest.mark.parametrize("how", ["signal", "http"])
async def test_a_wrong_catalog_is_not_taken_and_a_mended_one_is(
    world: World, catalog: Path, how: str
) -> None:
    file, version = catalog / "services.yaml", f"1.6.{len(how)}"
    sound = file.read_text()
    newer = sound.replace(
        "- {version: 1.5.3, commit: 44de1ab}", f"- {{version: {version}, commit: 44de1ab}}", 1
    )
    file.write_text(newer.replace("policy: starved", "policy: starving"))
    assert "starving" in await reload(world, how)
    assert version not in await offered(world)
    file.write_text(newer)
    assert "starving" not in await reload(world, how)
    assert version in await offered(world)
    file.write_text(sound)
    await reload(world, how)
    assert version not in await offered(world)


async def offered(world: World) -> set[str]:
    """The versions that `/deploy` offers."""
    body = {"user": "dev", "channel": "deploys", "command": "deploy", "option": "version", "value": ""}
    found = await world.stage.call("POST", "autocomplete", {**body, "options": {"service": "search"}})
    return {choice["value"] for choice in found["choices"]}
