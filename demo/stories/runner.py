"""Plays a script in a world, line by line."""

from __future__ import annotations

from pathlib import Path

from demo.stories import expectations, faults, people  # noqa: F401 - they register the verbs
from demo.stories.language import GROUPS, VERBS, Script, StoryError, parse, read
from demo.stories.scene import Scene
from demo.stories.transcript import Transcript
from demo.stories.world import World

__all__ = [
    "GROUPS",
    "PLAYED",
    "SHARED_TROUBLE",
    "SICK_SERVICE",
    "STORIES",
    "UNTAKEN_ALERT",
    "help_text",
    "parse",
    "play",
    "read",
]

HERE = Path(__file__).parent
# Those that need none of the demo's alerts.
STORIES = (HERE / "first_light.txt", HERE / "slash_commands.txt")
SICK_SERVICE, UNTAKEN_ALERT = HERE / "sick_service.txt", HERE / "untaken_alert.txt"
# In the order in which `make demo PLAY=1` plays them, in one demo.
PLAYED = (*STORIES, SICK_SERVICE, UNTAKEN_ALERT)
# Takes two minutes, until enough requests were good again.
SHARED_TROUBLE = HERE / "shared_trouble.txt"


async def play(script: Script, world: World, transcript: Transcript) -> None:
    """Plays all of it. Raises `StoryError` with the line where the story goes otherwise."""
    scene = Scene(world, transcript)
    await scene.open_chapter()
    for line in script.lines:
        if line.chapter:
            transcript.chapter(line.chapter)
            await scene.open_chapter()
        if line.verb is None:
            continue
        transcript.begin(line)
        try:
            await line.verb.run(scene, **line.values)
        except StoryError as error:
            raise StoryError(f"{script.path}:{line.number}: {line.text}\n  {error}") from None
        finally:
            await world.catch_up()
            transcript.end(line)


def help_text() -> str:
    """Every verb by group, with its pattern, its help and an example."""
    parts = []
    for group in GROUPS:
        verbs = [one for one in VERBS if one.group == group]
        lines = (f"- `{one.pattern}`\n  {one.help}\n  `{one.example}`" for one in verbs)
        parts.append(f"### {group}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"
