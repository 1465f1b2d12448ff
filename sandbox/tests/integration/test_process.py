"""The sandbox as a process of its own."""

import asyncio
import json
import signal
import sys

import aiohttp


async def test_it_says_where_it_is_and_ends_when_told() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "discord_sandbox", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
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
            async with http.get(f"{ready['url']}/cdn/embed/avatars/1.png") as got:
                assert got.content_type == "image/svg+xml"
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
