"""The demo's third story: a service becomes sick later, is rolled back from the alert, and its incident closes."""

from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import SICK_SERVICE, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]


async def test_a_sick_service_is_rolled_back_from_its_alert_and_its_incident_closes(tmp_path: Path) -> None:
    told: list[str] = []
    transcript = Transcript(told.append)
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        await play(read(SICK_SERVICE), SandboxWorld(demo, stage), transcript)
        log = demo.child("bot").log.read_text(encoding="utf-8")
    said = "\n".join(told)
    assert "a plausible cause" in said
    # Sinks and issues are not enabled: they say what they would do.
    assert "Slipway would open an issue labelled" in said
    assert "regression_dry_run" in log
