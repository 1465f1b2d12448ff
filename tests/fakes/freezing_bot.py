"""The bot, stopped with SIGSTOP in the middle of its work: just before the second order that it gives to a target.

What it was about to do, it does when someone sends SIGCONT: too late, if another bot has taken over meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from bot import logs
from bot.__main__ import main
from bot.composition import wiring
from bot.redaction import Redactor
from bot.settings import load_settings


class Freeze:
    """Falls once."""

    def __init__(self) -> None:
        self._orders = 0

    async def probe(self, when: str, what: str) -> None:
        if when == "before" and what.startswith("set_desired:"):
            self._orders += 1
            if self._orders == 2:
                os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    if sys.argv[1:] != ["run"]:
        main()
    settings = load_settings()
    logs.configure(settings.log.level, settings.log.format, Redactor(settings.secrets()))
    asyncio.run(wiring.run(settings, probe=Freeze().probe))
