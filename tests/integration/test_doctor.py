"""`slipway doctor` against the sandbox, a real PostgreSQL and a real Redis: what it finds, and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from discord_sandbox import Sandbox

from bot.doctor import CheckLine, examinations, examine
from bot.doctor.discord import _application
from bot.settings import DiscordSettings
from tests.support.discord import discord_world
from tests.support.paths import ROOT
from tests.support.redis import redis_server

Found = dict[str, CheckLine]


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Sandbox]:
    monkeypatch.chdir(tmp_path)
    async with Sandbox(discord_world(), port=0) as sandbox:
        for name, value in {
            "DISCORD_TOKEN": sandbox.token("slipway"),
            "HERALD_TOKEN": sandbox.token("greeter"),
            "SLIPWAY_DISCORD_API_BASE": sandbox.api_base,
            "SLIPWAY_CONFIG_DIR": str(ROOT / "config" / "demo"),
            "SLIPWAY_DATA_DIR": str(tmp_path / "data"),
        }.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, dsn: str) -> str:
    monkeypatch.setenv("DATABASE_URL", dsn)
    return dsn


async def behind_the_back(sandbox: Sandbox, path: str, body: dict[str, Any]) -> None:
    address = f"{sandbox.url}/sandbox/v1/{path}"
    async with aiohttp.ClientSession() as session, session.patch(address, json=body) as answer:
        assert answer.status == 200, await answer.text()


def changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, old: str, new: str) -> None:
    """The demo's catalog with one change."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config" / "demo", folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(folder))


async def found() -> Found:
    """What was found by what was looked at; the worst of several lines."""
    lines: Found = {}
    async for line in examinations():
        known = lines.get(line.what)
        if known is None or known.mark != "bad":
            lines[line.what] = line
    return lines


async def test_all_that_a_deploy_needs_is_looked_at(sandbox: Sandbox, database: str) -> None:
    told: list[str] = []
    assert await examine(told.append)
    text = "\n".join(told)
    for what in (
        "program", "settings", "catalog", "data folder", "database", "schema", "Redis", "target local",
        "metrics router", "releases", "token", "clock", "application", "intents", "server harbor",
        "channel deploys", "channel alerts", "role deployer", "role on-call",
        "manifest of greeter", "token of greeter", "server harbor of greeter",
    ):  # fmt: skip
        assert f" {what}" in text
    assert "releases run as the host's user: trusted code only" in text
    assert "✗" not in text
    assert sandbox.token("slipway") not in text
    assert sandbox.token("greeter") not in text


def test_the_presence_intent_is_looked_at_where_it_is_asked_for() -> None:
    def said(flags: int, *, presences: bool) -> tuple[str, str]:
        application = {"id": "1", "name": "slipway", "flags": flags}
        (*_, line) = _application(DiscordSettings(presences=presences), application)
        return line.mark, line.found

    assert said(0, presences=False) == ("ok", "no privileged intent needed")
    assert said(1 << 12, presences=False) == (
        "ok",
        "no privileged intent needed; not needed but on: Presence",
    )
    for flag in (1 << 12, 1 << 13):
        assert said(flag, presences=True) == ("ok", "the Presence intent is needed and on")
    mark, found = said(1 << 14, presences=True)
    assert (mark, "the Presence intent is off" in found) == ("bad", True)


