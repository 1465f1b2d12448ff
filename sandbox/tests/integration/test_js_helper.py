"""The JavaScript helper: its own tests, run by node with this package's sandbox and the bot of the example."""

import asyncio
import json
import os
import shutil
import sys

import pytest

from support.paths import PROJECT

pytestmark = pytest.mark.real


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
async def test_its_tests_pass() -> None:
    bot = [sys.executable, str(PROJECT / "examples" / "pytest" / "orders.py")]
    commands = {"SANDBOX_COMMAND": [sys.executable, "-m", "discord_sandbox"], "BOT_COMMAND": bot}
    process = await asyncio.create_subprocess_exec(
        *("node", "--test", "--test-reporter=tap"),
        cwd=PROJECT / "js",
        env=os.environ | {name: json.dumps(command) for name, command in commands.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, said.decode()
    assert "# pass 7" in said.decode()
