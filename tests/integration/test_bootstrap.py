"""`slipway bootstrap` beside an Envoy that others run: it may start at the same time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.routers.envoy.process import find_program
from demo.children import free_port
from tests.support.catalog_files import changed, write
from tests.support.cli import Cli
from tests.support.paths import SERVICE
from tests.support.repository import EXAMPLES
from tests.support.routers.subjects import need_envoy
from tests.support.waiting import until

FIRST = ("bootstrap", "checkout", "staging", "1.0")


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[Cli]:
    """A catalog with an Envoy of the team's own. A host that was started is gone afterwards."""
    router = {"kind": "envoy", "admin": str(tmp_path / "admin.sock"), "config_dir": str(tmp_path / "envoy")}
    command = ["{python}", str(SERVICE), "--port", "{port}", "--version", "{version}"]
    text = changed(
        ("users: host}", f"users: host, router: {json.dumps(router)}}}"),
        ('command: [run, "{version}"]', f"command: {json.dumps(command)}"),
        ("router: 8401", f"router: {free_port()}"),
        ('"0.0.0.0:8402"', str(free_port())),
    )
    write(tmp_path / "config", all=text)
    cli = Cli(tmp_path)
    yield cli
    await cli.stop_host()


def start_envoy(folder: Path) -> subprocess.Popen[bytes]:
    text = (EXAMPLES / "compose/envoy.json").read_text()
    text = text.replace("/var/lib/slipway-envoy", str(folder / "envoy"))
    file = folder / "envoy.json"
    file.write_text(text.replace("/run/slipway-envoy/admin.sock", str(folder / "admin.sock")))
    return subprocess.Popen(
        [str(find_program()), "--config-path", str(file), "--disable-hot-restart", "--log-level", "error"],
        stderr=subprocess.DEVNULL,
    )


async def test_a_first_release_waits_for_an_envoy_that_starts_later(cli: Cli, tmp_path: Path) -> None:
    need_envoy()
    started = asyncio.create_task(cli(*FIRST))
    routes = tmp_path / "envoy" / "routes" / "routes.json"

    async def asked_for() -> bool:
        return routes.exists()

    await until(asked_for)  # without its files Envoy does not start
    envoy = start_envoy(tmp_path)
    try:
        said = await started
        assert said.code == 0, said.err
        assert said.err.startswith("· checkout/staging cannot be reached yet; waiting up to 60 s. Envoy's ")
        assert str(tmp_path / "admin.sock") in said.err
        assert len(said.err.splitlines()) == 1
        address = said.out.split(" at ")[1].strip()
        async with aiohttp.ClientSession() as session, session.get(f"{address}/healthz") as answer:
            assert answer.status == 200
    finally:
        await cli("host", "stop")
        envoy.terminate()
        envoy.wait()


async def test_an_envoy_that_does_not_come_is_named_after_the_time_given(cli: Cli, tmp_path: Path) -> None:
    began = time.monotonic()
    said = await cli(*FIRST, "--wait", "6")
    assert said.code == 5
    assert time.monotonic() - began >= 6
    waiting, given_up = said.err.splitlines()
    assert waiting.startswith("· checkout/staging cannot be reached yet; waiting up to 6 s. Envoy's admin ")
    assert given_up.startswith("checkout/staging cannot be reached after 6 s. Envoy's admin interface at ")
    assert str(tmp_path / "admin.sock") in given_up
    assert not json.loads((await cli("status", "--json")).out)["checkout/staging"].get("running")
