"""The command line as a program: what it prints, its exit codes, and never a traceback for what people do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest
from discord_sandbox import Sandbox

from bot import __version__
from demo.children import free_port
from tests.support.catalog_files import changed, write
from tests.support.cli import Cli
from tests.support.discord import discord_world
from tests.support.paths import ROOT

SERVER = (
    "import http.server as h, sys;"
    "h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"
)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    command = json.dumps(["{python}", "-c", SERVER, "{port}"])
    text = changed(
        (
            'command: [run, "{version}"], ready: {path: /healthz, timeout: 15s}',
            f"command: {command}, ready: {{path: /}}",
        ),
        ("router: 8401", f"router: {free_port()}"),
        ('"0.0.0.0:8402"', str(free_port())),
    )
    write(tmp_path / "config", all=text)
    return Cli(tmp_path)


@pytest.fixture
async def host(cli: Cli) -> AsyncIterator[Cli]:
    """The same, and a host that it started is gone afterwards."""
    yield cli
    await cli.stop_host()


async def test_it_tells_its_version_and_its_commands(cli: Cli) -> None:
    assert await cli("version") == (0, f"{__version__}\n", "")
    said = await cli("--help")
    for command in ("abort", "bootstrap", "config", "doctor", "host", "migrate", "run", "status"):
        assert f"  {command} " in said.out


async def test_wrong_usage_is_exit_code_2(cli: Cli) -> None:
    assert (await cli("nonsense")).code == 2
    assert (await cli("abort", "checkout")).code == 2


async def test_a_sound_catalog_is_told_in_a_line(cli: Cli) -> None:
    assert await cli("config", "check") == (0, "✓ 1 guild, 1 service, 2 lanes\n", "")


async def test_a_catalog_with_mistakes_is_exit_code_3_and_all_of_them(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "wrong", all=changed(("soak: 30m", "soak: soon"), ("target: local", "target: locl")))
    said = await cli("config", "check", "wrong")
    assert said.code == 3
    assert said.err.endswith("✗ 2 mistakes\n")
    assert said.err.startswith("wrong/all.yaml:")
    assert (await cli("status", SLIPWAY_CONFIG_DIR="wrong")).code == 3


async def test_the_schema_is_json(cli: Cli) -> None:
    said = await cli("config", "schema")
    assert json.loads(said.out)["title"] == "Slipway catalog"


async def test_what_the_catalog_comes_to_is_shown_without_secrets(cli: Cli) -> None:
    said = await cli("config", "show")
    assert "checkout/production on local" in said.out
    assert "gate leads: 2 approvals from lead within 1 h" in said.out
    text = changed(
        ("drain: 500ms", "drain: 500ms, env: {API_KEY: abc, PLAIN: hunter2-hunter2, OTHER: shown}")
    )
    write(cli.folder / "config", all=text)
    said = await cli("config", "show", "--full", PRICE_SECRET="hunter2-hunter2")
    assert said.code == 0
    assert "OTHER: shown" in said.out
    assert "hunter2" not in said.out
    assert "API_KEY: abc" not in said.out
    said = await cli("config", "show", "--settings", DISCORD_TOKEN="hunter2-hunter2")
    assert "SLIPWAY_DISCORD_TOKEN=(set)" in said.out
    assert "hunter2" not in said.out


async def test_wrong_settings_are_exit_code_3_and_all_of_them(cli: Cli) -> None:
    said = await cli("status", SLIPWAY_WEB_PROT="1", SLIPWAY_WEB_PORT="x")
    assert said.code == 3
    assert len(said.err.splitlines()) == 2


async def test_running_without_a_token_is_a_sentence(cli: Cli) -> None:
    said = await cli("run", DISCORD_TOKEN="")
    assert said.code == 3
    assert said.err.startswith("SLIPWAY_DISCORD_TOKEN is not set")


async def test_a_first_release_is_started_and_seen(host: Cli) -> None:
    said = await host("bootstrap", "checkout", "staging", "1.0")
    assert said.code == 0, said.err
    address = said.out.split(" at ")[1].strip()
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200
    found = json.loads((await host("status", "--json")).out)
    assert [(r["version"], r["weight"], r["state"]) for r in found["checkout/staging"]["running"]] == [
        ("1.0", 100, "ready")
    ]
    assert found["checkout/production"]["running"] == []
    assert "1.0          100%  ready" in (await host("status", "checkout")).out
    assert f"checkout/staging  {address}" in (await host("host", "status")).out


async def test_a_second_first_release_is_refused(host: Cli) -> None:
    assert (await host("bootstrap", "checkout", "staging", "1.0")).code == 0
    said = await host("bootstrap", "checkout", "staging", "2.0")
    assert said.code == 1
    assert said.err == "checkout/staging already runs 1.0. Use `/deploy`.\n"


async def test_several_first_releases_are_checked_before_any_starts(host: Cli) -> None:
    wrong = ("checkout", "staging", "1.0", "chekout", "staging", "1.0", "checkout", "production", "0.1")
    said = await host("bootstrap", *wrong)
    assert said.code == 1
    assert [line.partition(".")[0] for line in said.err.splitlines()] == [
        "There is no service `chekout`",
        "There is no version `0",
    ]
    assert not json.loads((await host("status", "--json")).out)["checkout/staging"]["running"]

    said = await host("bootstrap", "checkout", "staging", "1.0", "checkout", "production", "2.0")
    assert (said.code, said.err) == (0, "")
    assert {line.partition(" at ")[0] for line in said.out.splitlines()} == {
        "✓ checkout/staging runs 1.0",
        "✓ checkout/production runs 2.0",
    }

    said = await host("bootstrap", "checkout", "staging")
    assert said.code == 2
    assert "Each lane takes three words" in said.err


async def test_a_lane_that_the_database_owns_gets_its_releases_by_rollouts_alone(host: Cli, dsn: str) -> None:
    await execute(
        dsn,
        "INSERT INTO lanes (service, environment, generation, desired, updated_at) "
        "VALUES ('checkout', 'staging', 1, '{}', now()) RETURNING 1",
    )
    said = await host("bootstrap", "checkout", "staging", "1.0", DATABASE_URL=dsn)
    assert said.code == 1
    assert said.err.startswith("Slipway's database already owns checkout/staging")
    assert said.err.endswith("Use `/deploy`.\n")
    assert (await host("bootstrap", "checkout", "production", "1.0", DATABASE_URL=dsn)).code == 0
    away = await host("bootstrap", "checkout", "staging", "1.0", DATABASE_URL="postgresql://u@127.0.0.1:1/x")
    assert (away.code, "database does not answer" in away.err) == (5, True)


async def test_status_leaves_slash_commands_to_the_command_that_shows_them(cli: Cli) -> None:
    demo = str(ROOT / "config" / "demo")
    said = await cli("status", SLIPWAY_CONFIG_DIR=demo)
    assert said.code == 0, said.err
    assert "checkout/staging" in said.out
    assert "greeter-commands" not in said.out
    said = await cli("status", "greeter-commands", SLIPWAY_CONFIG_DIR=demo)
    assert (said.code, "`slipway commands health` shows what Discord serves" in said.err) == (1, True)


async def test_a_first_release_that_dies_is_told(host: Cli, tmp_path: Path) -> None:
    text = changed(('[run, "{version}"]', '["{python}", "-c", "import sys; sys.exit(\'no prices\')"]'))
    write(tmp_path / "config", all=text)
    said = await host("bootstrap", "checkout", "staging", "1.0", "--wait", "20")
    assert said.code == 1
    assert "did not start" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chekout", "staging", "1.0"), "There is no service `chekout`. Did you mean `checkout`?"),
        (("checkout", "stagin", "1.0"), "Did you mean `staging`?"),
        (("checkout", "staging", "1.1"), "There is no version `1.1` of checkout. Did you mean `1.0`"),
    ],
)
async def test_names_that_are_not_there_get_the_nearest(cli: Cli, words: tuple[str, ...], said: str) -> None:
    found = await cli("bootstrap", *words)
    assert found.code == 1
    assert said in found.err


async def test_an_abort_needs_neither_catalog_nor_sound_settings(host: Cli, tmp_path: Path) -> None:
    assert (await host("bootstrap", "checkout", "staging", "1.0")).code == 0
    write(tmp_path / "config", all="services: [")
    said = await host("abort", "checkout", "staging", "--reason", "drill", SLIPWAY_WEB_PROT="1")
    assert said.code == 0, said.err
    assert said.out.splitlines()[0] == "✓ checkout/staging: all traffic goes to stable (generation 2)"
    assert "1.0          100%  ready" in said.out
    assert said.err.startswith("! SLIPWAY_WEB_PROT is not a setting.")


async def test_an_abort_of_a_lane_that_is_not_there_says_so(host: Cli) -> None:
    said = await host("abort", "nothing", "nowhere")
    assert said.code == 1
    assert "nothing/nowhere" in said.err


async def test_what_no_one_answers_is_exit_code_5(cli: Cli) -> None:
    assert (await cli("host", "status")).code == 5
    assert (await cli("host", "stop")).code == 5
    said = await cli("status")
    assert said.code == 0
    assert "✗ No host answers" in said.out
    assert (await cli("migrate", DATABASE_URL="postgresql://u:p@127.0.0.1:1/x")).code == 5


async def test_the_schema_of_the_database_is_brought_up(cli: Cli, dsn: str) -> None:
    said = await cli("migrate", DATABASE_URL=dsn)
    assert said.code == 0
    assert said.out.startswith("✓ the schema is at ")


async def test_a_port_that_is_taken_is_a_sentence(cli: Cli, dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = await cli("run", DATABASE_URL=dsn, DISCORD_TOKEN="MTIz.x.y", SLIPWAY_WEB_PORT=port)
    assert said.code == 1
    assert "address already in use. Stop the other program or set SLIPWAY_WEB_PORT." in said.err


async def test_a_data_folder_that_cannot_be_written_is_a_sentence(cli: Cli) -> None:
    (cli.folder / "data").write_text("")
    said = await cli("migrate")
    assert said.code == 1
    assert str(cli.folder / "data") in said.err


async def execute(dsn: str, *statements: str) -> list[object]:
    connection = await asyncpg.connect(dsn)
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


async def test_a_backup_brings_back_what_was_lost(cli: Cli, dsn: str) -> None:
    await execute(dsn, "CREATE TABLE kept AS SELECT 42 AS it")
    said = await cli("backup", "slipway.dump", DATABASE_URL=dsn)
    assert said.code == 0, said.err
    assert (cli.folder / "slipway.dump").stat().st_mode & 0o077 == 0
    assert [f.name for f in cli.folder.glob(".slipway.dump*")] == []
    await execute(dsn, "UPDATE kept SET it = 0", "DROP TABLE rollouts CASCADE")
    said = await cli("restore", "slipway.dump", "--yes", DATABASE_URL=dsn)
    assert said.code == 0, said.err
    assert await execute(dsn, "SELECT it FROM kept", "SELECT count(*) FROM rollouts") == [42, 0]


async def test_a_password_is_not_among_the_arguments_that_every_user_of_the_machine_can_read(
    cli: Cli, dsn: str
) -> None:
    await execute(dsn, "CREATE TABLE kept AS SELECT 42 AS it")
    place = urlsplit(dsn)
    query = f"{place.query}&sslmode=disable&pass%77ord=hunter2%2Bhunter2"
    for given in (
        place._replace(query=query),
        place._replace(query=f"{place.query}&sslmode=disable", netloc="postgres:hunter2%2Bhunter2@"),
    ):
        holder = await asyncpg.connect(dsn)
        try:
            # pg_dump waits for this lock, and stands still to be looked at.
            await holder.execute("BEGIN; LOCK TABLE kept")
            backup = asyncio.create_task(cli("backup", "slipway.dump", DATABASE_URL=given.geturl()))
            pid = await until_dumping(place.path.lstrip("/"))
            command, environment = (
                Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ")
            )
            assert "hunter2" not in command
            assert "sslmode=disable" in command
            assert "PGPASSWORD=hunter2+hunter2" in environment.split("\0")
        finally:
            await holder.close()
        said = await backup
        assert (said.code, said.err) == (0, "")


async def until_dumping(database: str) -> int:
    """The pid of the pg_dump that reads this database."""
    for _ in range(600):
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_text(errors="replace").split("\0")
                if words[0].endswith("pg_dump") and any(f"/{database}?" in word for word in words):
                    return int(folder.name)
        await asyncio.sleep(0.05)
    raise AssertionError("no pg_dump was seen")


async def test_the_embedded_database_is_backed_up_and_restored(cli: Cli) -> None:
    assert (await cli("migrate")).code == 0
    assert (await cli("backup", "slipway.dump")).code == 0
    elsewhere = str(cli.folder / "elsewhere")
    assert (await cli("restore", "slipway.dump", "--yes", SLIPWAY_DATA_DIR=elsewhere)).code == 0
    said = await cli("migrate", SLIPWAY_DATA_DIR=elsewhere)
    assert "(was" not in said.out


async def test_a_database_in_use_and_a_file_that_is_no_backup_are_refused(cli: Cli, dsn: str) -> None:
    await execute(dsn, "CREATE TABLE kept AS SELECT 42 AS it")
    (cli.folder / "nonsense").write_text("nonsense")
    said = await cli("restore", "nonsense", "--yes", DATABASE_URL=dsn)
    assert (said.code, "`pg_restore` failed" in said.err) == (1, True)
    assert (await cli("restore", "nowhere", "--yes", DATABASE_URL=dsn)).code == 1
    connection = await asyncpg.connect(dsn)
    try:
        said = await cli("restore", "nonsense", "--yes", DATABASE_URL=dsn)
    finally:
        await connection.close()
    assert (said.code, said.err) == (1, "The database is in use. Stop the bot first.\n")
    assert await execute(dsn, "SELECT it FROM kept") == [42]


async def test_the_doctors_exit_code_says_whether_all_is_well(cli: Cli, dsn: str) -> None:
    assert (await cli("doctor", "--no-discord", DATABASE_URL=dsn)).code == 0
    said = await cli("doctor", DATABASE_URL=dsn, DISCORD_TOKEN="")
    assert said.code == 1
    assert "✗ token: SLIPWAY_DISCORD_TOKEN is not set" in said.out


async def test_a_token_that_discord_refuses_is_a_sentence_and_exit_code_4(cli: Cli, dsn: str) -> None:
    async with Sandbox(discord_world(), port=0) as sandbox:
        said = await cli(
            "run",
            DATABASE_URL=dsn,
            DISCORD_TOKEN="MTIz.abcdef.refused-refused-refused-refused",
            SLIPWAY_DISCORD_API_BASE=sandbox.api_base,
            SLIPWAY_DISCORD_GATEWAY_URL=sandbox.gateway_url,
            SLIPWAY_WEB_PORT="0",
        )
    assert said.code == 4
    assert "Discord rejects the bot token." in said.err
    assert "refused-refused" not in said.err
