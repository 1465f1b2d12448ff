"""compose.yml with config/examples/compose: what its containers run, as processes of this machine.

Images cannot be pulled where tests run. So host, bot and Envoy are started with the command lines and the configuration
that stand in compose.yml, with PyPI's Envoy, and folders for volumes. `docker compose run --rm bot` is `slipway`.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.routers.envoy.admin import EnvoyAdmin
from bot.adapters.routers.envoy.process import find_program
from bot.ports.errors import Unreachable
from demo.children import free_port
from tests.support.e2e.newcomer import Newcomer, good_then_bad, newcomer
from tests.support.e2e.users import ServiceUsers
from tests.support.paths import ROOT, TESTS
from tests.support.repository import compose
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

SERVICES: Mapping[str, Any] = compose("POSTGRES_PASSWORD=of-a-test")["services"]
# What the commands of the README become; `up` has happened.
DOCKER = """\
#!/bin/sh
case "$*" in
"compose run --rm bot "*) shift 4; exec slipway "$@" ;;
"compose up -d --build envoy") ;;
*) echo "not in the README: docker $*"; exit 1 ;;
esac
"""


async def started(command: list[str], folder: Path, log: str) -> asyncio.subprocess.Process:
    """In a session of its own, which `ended` ends."""
    with (folder / log).open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=sink, stderr=sink, start_new_session=True
        )


async def ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 60)


async def test_host_bot_and_envoy_of_the_compose_file_roll_a_bad_release_back(
    dsn: str, tmp_path: Path
) -> None:
    port = free_port()
    folders = {
        "/var/lib/slipway-envoy": str(tmp_path / "config"),
        "/run/slipway-envoy": str(tmp_path / "admin"),
    }
    (tmp_path / "admin").mkdir()
    # The volume begins with what the image has.
    (filled,) = re.findall(r"^RUN (for kind in .*)$", (ROOT / "Dockerfile").read_text(), re.M)
    subprocess.run(["/bin/sh", "-ec", filled.replace("/envoy", str(tmp_path / "config"))], check=True)
    running: list[asyncio.subprocess.Process] = []

    async def prepare(here: Newcomer) -> None:
        docker = here.home.parent / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        data = str(here.home / ".slipway")
        words = [data if word == "/data" else word for word in SERVICES["host"]["command"]]
        running.append(await started([sys.executable, "-m", "bot", *words], here.home, "host.log"))
        file = here.home / "config/examples/compose/envoy.json"
        running.append(await started(envoy(file), here.home, "envoy.log"))
        await until(ready)

    async def ready() -> bool:
        admin = EnvoyAdmin(tmp_path / "admin" / "admin.sock")
        try:
            return await admin.ready()
        except Unreachable:
            return False
        finally:
            await admin.close()

    def envoy(file: Path) -> list[str]:
        """Its command line, with the folders of this test."""
        text = file.read_text()
        for there, here in folders.items():
            assert there in text
            text = text.replace(there, here)
        (tmp_path / "envoy.json").write_text(text)
        words = [word.replace("/etc/envoy", str(tmp_path)) for word in SERVICES["envoy"]["command"]]
        return [str(find_program()), *words]

    shop = (TESTS / "fakes" / "shop.py").read_text()
    edits = [
        ("kind: process\n", "kind: process\n    users: host\n"),  # in the container the host is not root
        ("0.0.0.0:8402", f"127.0.0.1:{port}"),
        ("/releases/shop", str(tmp_path / "releases" / "shop")),
        *folders.items(),
    ]
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        (tmp_path / "releases" / "shop" / version).mkdir(parents=True)
        (tmp_path / "releases" / "shop" / version / "shop.py").write_text(shop)
    variables = {"SLIPWAY_VAR_SOAK": "15s"}
    try:
        async with newcomer("compose", dsn, edits=edits, variables=variables, prepare=prepare) as here:
            await good_then_bad(here, ServiceUsers(f"http://127.0.0.1:{port}/", 100), share=0.05)
    finally:
        for process in reversed(running):
            await ended(process)
