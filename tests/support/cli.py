"""The command line as the program it is, with an environment of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.support.forked import Said, command
from tests.support.paths import ROOT


class Cli:
    """Runs `slipway …` with an environment of its own."""

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
        said = await command(words, {**self.environment, **environment}, self.folder)
        assert "Traceback" not in said.err, said.err
        return said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
