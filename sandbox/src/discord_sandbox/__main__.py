"""Command `discord-sandbox`: run a local Discord until SIGINT or SIGTERM."""

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from discord_sandbox.discord.saving.saved import SavedWorld
from discord_sandbox.libraries import CONNECTIONS
from discord_sandbox.sandbox import Sandbox
from discord_sandbox.world import World, read_world

DESCRIPTION = """\
Run a local Discord for bots: REST API, gateway, JSON API and page on one loopback port.
Prints one line of JSON when it is ready: its addresses, and every bot's id and token. Standard error has
the same for people.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="discord-sandbox", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--port", type=int, default=8300, help="port on 127.0.0.1; 0 picks a free one (default: 8300)"
    )
    parser.add_argument(
        "--world", type=Path, metavar="FILE", help="JSON that describes servers, people and bots"
    )
    parser.add_argument("--load", type=Path, metavar="FILE", help="a saved world to start with")
    parser.add_argument("--save", type=Path, metavar="FILE", help="where to save the world at the end")
    parser.add_argument(
        "--no-rate-limits", action="store_true", help="send rate-limit headers but never refuse"
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse what Discord ignores, such as undocumented keys"
    )
    parser.add_argument(
        "--processes-file", type=Path, metavar="FILE", help="JSON list to show under `processes` in the state"
    )
    options = parser.parse_args()
    sandbox = _made(parser, options)
    try:
        asyncio.run(_serve(sandbox, options.save))
    except OSError as error:
        sys.exit(f"discord-sandbox: cannot listen on 127.0.0.1:{options.port}: {error.strerror or error}")


def _made(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Sandbox:
    """The sandbox that the options describe; ends with everything that is wrong with them."""
    problems = []
    world, saved = World(), None
    if options.world is not None and options.load is not None:
        problems.append("--world describes a new world and --load has one: give one of them")
    try:
        if options.world is not None:
            world = read_world(json.loads(options.world.read_text()))
            Sandbox(world)  # raises ValueError for what only building it shows
    except (OSError, ValueError) as error:
        problems.append(f"--world {options.world}: {_why(error)}")
    try:
        if options.load is not None:
            saved = SavedWorld.read(options.load)
            world = saved.world()
            Sandbox(world)
    except (OSError, ValueError) as error:
        problems.append(f"--load {options.load}: {_why(error)}")
    if options.save is not None and (options.save.is_dir() or not options.save.absolute().parent.is_dir()):
        problems.append(f"--save {options.save}: it is a folder, or in one that does not exist")
    if problems:
        parser.error("; ".join(problems))
    world = replace(
        world,
        rate_limits=world.rate_limits and not options.no_rate_limits,
        strict=world.strict or options.strict,
    )
    return Sandbox(world, options.port, saved=saved, processes_file=options.processes_file)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


async def _serve(sandbox: Sandbox, file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with sandbox:
        sys.stdout.write(json.dumps(sandbox.describe() | {"pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        sys.stderr.write(hint(sandbox))
        await stop.wait()
        saved = None if file is None else await sandbox.save()
    if file is not None and saved is not None:
        try:
            saved.write(file)
        except OSError as error:
            sys.exit(f"discord-sandbox: cannot save to {file}: {_why(error)}")


def hint(sandbox: Sandbox) -> str:
    """For people: where to look, and how to connect a bot; in 100 columns."""
    bots, ready = sandbox.core.state.applications.values(), sandbox.describe()
    width = max((len(one.name) for one in bots), default=0)
    tokens = "".join(f"  {one.name:<{width}}  {one.token}\n" for one in bots)
    libraries = "".join(
        f"  {one.library}\n" + "".join(f"    {line}\n" for line in one.addressed(ready))
        for one in CONNECTIONS
    )
    return f"""\
Open {sandbox.url} to act as people. Ctrl+C stops it.

A bot connects with its token:
{tokens}
and with the lines of its library:
{libraries}
serenity, twilight, discordgo, JDA: docs/libraries.md. Tests: docs/testing.md.
"""


if __name__ == "__main__":
    main()
