"""Calls that the linter keeps out of the product, because they are broken on a supported Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

RUFF = Path(sys.executable).parent / "ruff"


@pytest.mark.parametrize(
    ("path", "banned"),
    [
        ("bot/engine/new.py", True),
        ("cogs/new.py", True),
        ("demo/new.py", True),
        ("sandbox/src/discord_sandbox/new.py", True),
        ("tests/unit/test_new.py", False),
        ("sandbox/tests/unit/test_new.py", False),
    ],
)
@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\n\n\nasync def x(y):\n    await asyncio.wait_for(y, 1)\n",
        "from asyncio import wait_for\n\n\nasync def x(y):\n    await wait_for(y, 1)\n",
    ],
)
def test_wait_for_stays_out_of_the_product(path: str, banned: bool, code: str) -> None:
    said = subprocess.run(
        [RUFF, "check", "--no-cache", "--output-format", "concise", "--stdin-filename", ROOT / path, "-"],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("TID251" in said.stdout) == banned, said.stdout + said.stderr
    assert said.returncode == int(banned), said.stdout + said.stderr
