"""`slipway run` as the program it is, against the sandbox: it connects, serves HTTP, counts, reloads and stops."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from discord_sandbox import Sandbox
from prometheus_client.parser import text_string_to_metric_families

from demo.children import free_port
from tests.support.catalog_files import changed, write
from tests.support.cli import Cli
from tests.support.discord import discord_world
from tests.support.waiting import PATIENCE_S

TOKEN = "an-admin-token-of-a-test"
HEARTBEAT = "heartbeat-secret-of-a-test"


@dataclass
class RunningBot:
    process: asyncio.subprocess.Process
    base: str
    folder: Path
    log: Path
    token: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.base + path) as answer:
            return (
                answer.status,
                await answer.json() if "json" in answer.content_type else await answer.text(),
            )

    async def value(self, name: str, **labels: str) -> float:
        """A metric's value; 0.0 when it was never counted."""
        _, text = await self.get("/metrics")
        samples = (s for family in text_string_to_metric_families(text) for s in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def lines(self) -> list[dict[str, Any]]:
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]


@pytest.fixture
async def running(tmp_path: Path, dsn: str) -> AsyncIterator[RunningBot]:
    async with started(tmp_path, dsn) as bot:
        yield bot


@asynccontextmanager
async def started(tmp_path: Path, dsn: str) -> AsyncIterator[RunningBot]:
    port = free_port()
    config = changed(
        ("staging: {router: 8401}", "staging: {}"), ('production: {router: "0.0.0.0:8402"}', "production: {}")
    )
    cli = Cli(tmp_path)
    write(
        tmp_path / "config", all=config.replace("Deployers", "deployer").replace("Leads", "release-manager")
    )
    log = tmp_path / "log"
    async with Sandbox(discord_world(), port=0) as sandbox, aiohttp.ClientSession() as session:
        environment = {
            **cli.environment,
            "DATABASE_URL": dsn,
            "DISCORD_TOKEN": sandbox.token("slipway"),
            "SLIPWAY_DISCORD_API_BASE": sandbox.api_base,
            "SLIPWAY_DISCORD_GATEWAY_URL": sandbox.gateway_url,
            "SLIPWAY_WEB_PORT": str(port),
            "SLIPWAY_WEB_ADMIN_TOKEN": TOKEN,
            "SLIPWAY_HEARTBEAT_URL": f"http://127.0.0.1:{port}/livez?{HEARTBEAT}",
        }
        with log.open("w") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", env=environment, cwd=tmp_path, stderr=sink
            )
        found = RunningBot(
            process, f"http://127.0.0.1:{port}", tmp_path, log, sandbox.token("slipway"), session
        )
        try:
            yield found
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    await cli.stop_host()  # a bot that ends early has started one which does not answer yet


async def until_well(running: RunningBot) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            assert running.process.returncode is None, running.log.read_text()
            try:
                status, body = await running.get("/health")
            except aiohttp.ClientError:
                status, body = 0, {}
            if status == 200:
                found: dict[str, Any] = body
                return found
            await asyncio.sleep(0.1)


async def test_a_process_that_waits_for_its_database_is_ready_in_no_part(tmp_path: Path) -> None:
    away = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"
    async with started(tmp_path, away) as running:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert running.process.returncode is None, running.log.read_text()
                try:
                    status, body = await running.get("/readyz")
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        _, health = await running.get("/health")
    assert (status, body["waiting_for"]) == (503, ["gateway", "db", "loops"])
    assert health["details"]["loops"] == "no round yet of engine"


async def test_it_connects_serves_counts_reloads_and_stops(running: RunningBot, dsn: str) -> None:
    health = await until_well(running)
    assert (health["gateway"], health["db"], health["redis"]) == ("connected", "ok", "memory")
    async with asyncio.timeout(PATIENCE_S):
        while (await running.get("/readyz"))[0] != 200:
            await asyncio.sleep(0.1)

    assert await running.value("slipway_gateway_identifies_total") == 1
    assert await running.value("slipway_gateway_reconnects_total") == 0
    assert await running.value("slipway_rest_calls_total", status="200") > 0
    assert await running.value("slipway_database_query_seconds_count") > 0
    assert await running.value("slipway_database_connections") > 0
    assert await running.value("slipway_component_up", component="db") == 1
    async with asyncio.timeout(PATIENCE_S):
        while await running.value("slipway_heartbeats_total", outcome="sent") < 1:
            await asyncio.sleep(0.1)
        while 'slipway_alerts_open{severity="critical"} 0.0' not in (await running.get("/metrics"))[1]:
            await asyncio.sleep(0.1)

    write(running.folder / "config", all="services: [")
    running.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(PATIENCE_S):
        while await running.value("slipway_catalog_reloads_total", outcome="refused") < 1:
            await asyncio.sleep(0.1)
    assert (await running.get("/health"))[0] == 200

    running.process.terminate()
    assert await asyncio.wait_for(running.process.wait(), PATIENCE_S) == 0
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval("SELECT count(*) FROM rollouts") == 0
    finally:
        await connection.close()


