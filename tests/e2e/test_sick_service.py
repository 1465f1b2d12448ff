"""The demo's third story: a service becomes sick after its deploy, and is rolled back from the alert."""

from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import SICK_SERVICE, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]


async def test_a_sick_service_is_rolled_back_from_its_alert(tmp_path: Path) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        await play(read(SICK_SERVICE), SandboxWorld(demo, stage), transcript)
    assert any("a plausible cause" in line for line in told)
