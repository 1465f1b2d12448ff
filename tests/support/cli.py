"""The command line as the program it is, with an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from bot.adapters.targets.hosted.target import host_dir
from tests.support.forked import Said, command
from tests.support.paths import ROOT
from tests.support.waiting import until


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

    async def stop_host(self) -> None:
        """Returns when no host of this folder is left, not even one that was starting and did not answer yet.

        To be called when all programs that could start another one have ended.
        """

        async def gone() -> bool:
            if not _of_folder(host_dir(self.folder / "data")):
                return True
            await self("host", "stop")
            return False

        await until(gone)


def _of_folder(folder: Path) -> list[psutil.Process]:
    """Processes that have this folder as a word of their command line."""
    word = str(folder.resolve())
    return [each for each in psutil.process_iter(["cmdline"]) if word in (each.info["cmdline"] or ())]