async def test_its_log_is_json_without_the_token(running: RunningBot) -> None:
    await until_well(running)
    async with asyncio.timeout(PATIENCE_S):
        while not any(line["event"] == "discord_ready" for line in running.lines()):
            await asyncio.sleep(0.1)
    running.process.terminate()
    await asyncio.wait_for(running.process.wait(), PATIENCE_S)
    lines = running.lines()
    assert all({"timestamp", "level", "event", "service"} <= set(line) for line in lines)
    assert HEARTBEAT not in running.log.read_text()
    assert running.token not in running.log.read_text()
    assert TOKEN not in running.log.read_text()


async def test_checks_that_fail_make_alerts_from_a_reload_on(running: RunningBot, dsn: str) -> None:
    await until_well(running)
    asked = (
        f'kind: http, url: "{running.base}/readyz?key=hush", contains: no such text, every: 5s, timeout: 2s'
    )
    checks = f"    checks:\n      page: {{{asked}}}\n    environments:\n"
    text = (running.folder / "config" / "all.yaml").read_text()
    text = text.replace("defaults:\n", "defaults:\n  monitors: {failures: 1}\n", 1)
    # Another one is asked by a process elsewhere, which knows Discord not at all.
    far = f"      far: {{{asked}, locations: there}}\n    environments:\n"
    checks = checks.replace("    environments:\n", far)
    write(running.folder / "config", all=text.replace("    environments:\n", checks, 1))
    running.process.send_signal(signal.SIGHUP)
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (row := await connection.fetchrow("SELECT service, alert::text FROM alerts")):
                await asyncio.sleep(0.1)
        said = f"GET {running.base}/readyz should contain “no such text”, but does not."
        assert row["service"] == "checkout"
        assert said in json.loads(row["alert"])["troubles"][0]["finding"]["text"]
        async with elsewhere(running, dsn), asyncio.timeout(PATIENCE_S):
            wanted = f"{said} Failed from `there`, 1 of 1 location."
            while not await connection.fetchval(
                "SELECT count(*) FROM alerts WHERE strpos(alert::text, $1) > 0", wanted
            ):
                await asyncio.sleep(0.1)
            assert await connection.fetchval("SELECT count(*) FROM leases WHERE name = 'location:there'") == 1
    finally:
        await connection.close()


@asynccontextmanager
async def elsewhere(running: RunningBot, dsn: str) -> AsyncIterator[None]:
    """A process that only asks the checks of another location, with nothing but the database and the catalog."""
    cli = Cli(running.folder)
    environment = {
        **cli.environment,
        "DATABASE_URL": dsn,
        "SLIPWAY_LOCATION": "there",
        "SLIPWAY_WEB_PORT": "0",
    }
    log = running.folder / "log-elsewhere"
    with log.open("w") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", "--role", "location"),
            env=environment,
            cwd=running.folder,
            stderr=sink,
        )
    try:
        yield
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_location_needs_its_name_and_a_database(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for given in ({}, {"SLIPWAY_LOCATION": "there"}, {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}):
        said = await cli("run", "--role", "location", **given)
        assert (said.code, said.err[:24]) == (3, "`--role location` needs "), said.err
    said = await cli("run", "--role", "location", SLIPWAY_LOCATION="over there")
    assert said.code == 3
    assert "SLIPWAY_LOCATION must be a name of letters" in said.err


async def test_a_pipeline_talks_to_it_with_a_token_made_beside_it(running: RunningBot, dsn: str) -> None:
    await until_well(running)
    cli = Cli(running.folder, DATABASE_URL=dsn, SLIPWAY_URL=running.base)
    owner = ("--owner", "123456789012345678", "--owner-name", "Ada")
    made = await cli("token", "create", "ci", *owner, "--role", "deployer", "--scope", "deploy")
    assert made.code == 0, made.err
    secret = made.out.strip()
    found = json.loads((await cli("status", "--json", SLIPWAY_TOKEN=secret)).out)
    assert {lane["service"] for lane in found["lanes"]} >= {"checkout"}
    refused = await cli("deploy", "checkout", "staging", "9.9", SLIPWAY_TOKEN=secret)
    assert (refused.code, refused.out) == (6, "")
    assert "There is no version `9.9`" in refused.err
    assert await running.value("slipway_interactions_total", command="http:lanes", outcome="ok") == 1
    assert await running.value("slipway_interactions_total", command="http:deploy", outcome="refused") == 1
    assert secret not in running.log.read_text()
