"""The example of tests in JavaScript: run by vitest, with the helper and a bot in discord.js."""

import asyncio
import json
import os
import sys

import pytest

from support.clients.environments import vitest_example

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


@pytest.mark.skipif("ONLY" in os.environ, reason="one library was asked for")
async def test_the_example_passes() -> None:
    folder = await vitest_example()
    command = json.dumps([sys.executable, "-m", "discord_sandbox"])
    process = await asyncio.create_subprocess_exec(
        *("npm", "test", "--", "--reporter=json", "--outputFile=results.json"),
        cwd=folder,
        env={**os.environ, "SANDBOX_COMMAND": command},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, said.decode()
    assert json.loads((folder / "results.json").read_text())["numPassedTests"] == 5
