"""The command line as the program it is, with an environment of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Cli:
    """Runs `python -m bot …` with an environment of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SLIPWAY_")}
        self.environment = {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "SLIPWAY_DATA_DIR": str(folder / "data"),
            "SLIPWAY_CONFIG_DIR": str(folder / "config"),
            **environment,
        }

    async def __call__(self, *words: str, **environment: str) -> Said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *words),
            env={**self.environment, **environment},
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        said = Said(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in said.err, said.err
        return said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
