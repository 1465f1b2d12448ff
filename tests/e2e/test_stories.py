"""The demo's stories in one demo, one after the other as `make demo PLAY=1` plays them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from demo.launcher import Demo
from demo.stories.runner import PLAYED, SICK_SERVICE, STORIES, UNTAKEN_ALERT, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript
from tests.support.e2e.calls import calls

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]


async def test_the_stories_of_the_demo_go_as_told_one_after_the_other(tmp_path: Path) -> None:
    told: Mapping[Path, list[str]] = {path: [] for path in PLAYED}
    async with Demo(tmp_path / "demo") as demo:
        for path in PLAYED:
            transcript = Transcript(told[path].append)
            async with Stage(demo.url, transcript) as stage:
                await play(read(path), SandboxWorld(demo, stage), transcript)
        async with Stage(demo.url, Transcript(lambda line: None)) as stage:
            sent = await calls(stage)
        log = demo.child("bot").log.read_text(encoding="utf-8")
    # Discord ignores what it does not know; the demo's sandbox is strict and refuses it.
    assert len(sent) > 100
    assert [one for one in sent if one["status"] in (400, 405) or not one["modelled"] or one["ignored"]] == []
    first, sick, untaken = ("\n".join(told[each]) for each in (STORIES[0], SICK_SERVICE, UNTAKEN_ALERT))
    assert sum("Succeeded" in line for line in told[STORIES[0]]) == 3
    assert "Rolled back" in first
    assert "a plausible cause" in sick
    # Sinks and issues are not enabled: they say what they would do.
    assert "Slipway would open an issue labelled" in sick
    assert "regression_dry_run" in log
    assert "pager" in log
    assert "Dev Two did not get a direct message" in untaken
