"""The demo's first story, as `make demo PLAY=1` plays it: the real bot, processes, traffic and catalog."""

from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import STORIES, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]


async def test_the_first_story_of_the_demo_goes_as_told(tmp_path: Path) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        await play(read(STORIES[0]), SandboxWorld(demo, stage), transcript)
    assert sum("Succeeded" in line for line in told) == 3
    assert any("Rolled back" in line for line in told)