async def test_settings_that_other_users_can_read_are_told(
    sandbox: Sandbox, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".env"
    file.write_text("")
    for mode, mark in ((0o600, "ok"), (0o644, "warn")):
        file.chmod(mode)
        assert (await found())["settings"].mark == mark


async def test_a_release_source_that_does_not_answer_is_named(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    away = "{kind: registry, image: 127.0.0.1:9/checkout, spec: *spec}"
    changed(monkeypatch, tmp_path, "services.yaml", "releases: *releases", f"releases: {away}")
    lines = await found()
    assert lines["releases"].mark == "ok"
    line = lines["releases of search"]
    assert (line.mark, line.fix) == ("bad", "check services.search.releases in the catalog")
    assert line.found.startswith("The tags of 127.0.0.1:9/checkout cannot be read: ")


async def test_people_on_call_who_are_not_in_the_server_are_named(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config" / "demo", folder)
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(folder))
    keys = "time_zone: UTC, start: 2026-01-05"
    text = (
        f'people: {{ada: "{sandbox.person_id("oncall")}", alan: "200000000000000003"}}\n'
        f"on_call:\n  shop: {{people: [ada, alan], {keys}}}\n  search: {{people: [ada], {keys}}}\n"
    )
    (folder / "alerts.yaml").write_text(text)
    lines = await found()
    left = lines["on call for shop in harbor"]
    assert (left.mark, left.found) == ("warn", "not in the server: alan")
    assert "on_call.shop" in left.fix
    assert lines["on call for search in harbor"].mark == "ok"


async def test_the_embedded_database_is_looked_at_and_stopped_again(sandbox: Sandbox, tmp_path: Path) -> None:
    lines = await found()
    assert (lines["database"].mark, lines["schema"].mark) == ("ok", "warn")
    assert "embedded" in lines["database"].found
    assert not (tmp_path / "data/postgres/postmaster.pid").exists()


async def test_a_refused_token_is_one_line_and_ends_what_rests_on_it(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "MTIz.abcdef.refused-refused-refused-refused")
    lines = await found()
    assert lines["token"].mark == "bad"
    assert "Discord rejects it" in lines["token"].found
    assert "Reset Token" in lines["token"].fix
    assert "application" not in lines


async def test_a_missing_token_is_told(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISCORD_TOKEN")
    assert (await found())["token"].found == "SLIPWAY_DISCORD_TOKEN is not set"


async def test_a_permission_that_is_withdrawn_is_named_with_its_channel(
    sandbox: Sandbox, database: str
) -> None:
    denied = {"permissions": {"SEND_MESSAGES": False, "EMBED_LINKS": False}, "application": "slipway"}
    await behind_the_back(sandbox, "channels/alerts", denied)
    line = (await found())["channel alerts of harbor"]
    assert line.mark == "bad"
    assert line.found == "the bot lacks Send Messages, Embed Links in #alerts"


async def test_a_role_that_cannot_be_mentioned_is_a_warning(sandbox: Sandbox, database: str) -> None:
    await behind_the_back(sandbox, "roles/oncall", {"mentionable": False})
    assert (await found())["role on-call of harbor"].mark == "warn"


async def test_what_the_server_does_not_have_is_named_with_its_key(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config" / "demo", folder)
    team = folder / "team.yaml"
    team.write_text(
        team.read_text().replace("alerts: alerts", "alerts: alarm").replace(": oncall", ": on-duty")
    )
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(folder))
    lines = await found()
    assert "guilds.harbor.channels.alerts" in lines["channel alerts of harbor"].fix
    assert "there is no role on-duty" in lines["role on-call of harbor"].found


async def test_a_role_called_like_an_id_is_not_the_role_of_that_id(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    an_id = "424242424242424242"
    await behind_the_back(sandbox, "roles/deployer", {"name": an_id})
    changed(monkeypatch, tmp_path, "team.yaml", ": oncall", f': "{an_id}"')
    assert (await found())["role on-call of harbor"].found == f"there is no role {an_id}"


async def test_a_server_that_the_bot_is_not_in_gets_the_invite(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config" / "demo", folder)
    team = folder / "team.yaml"
    team.write_text(team.read_text().replace("1459747831315891395", "145974783131589139"))
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(folder))
    line = (await found())["server harbor"]
    assert line.mark == "bad"
    assert "scope=bot+applications.commands&permissions=" in line.fix


async def test_another_application_than_the_tokens_is_told(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD_APPLICATION_ID", "17")
    assert (await found())["application"].mark == "bad"


async def test_a_database_that_is_away_and_a_redis_that_is_away_are_told(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    told: list[str] = []
    assert not await examine(told.append, discord=False)
    assert [line.split(":")[0] for line in told if line.startswith("✗")] == ["✗ database", "✗ Redis"]
    assert "hunter2" not in "".join(told)
    assert told[-1] == "Fix the failed checks (✗) first."


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
async def test_a_redis_that_answers_is_well(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        assert (await found())["Redis"].mark == "ok"


async def test_discord_being_away_is_one_line(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD_API_BASE", "http://127.0.0.1:1/api/v10")
    assert (await found())["Discord"].mark == "bad"


async def test_wrong_settings_and_a_wrong_catalog_are_told_one_by_one(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(tmp_path / "nowhere"))
    lines = await found()
    assert lines["catalog"].mark == "bad"
    assert lines["token"].mark == "ok"
    assert "target local" not in lines
    monkeypatch.setenv("SLIPWAY_WEB_PROT", "1")
    monkeypatch.setenv("SLIPWAY_LOG_LEVEL", "loud")
    told: list[str] = []
    assert not await examine(told.append)
    assert len([line for line in told if line.startswith("✗ settings")]) == 2


async def test_a_data_folder_that_cannot_be_one_is_told(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SLIPWAY_DATA_DIR", str(tmp_path / "file"))
    assert (await found())["data folder"].mark == "bad"


# ---- applications with deployed slash commands ----


async def test_an_applications_token_that_is_refused_is_told_and_never_shown(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "MTIz.abcdef.refused-refused-refused-refused"
    monkeypatch.setenv("HERALD_TOKEN", refused)
    lines = await found()
    assert lines["token of greeter"].mark == "bad"
    assert lines["token of greeter"].found == "Discord rejects it"
    assert "Reset Token" in lines["token of greeter"].fix
    assert "server harbor of greeter" not in lines
    assert refused not in "".join(map(str, lines.values()))
    assert lines["token"].mark == lines["manifest of greeter"].mark == "ok"


async def test_the_token_of_another_application_is_told_with_both_ids(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERALD_TOKEN", sandbox.token("slipway"))
    line = (await found())["token of greeter"]
    assert line.mark == "bad"
    ids = {one["name"]: one["id"] for one in sandbox.describe()["applications"]}  # type: ignore[attr-defined]
    assert f"of application {ids['slipway']}; the catalog has {ids['greeter']}" in line.found
    assert "applications.greeter.id" in line.fix


async def test_a_server_where_an_application_may_have_no_commands_gets_its_invite(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed(
        monkeypatch, tmp_path, "applications.yaml", "staging: [harbor]", 'staging: ["145974783131589139"]'
    )
    lines = await found()
    line = lines["server 145974783131589139 of greeter"]
    assert (line.mark, lines["token of greeter"].mark) == ("bad", "ok")
    assert "scope=applications.commands&guild_id=145974783131589139" in line.fix


async def test_a_manifest_that_is_not_there_and_one_with_mistakes_are_told(
    sandbox: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_DEMO_MANIFESTS", "nowhere")
    line = (await found())["manifest of greeter"]
    assert line.mark == "bad" and "greeter-1.5.0.json" in line.found
    assert "applications.greeter.manifest" in line.fix

    folder = tmp_path / "manifests"
    folder.mkdir()
    for file in (ROOT / "config" / "demo" / "manifests").glob("greeter-*.json"):
        (folder / file.name).write_text('[{"name": "Not Lower Case", "description": ""}]')
    monkeypatch.setenv("SLIPWAY_DEMO_MANIFESTS", str(folder))
    line = (await found())["manifest of greeter"]
    assert line.mark == "bad" and "$[0].name" in line.found and "more" in line.found
    assert "slipway commands validate greeter" in line.fix
