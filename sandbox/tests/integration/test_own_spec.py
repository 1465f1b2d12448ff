"""The JSON API answers as it is described: schemathesis makes requests from the description, good and bad."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from discord_sandbox import Sandbox, World
from discord_sandbox.api.routes import ROUTES
from support.client import Client
from support.commands import command, option

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

EXAMPLES = 15
EXCEPT = ("/events", "/services/{name}")  # a stream without end; what a service answers
# A valid body can still name what is not there, or what Discord's client would not send.
REFUSALS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 403, 404, 409, 422]
"""


async def schemathesis(sandbox: Sandbox, folder: Path) -> tuple[int | None, str]:
    (folder / "schemathesis.toml").write_text(REFUSALS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{sandbox.api}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--checks", "all"),
        *(part for path in EXCEPT for part in ("--exclude-path", path)),
        *("--max-examples", str(EXAMPLES), "--request-timeout", "60"),
        *("--generation-deterministic", "--no-color", "--suppress-health-check", "all"),
        cwd=folder,
        # It goes through sets of names: in the same order each time.
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 600)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode(errors="replace")


async def test_every_answer_is_as_described(tmp_path: Path) -> None:
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox) as client:
        await client.commands(command(options=[option(choices=[{"name": "Soup", "value": "soup"}])]))
        code, said = await schemathesis(sandbox, tmp_path)
        assert code == 0, said
        tested = sum(one.path not in (*EXCEPT, "/openapi.json") for one in ROUTES)
        assert f"Tested: {tested}" in said, said
