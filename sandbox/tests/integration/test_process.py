"""The command `discord-sandbox` as a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp

COMMAND = (sys.executable, "-m", "discord_sandbox")
PIPE = asyncio.subprocess.PIPE


async def start(*options: str) -> tuple[asyncio.subprocess.Process, Any]:
    """The process, and the line it prints when it is ready."""
    process = await asyncio.create_subprocess_exec(*COMMAND, "--port", "0", *options, stdout=PIPE)
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 60))


async def refused(*options: str) -> tuple[int | None, str]:
    """Exit code and last line on standard error."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *options, stdout=PIPE, stderr=PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode().strip().splitlines()[-1]


async def test_it_says_where_it_is_and_ends_when_told() -> None:
    process, ready = await start()
    try:
        assert set(ready) == {"url", "api_base", "gateway_url", "cdn_url", "applications", "guilds", "pid"}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{ready['url']}/sandbox/v1/") as got:
                paths = {one["path"] for one in (await got.json())["calls"]}
                assert "/sandbox/v1/state" in paths
            token = ready["applications"][0]["token"]
            async with http.get(
                f"{ready['api_base']}/users/@me", headers={"Authorization": f"Bot {token}"}
            ) as got:
                assert (await got.json())["id"] == ready["applications"][0]["id"]
            async with http.get(f"{ready['url']}/../../pyproject.toml") as got:
                assert got.status == 404
            async with http.get(f"{ready['url']}/__init__.py") as got:
                assert got.status == 404
            async with http.get(f"{ready['url']}/cdn/embed/avatars/1.png") as got:
                assert got.content_type == "image/svg+xml"
            for name, kind in (
                ("app.js", "text/javascript"),
                ("styles/base.css", "text/css"),
                ("fonts/InterVariable.woff2", "font/woff2"),
            ):
                async with http.get(f"{ready['url']}/{name}") as got:
                    assert (got.status, got.content_type) == (200, kind)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_people_are_told_how_to_connect_a_bot_beside_the_line_for_scripts() -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, "--port", "0", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    process.terminate()
    rest, hint = await asyncio.wait_for(process.communicate(), 60)
    assert rest == b""
    told = hint.decode()
    assert told.startswith(f"Open {ready['url']} to act as people.")
    assert all(one["token"] in told for one in ready["applications"])
    assert f'"{ready["api_base"]}"' in told
    assert f'"{ready["gateway_url"]}"' in told


async def test_a_world_file_describes_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text(json.dumps({"guilds": [{"name": "club"}], "applications": [{"name": "dj"}]}))
    process, ready = await start("--world", str(file))
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert [one["name"] for one in ready["guilds"]] == ["club"]
    assert [one["name"] for one in ready["applications"]] == ["dj"]


async def test_mistakes_end_it_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text('{"guild": []}')
    code, sentence = await refused("--world", str(file))
    assert (code, sentence[:60]) == (
        2,
        f"discord-sandbox: error: --world {file}: the world has no guild"[:60],
    )
    assert (await refused("--world", str(tmp_path / "none.json")))[0] == 2
    process, ready = await start()
    try:
        port = ready["url"].rpartition(":")[2]
        code, sentence = await refused("--port", port)
        assert code == 1
        assert sentence.startswith(f"discord-sandbox: cannot listen on 127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()


async def test_a_world_is_saved_at_the_end_and_loaded_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "busy.json"
    process, ready = await start("--save", str(file))
    async with aiohttp.ClientSession() as http:
        said = {"user": "ada", "channel": "general", "content": "hello"}
        async with http.post(f"{ready['url']}/sandbox/v1/messages", json=said) as got:
            assert got.status == 201
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    process, again = await start("--load", str(file), "--no-rate-limits")
    try:
        assert again["applications"] == ready["applications"]
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{again['url']}/sandbox/v1/channels/general/messages") as got,
        ):
            assert [one["content"] for one in (await got.json())["messages"]] == ["hello"]
    finally:
        process.terminate()
        await process.wait()
    world = tmp_path / "world.json"
    world.write_text('{"guilds": [{"name": "club", "everyone": ["FLY"]}]}')
    nowhere = tmp_path / "none" / "busy.json"
    code, sentence = await refused("--load", str(world), "--world", str(world), "--save", str(nowhere))
    assert (code, sentence) == (
        2,
        "discord-sandbox: error: --world describes a new world and --load has one: give one of them; "
        f"--world {world}: there is no permission FLY; "
        f"--load {world}: it is not a saved world: it describes one, for --world; "
        f"--save {nowhere}: it is a folder, or in one that does not exist",
    )
