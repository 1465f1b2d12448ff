"""`make demo`: start everything and print one address; with `--play`, play the stories and exit with 0 or 1."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from demo.children import LaunchError
from demo.containers import Containers
from demo.engine import LABEL
from demo.launcher import Demo
from demo.stories.runner import PLAYED, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage, StoryError, Transcript


def tell(line: str) -> None:
    print(line, flush=True)


WELCOME = """
  Slipway is running against a local Discord.

      open  {url}

  Act as `dev`, type /deploy in #deploys: checkout, 1.5.0, staging. Then production: `lead` approves.
  Then 1.5.1, which fails 8% of production's requests.
  Commands of another bot: /commands-sync diff app:greeter; its manifest is {manifests}/greeter-1.5.0.json
  Logs: {folder}
  Ctrl-C stops everything.
"""


async def stopped() -> None:
    event = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, event.set)
    await event.wait()


async def play_stories(running: Demo) -> int:
    transcript = Transcript(tell)
    try:
        scripts = [read(path) for path in PLAYED]
        async with Stage(running.url, transcript) as stage:
            world = SandboxWorld(running, stage)
            for script in scripts:
                await play(script, world, transcript)
    except StoryError as error:
        tell(f"\n✗ {error}")
        return 1
    tell("\n✓ The stories went as written.")
    return 0


async def demo(port: int, folder: Path, *, play_story: bool, target: str) -> int:
    containers = await Containers.prepared(tell=tell) if target == "docker" else None
    end = asyncio.create_task(stopped())
    async with Demo(folder, port=port, containers=containers, tell=tell) as running:
        if not play_story:
            tell(WELCOME.format(url=running.url, folder=folder, manifests=running.manifests))
            if containers:
                tell(f"  The services are containers: docker ps --filter label={LABEL}\n")
            await end
            tell("· stopping")
            return 0
        tell(f"· playing the stories against {running.url}")
        story = asyncio.create_task(play_stories(running))
        await asyncio.wait({story, end}, return_when=asyncio.FIRST_COMPLETED)
        if not story.done():
            story.cancel()
            return 130
        return story.result()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8300, help="port of the page and the JSON API")
    parser.add_argument("--play", action="store_true", help="play the stories, print them, exit with 0 or 1")
    parser.add_argument(
        "--target", choices=("process", "docker"), default="process", help="what the demo services run as"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".slipway/demo"),
        help="folder for logs and data",
    )
    args = parser.parse_args()
    try:
        sys.exit(asyncio.run(demo(args.port, args.folder, play_story=args.play, target=args.target)))
    except LaunchError as error:
        sys.exit(f"✗ {error}")
    except KeyboardInterrupt:  # while the image is built: nothing was started yet
        sys.exit(130)


if __name__ == "__main__":
    main()
