"""The demo's story, as `make demo PLAY=1` plays it: the real bot, processes, traffic and catalog."""

from pathlib import Path

from demo.launcher import Demo
from demo.stories import first_light
from demo.stories.stage import Stage, Transcript


async def test_the_story_of_the_demo_goes_as_told(tmp_path: Path) -> None:
    told: list[str] = []
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, Transcript(told.append)) as stage:
        await first_light.play(stage)
    assert sum("succeeded" in line for line in told) == 3
    assert any("rolled back" in line for line in told)
