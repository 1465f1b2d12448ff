"""A kind of step added in two lines, the registry's and the executor's, through the real engine and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.domain.rollout import steps
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import Observe, Shift
from bot.engine.effects import executor
from bot.engine.loops import worker
from tests.fakes.migrate_step import MIGRATE, Migrate, RevertMigration, RunMigration
from tests.support.actors import DEV, LEAD
from tests.support.catalogs import PRODUCTION, VERIFY, catalog
from tests.support.harness import World
from tests.support.waiting import until

PLAN = Plan("migrated", (VERIFY, Migrate("1.sql", 5.0), Shift(100, 5.0), Observe(60.0)))


@dataclass
class Migrations:
    """What carries the new effects out."""

    done: list[str] = field(default_factory=list)
    findings: Sequence[str] = ()
    stuck: bool = False

    async def run(self, rollout_id: int, effect: RunMigration) -> Sequence[str]:
        self.done.append(f"run {effect.script}")
        try:
            await asyncio.sleep(60.0 if self.stuck else 0.0)
        except asyncio.CancelledError:
            self.done.append(f"stopped {effect.script}")
            raise
        return self.findings

    async def revert(self, rollout_id: int, effect: RevertMigration) -> None:
        self.done.append(f"revert {effect.script}")


@pytest.fixture
def migrations(monkeypatch: pytest.MonkeyPatch) -> Migrations:
    made, shipped = Migrations(), executor.carriers

    def carriers(store: Any, lanes: Any, *more: Any, **named: Any) -> Mapping[str, executor.Carrier]:
        return {
            **shipped(store, lanes, *more, **named),
            "run_migration": executor.reported(made.run, lanes.now),
            "revert_migration": executor.silent(made.revert),
        }

    monkeypatch.setitem(steps.KINDS, "migrate", MIGRATE)
    monkeypatch.setattr(worker, "carriers", carriers)
    return made


async def test_its_effect_is_carried_out_once_and_taken_back_by_a_rollback(
    dsn: str, migrations: Migrations
) -> None:
    world = World(dsn, catalog(PLAN))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        observing = await slipway.reaches(rollout, Phase.OBSERVING)
        assert migrations.done == ["run 1.sql"]
        await slipway.press(observing, Action.ROLL_BACK, LEAD)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
        await until(lambda: _seen(migrations, "revert 1.sql"))
        await slipway.quiet()
    assert migrations.done == ["run 1.sql", "revert 1.sql"]
    assert "1.sql is done." in world.announcer.log(rollout.id)


async def test_its_findings_fail_the_rollout(dsn: str, migrations: Migrations) -> None:
    migrations.findings = ("table is locked",)
    world = World(dsn, catalog(PLAN))
    await world.serve()
    async with world.open() as slipway:
        failed = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.FAILED)
    assert "1.sql: table is locked" in failed.outcome


async def test_an_effect_under_way_is_stopped_when_its_rollout_no_longer_waits(
    dsn: str, migrations: Migrations
) -> None:
    migrations.stuck = True
    world = World(dsn, catalog(Plan("slow", (VERIFY, Migrate("1.sql", 60.0), Shift(100, 5.0)))))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await until(lambda: _seen(migrations, "run 1.sql"))
        await slipway.press(rollout, Action.CANCEL, DEV)
        await until(lambda: _seen(migrations, "stopped 1.sql"))
        async with slipway.database.connection() as connection:
            states = await connection.fetch("SELECT state FROM effects WHERE kind = 'run_migration'")
    assert [row["state"] for row in states] == ["superseded"]


async def _seen(migrations: Migrations, what: str) -> bool:
    return what in migrations.done
