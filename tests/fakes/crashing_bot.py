"""The bot, killed with SIGKILL before and after every effect that it does: each point once, then it lives on.

`python -m tests.fakes.crashing_bot run` in place of `python -m bot run`; any other command is the bot's own. The
points are appended to the file in `CRASH_POINTS` and synced before the kill. A parent that has imported the
product, and does nothing else, forks each life: what a life knows, it read from the database. Before it, the time
passes that the leases of the dead one still had, since each of a hundred lives would wait for it; the breaker for
crash loops would stop what is the purpose here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import asyncpg

from bot import logs
from bot.__main__ import main
from bot.composition import wiring
from bot.engine.effects.outbox import OutboxLimits
from bot.engine.loops.worker import LoopIntervals
from bot.redaction import Redactor
from bot.settings import Settings, load_settings

QUICK = LoopIntervals(
    orders_s=0.1,
    messages_s=0.1,
    lead_s=0.8,
    orders=OutboxLimits(lease_s=0.8, renew_s=0.2),
    messages=OutboxLimits(lease_s=0.8, renew_s=0.2, at_once=16),
)


class Crashes:
    """The points at which it died already, over all lives."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = set(file.read_text().splitlines()) if file.exists() else set()

    async def probe(self, when: str, what: str) -> None:
        point = f"{when} {what}"
        if point in self._known:
            return
        with self._file.open("a") as file:
            file.write(f"{point}\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


async def live(settings: Settings, points: Path) -> None:
    await while_no_one_lives(settings)
    await wiring.run(settings, probe=Crashes(points).probe, intervals=QUICK)


async def while_no_one_lives(settings: Settings) -> None:
    """Leases run out, as they would if one waited, and the starts of this day are forgotten."""
    (settings.data_dir / "identify.json").unlink(missing_ok=True)
    connection = await asyncpg.connect(settings.database.dsn)
    try:
        await connection.execute("DELETE FROM notes WHERE kind = 'identify'")
        await connection.execute("UPDATE leases SET until = now()")
        await connection.execute("UPDATE effects SET due_at = now() WHERE state = 'leased'")
    finally:
        await connection.close()


def run(points: Path) -> int:
    """Lives again after every kill; returns the exit code of the life that ended otherwise."""
    settings = load_settings()
    logs.configure(settings.log.level, settings.log.format, Redactor(settings.secrets()))
    child = 0

    def pass_on(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    while True:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            asyncio.run(live(settings, points))
            return 0
        signal.signal(signal.SIGTERM, pass_on)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != -signal.SIGKILL:
            return abs(code)


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        sys.exit(run(Path(os.environ["CRASH_POINTS"])))
    main()
