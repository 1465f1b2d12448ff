"""`python -m discord_sandbox.discord --port N`: prints one JSON line with its addresses when it is ready."""

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from discord_sandbox.discord import Sandbox, World
from discord_sandbox.discord.world import world_of


async def _run(port: int, processes_file: Path | None, world: World) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(world, port, processes_file=processes_file) as sandbox:
        sys.stdout.write(json.dumps(sandbox.describe() | {"pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m discord_sandbox.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=8300, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--processes-file", type=Path, help="JSON that the launcher keeps; shown in the state"
    )
    parser.add_argument("--no-rate-limits", action="store_true", help="refuse nobody for being fast")
    parser.add_argument("--world", type=Path, help="JSON that says who and what is there (see world.py)")
    options = parser.parse_args()
    world = world_of(json.loads(options.world.read_text())) if options.world else World()
    if options.no_rate_limits:
        world = replace(world, rate_limits=False)
    asyncio.run(_run(options.port, options.processes_file, world))


if __name__ == "__main__":
    main()
