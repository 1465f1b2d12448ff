"""Rollouts on a command target, through the real engine and PostgreSQL, with real commands."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.redacted import RedactedTargets
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Action, Desired, Phase, Plan
from bot.domain.rollout.steps import Observe, Shift
from tests.fakes.outside import FakeReleases
from tests.support.actors import LEAD
from tests.support.catalogs import PRODUCTION, V140, V150, V151, catalog, policy
from tests.support.harness import Slipway, World
from tests.support.waiting import until

STABLE, CANDIDATE, LATER = (replace(release, spec={}) for release in (V140, V150, V151))
PLAN = Plan("commands", (Shift(100, 20.0), Observe(60.0)))


class ScriptWorld(World):
    """A world in which a script deploys production."""

    def __init__(self, dsn: str, folder: Path, text: str) -> None:
        super().__init__(dsn, catalog(PLAN, policy=policy(exclusive=True, rollback_timeout_s=20.0)))
        self.releases = FakeReleases({"checkout": [LATER, CANDIDATE, STABLE]})
        self.folder = folder
        script = ["/bin/sh", "-c", text]
        self.settings = CommandTargetSettings.model_validate(
            {"kind": "command", "apply": script, "grace": "300ms", "cwd": str(folder)}
        )

    def commands(self) -> CommandTarget:
        return CommandTarget(
            self.settings, {PRODUCTION: ServedLane(True)}, TargetContext(self.folder / "data")
        )

    def slipway(self) -> AbstractAsyncContextManager[Slipway]:
        targets: Any = RedactedTargets({"local": self.commands()}, lambda lane: ["s3cr3t-of-lane"])
        return self.open(targets=targets)

    async def served(self) -> None:
        target = self.commands()
        await target.apply(PRODUCTION, Desired(1, STABLE))
        await until(lambda: target.observe(PRODUCTION), lambda o: o.weight_of(STABLE.digest))


async def test_output_is_on_the_thread_once_and_without_secrets_and_a_press_rolls_back(
    dsn: str, tmp_path: Path
) -> None:
    text = 'echo "$SLIPWAY_ACTION $SLIPWAY_VERSION with s3cr3t-of-lane"; sleep 1.5; echo done'
    world = ScriptWorld(dsn, tmp_path, text)
    await world.served()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(CANDIDATE, lane=PRODUCTION)
        observing = await slipway.reaches(rollout, Phase.OBSERVING)
        assert observing.observed_weight == 100
        await slipway.press(observing, Action.ROLL_BACK, LEAD)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
        await slipway.quiet()
    log = world.announcer.log(rollout.id)
    printed = [line for line in log if "```" in line]
    said = "".join(printed)
    assert said.count("apply 1.5.0 with ***") == 1 and said.count("rollback 1.4.0 with ***") == 1
    assert said.count("done") == 2 and "s3cr3t" not in said
    assert log.index(printed[0]) < log.index("1.5.0 has 100% of the traffic.")


async def test_a_command_that_fails_rolls_back_and_says_why(dsn: str, tmp_path: Path) -> None:
    world = ScriptWorld(dsn, tmp_path, 'test "$SLIPWAY_VERSION" != 1.5.0 || { echo no disk; exit 9; }')
    await world.served()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(CANDIDATE, lane=PRODUCTION)
        found = await slipway.reaches(rollout, Phase.ROLLED_BACK)
    assert "the apply command exited with code 9; last words: no disk" in found.outcome


async def test_a_rollback_that_fails_halts_at_once_with_its_words(dsn: str, tmp_path: Path) -> None:
    world = ScriptWorld(dsn, tmp_path, 'test "$SLIPWAY_ACTION" != rollback || { echo locked; exit 9; }')
    await world.served()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(CANDIDATE, lane=PRODUCTION)
        observing = await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.press(observing, Action.ROLL_BACK, LEAD)
        found = await slipway.reaches(rollout, Phase.HALTED)
    assert "the rollback command exited with code 9; last words: locked" in found.outcome


@pytest.mark.parametrize("hangs", [True, False], ids=["still runs", "has ended"])
async def test_another_process_goes_on_with_the_command_of_a_dead_one(
    dsn: str, tmp_path: Path, hangs: bool
) -> None:
    wait = "until test -e go; do sleep 0.05; done" if hangs else "true"
    text = f'test "$SLIPWAY_VERSION" = 1.4.0 || {{ echo x >> count; {wait}; echo finished; }}'
    world = ScriptWorld(dsn, tmp_path, text)
    await world.served()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(CANDIDATE, lane=PRODUCTION)

        async def begun() -> bool:
            return (tmp_path / "count").exists()

        await until(begun)
    (tmp_path / "go").touch()
    async with world.slipway() as slipway:
        await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.quiet()
    assert (tmp_path / "count").read_text() == "x\n"
    assert "".join(world.announcer.log(rollout.id)).count("finished") == 1
