"""Slash commands as a step, and a rollback at any moment of it: the rollback wins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.domain.appcommands.applications import Application
from bot.domain.appcommands.records import Manifest
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import SYSTEM, Desired, Plan, Release
from bot.domain.rollout.steps import Gate, RestoreCommands, RunSync, Shift
from bot.domain.secret import Secret
from bot.engine.appcommands.sync_step import SyncStep
from bot.engine.lanes import Lanes
from bot.engine.stepper import change_of
from bot.ports.appcommands import AppCommandStore, SourcedManifest
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryStore
from tests.fakes.store.commands import MemoryCommandRecords
from tests.fakes.target import FakeTarget
from tests.support.catalogs import PRODUCTION, V150, begin_rollout, catalog
from tests.support.clocks import FrozenClock
from tests.support.interrupted import Interrupted

APPLICATION = Application("greeter", 7, Secret("token"))
COMMANDS = APPLICATION.lane("production")
PLAN = Plan("plan", (Gate("go", "release-manager"), Shift(100)))


def commands(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "description": "Says hello"}]


FORMER, NEW = Manifest.of(commands("greet")), Manifest.of(commands("wave"))


class Manifests:
    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        return SourcedManifest(commands("wave"), "wave.json")


class SyncStepWorld:
    """A rollout that brings new commands; the application's lane has the former ones."""

    def __init__(self) -> None:
        self.database = Interrupted(FrozenClock().now)
        self.target = FakeTarget()
        self.store = MemoryStore(self.database)
        self.records = MemoryCommandRecords(self.database)
        known = catalog(PLAN)
        config = replace(known.lanes[PRODUCTION], lane=COMMANDS, plan=Plan("straight", (Shift(100),)))
        known = replace(
            known,
            lanes={**known.lanes, COMMANDS: config},
            applications={APPLICATION.name: APPLICATION},
        )
        lanes = Lanes(
            self.store, lambda: known, {"local": self.target}, FakeReleases({}), clock=FrozenClock()
        )
        records = cast(AppCommandStore, self.records)
        self.step = SyncStep(self.store, lanes, manifests=cast(Any, Manifests()), records=records)

    async def begin(self) -> None:
        now = self.database.now()
        former = Release(COMMANDS.service, FORMER.version, FORMER.digest)
        await self.target.apply(COMMANDS, Desired(1, former))
        await self.target.observe(COMMANDS)
        row = LaneRow(COMMANDS, 1, Desired(1, former), None, now)
        await self.store.lanes.adopt(row, AuditEntry(COMMANDS, SYSTEM, now, "adopted", "It was there."))
        await self.records.manifests.put(FORMER, "greeter", "before")
        self.rollout_id = await self.store.rollouts.next_id()
        stepped = begin_rollout(id=self.rollout_id, lane=PRODUCTION, plan=PLAN, at=now, generation=0)
        await self.store.rollouts.save(change_of(None, stepped, now))

    async def sync(self) -> Sequence[str]:
        effect = RunSync(PRODUCTION, 0, V150, "greeter", "all", 5.0)
        return await self.step.sync(self.rollout_id, effect)

    async def restore(self) -> None:
        await self.step.restore(self.rollout_id, RestoreCommands(PRODUCTION, "greeter"))

    async def served(self) -> str:
        observed = await self.target.observe(COMMANDS)
        return max(observed.running, key=lambda running: running.weight).digest


@pytest.fixture
async def world() -> SyncStepWorld:
    made = SyncStepWorld()
    await made.begin()
    return made


async def test_a_sync_brings_the_new_commands_and_a_rollback_the_former_ones(world: SyncStepWorld) -> None:
    assert await world.sync() == []
    assert await world.served() == NEW.digest
    await world.restore()
    assert await world.served() == FORMER.digest


@pytest.mark.parametrize("statement", range(20))
async def test_a_rollback_before_any_statement_of_a_sync_wins(world: SyncStepWorld, statement: int) -> None:
    """Found by the simulation: a sync in another process put the candidate's commands back after a rollback."""
    world.database.left, world.database.happens = statement, world.restore
    await world.sync()
    if world.database.happens is not None:
        await world.restore()
    assert await world.served() == FORMER.digest


@pytest.mark.parametrize("statement", range(10))
async def test_a_sync_before_any_statement_of_a_rollback_loses(world: SyncStepWorld, statement: int) -> None:
    world.database.left, world.database.happens = statement, world.sync
    await asyncio.gather(world.restore(), return_exceptions=True)
    assert await world.served() == FORMER.digest
