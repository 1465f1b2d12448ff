"""The demo's fourth story: an alert that no one takes, on a clock that is moved forward, up to the war room."""

from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import UNTAKEN_ALERT, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]


async def test_an_alert_that_no_one_takes_ends_in_a_war_room(tmp_path: Path) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        await play(read(UNTAKEN_ALERT), SandboxWorld(demo, stage), transcript)
        log = demo.child("bot").log.read_text(encoding="utf-8")
    assert any("Dev Two did not get a direct message" in line for line in told)
    # A sink that is not enabled says what it would be told.
    assert "pager" in log
