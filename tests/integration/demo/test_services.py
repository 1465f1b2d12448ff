"""Real demo services under real traffic, and what their users say of it."""

import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from demo.children import free_port


@pytest.fixture
async def registry():
    """What the sandbox is to the traffic: the one call with which services register."""
    registered = []

    async def register(request):
        registered.append(await request.json())
        return web.json_response({}, status=201)

    app = web.Application()
    app.router.add_post("/sandbox/v1/registry/services", register)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", registered
    await runner.cleanup()


@pytest.fixture
async def start(tmp_path: Path):
    started = []

    async def run(*command):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            env={**os.environ, "SANDBOX_DEMO_DIR": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_users_tell_versions_outcomes_and_shares(registry, start):
    url, registered = registry
    port = free_port()
    service = ("--service", "checkout", "--version", "1.5.1", "--environment", "production")
    await start("demo.services.service", *service, "--port", str(port))
    traffic = await start(
        "demo.services.traffic",
        "--sandbox",
        url,
        "--lane",
        f"checkout/production=http://127.0.0.1:{port}@200",
    )
    assert json.loads(await traffic.stdout.readline())["ready"]
    assert registered[0]["name"] == "checkout" and registered[0]["environment"] == "production"
    control = registered[0]["control_url"]
    async with aiohttp.ClientSession() as session:

        async def seen(**query):
            async with session.get(control, params=query) as answer:
                return await answer.json()

        while (await seen())["totals"].get("1.5.1", {}).get("error", 0) < 3:
            await asyncio.sleep(0.05)
        found = await seen(since=0)
        assert found["shares"]["1.5.1"] > 0
        assert {e["kind"] for e in found["log"] if e["version"] == "1.5.1" and e["outcome"] == "error"} == {
            "gift-card"
        }
        assert found["cursor"] == found["log"][-1]["n"]
        later = await seen(since=found["cursor"])
        assert all(e["n"] > found["cursor"] for e in later["log"])

        async with session.post(control, json={"version": "1.5.1", "error_rate": 1.0}) as answer:
            assert (await answer.json())["behaviour"] == {"checkout/production/1.5.1": {"error_rate": 1.0}}
        before = (await seen())["totals"]["1.5.1"]["error"]
        while (await seen())["totals"]["1.5.1"]["error"] < before + 30:
            await asyncio.sleep(0.05)

        for wrong in (
            {"error_rate": 0.5},
            {"version": "1.5.1", "error_rate": 7},
            {"version": "1.5.1", "x": 1},
        ):
            async with session.post(control, json=wrong) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]["code"] == "invalid"


async def test_153_dies_at_start_and_says_why(start):
    service = ("--service", "checkout", "--version", "1.5.3", "--environment", "staging")
    process = await start("demo.services.service", *service, "--port", "1")
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"no such table: prices" in said
