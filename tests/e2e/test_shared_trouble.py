"""A database that fails for all releases, as with the demo's version 1.5.5: no rollback, and a card that says why."""

from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import SHARED_TROUBLE, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


async def test_a_release_is_not_rolled_back_for_a_database_that_fails_on_stable_too(tmp_path: Path) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        await play(read(SHARED_TROUBLE), SandboxWorld(demo, stage), transcript)
    assert sum("Succeeded" in line for line in told) == 2
    assert not any("Rolled back" in line for line in told)
