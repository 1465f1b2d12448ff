"""What targets say reaches no one before it is redacted, whichever target it is."""

from __future__ import annotations

import pytest

from bot.adapters.targets.redacted import RedactedTargets
from bot.domain.rollout.model import Desired, Lane, Release
from bot.ports.errors import TargetRefused, Unreachable
from tests.fakes.target import FakeTarget

LANE, OTHER = Lane("checkout", "production"), Lane("search", "production")
ONE, TWO = Release("checkout", "1", "sha256:1"), Release("checkout", "2", "sha256:2")


class RefusingTarget(FakeTarget):
    """Refuses with a sentence."""

    problem: Exception | None = None

    async def apply(self, lane: Lane, desired: Desired) -> None:
        if self.problem is not None:
            raise self.problem
        await super().apply(lane, desired)


def redacted(target: FakeTarget) -> RedactedTargets:
    return RedactedTargets({"local": target}, lambda lane: ["moonbase"] if lane == LANE else [])


async def test_last_words_are_redacted_by_what_the_lane_knows_and_by_shape() -> None:
    target = FakeTarget()
    targets = redacted(target)
    for lane in (LANE, OTHER):
        await targets["local"].apply(lane, Desired(1, ONE, TWO))
        await targets["local"].observe(lane)
        target.crash(lane, TWO.digest, "exited; last words: moonbase " + "AKIA" + "QYLPMN5HHHFPZAM2")
    said = {}
    for lane in (LANE, OTHER):
        running = (await targets["local"].observe(lane)).of(TWO.digest)
        assert running is not None
        said[lane] = running.detail
    assert said == {LANE: "exited; last words: *** ***", OTHER: "exited; last words: moonbase ***"}
    aborted = (await targets["local"].abort(LANE, "ops", "why")).of(TWO.digest)
    assert aborted is None or "moonbase" not in aborted.detail


@pytest.mark.parametrize("kind", [TargetRefused, Unreachable])
async def test_refusals_are_redacted_and_stay_what_they_are(kind: type[Exception]) -> None:
    target = RefusingTarget()
    target.problem = kind("cannot start with --key=moonbase")
    with pytest.raises(kind, match=r"^cannot start with --key=\*\*\*$"):
        await redacted(target)["local"].apply(LANE, Desired(1, ONE))


async def test_everything_else_passes_through() -> None:
    target = FakeTarget()
    targets = redacted(target)
    assert list(targets) == ["local"] and len(targets) == 1
    assert targets["local"].capabilities == target.capabilities
    with pytest.raises(KeyError):
        targets["nowhere"]
