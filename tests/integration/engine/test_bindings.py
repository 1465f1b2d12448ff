"""A rollout keeps what it started with: the catalog may change under it, and nothing else may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot.adapters.postgres.connection.database import Database
from bot.adapters.targets.redacted import RedactedTargets
from bot.composition.adapters import make_releases
from bot.domain.config import Catalog
from bot.domain.judge.evidence.counters import Sample
from bot.domain.rollout.binding import AdapterBinding, LaneBinding
from bot.domain.rollout.model import Action, Phase, Release, Rollout
from bot.engine.api import RollbackRequest
from tests.fakes.outside import FakeMetrics
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.catalog_files import changed, load, write
from tests.support.catalogs import GATED, GUILD, LONG, PRODUCTION, STAGING, V140, V150, catalog
from tests.support.harness import Slipway, World
from tests.support.waiting import until


def without(world: World) -> Catalog:
    """The catalog after someone deleted production from it."""
    return replace(world.catalog, lanes={STAGING: world.catalog.lanes[STAGING]})


@asynccontextmanager
async def two_of_each(world: World, second: FakeTarget, probe: FakeMetrics) -> AsyncIterator[Slipway]:
    """A process with two targets and two metric sources."""
    async with Database(world.dsn, size=6, timeout_s=10.0) as database:
        slipway = Slipway(
            world,
            database,
            targets={"local": world.target, "second": second},
            releases=world.releases,
            metrics={"router": world.metrics, "probe": probe},
        )
        async with slipway.running(True):
            yield slipway


async def approved(slipway: Slipway, rollout: Rollout) -> None:
    gated = await slipway.reaches(rollout, Phase.GATED)
    await slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal)


async def test_another_source_and_target_in_the_catalog_leave_a_running_rollout_alone(dsn: str) -> None:
    world, second, probe = World(dsn), FakeTarget(), FakeMetrics("probe")
    await world.serve()
    async with two_of_each(world, second, probe) as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        world.catalog = catalog(metrics=("probe",), target="second")
        probe.bad[V150.digest] = 1.0  # who read it would roll back
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 100
        assert (probe.compared[PRODUCTION], second.applied) == (0, [])


class OtherInstances(FakeMetrics):
    """A source that counts by instances of its own, as one does that reads every instance for itself."""

    def _one(self, key: str, digest: str, at: float) -> Sample:
        sample = super()._one(key, digest, at)
        return replace(sample, readings=tuple(replace(each, instance="pid-1") for each in sample.readings))


async def test_another_source_in_the_catalog_is_no_crash_in_the_middle_of_a_soak(dsn: str) -> None:
    world, probe = World(dsn, catalog(LONG)), OtherInstances("probe")
    await world.serve()
    async with two_of_each(world, FakeTarget(), probe) as slipway:
        rollout = await slipway.soaking()
        assert rollout.judge_state is not None
        before_s = rollout.judge_state.soak.measured_s
        world.catalog = catalog(LONG, metrics=("probe",))

        async def went_on() -> bool:
            now = await slipway.now(rollout)
            assert now.phase is Phase.SOAKING, now.outcome  # "instance router was replaced by pid-1"
            return now.judge_state is not None and now.judge_state.soak.measured_s > before_s + 1.0

        await until(went_on)
        assert probe.compared[PRODUCTION] == 0


async def test_the_next_rollout_goes_by_the_new_catalog(dsn: str) -> None:
    world, second, probe = World(dsn), FakeTarget(), FakeMetrics("probe")
    await world.serve()
    async with two_of_each(world, second, probe) as slipway:
        first = await slipway.deploy(lane=PRODUCTION)
        await approved(slipway, first)
        await slipway.reaches(first, Phase.SUCCEEDED)
        world.catalog = catalog(metrics=("probe",))
        probe.bad[V140.digest] = 1.0
        second_one = await slipway.deploy(V140, PRODUCTION)
        await approved(slipway, second_one)
        await slipway.reaches(second_one, Phase.ROLLED_BACK)
        assert probe.compared[PRODUCTION]


async def test_a_rollout_in_a_deleted_lane_goes_on_to_its_end(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        world.catalog = without(world)
        await slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
    assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 100


async def test_a_rollout_in_a_deleted_lane_can_be_rolled_back_after_a_restart(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
    world.catalog = without(world)
    async with world.open() as slipway:
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL, reason="it is slow")
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
    assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 0


async def test_a_crash_is_heard_at_the_gate_of_a_deleted_lane(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.GATED)
        world.catalog = without(world)
        world.target.crash(PRODUCTION, V150.digest)
        await slipway.reaches(rollout, Phase.FAILED)


async def test_a_stored_rollout_that_someone_changed_gets_no_traffic(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.GATED)
        async with slipway.database.connection() as connection:
            await connection.execute(
                "UPDATE rollouts SET charter = jsonb_set(charter, '{candidate,spec,command,1}', '\"evil\"')"
            )
    async with world.open() as slipway:
        gated = await slipway.now(rollout)
        await slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal)
        failed = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        (line,) = await slipway.audit("seal_broken")
    assert "is not the one that was approved: its seal does not match" in line["why"]
    assert "its seal does not match" in failed.outcome
    assert all(desired.weight == 0 for _, desired in world.target.applied)


async def test_an_order_that_someone_changed_is_not_carried_out(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy()
        async with slipway.database.connection() as connection:
            await connection.execute(
                "UPDATE effects SET payload = "
                "jsonb_set(payload, '{desired,candidate,spec,command,1}', '\"evil\"') WHERE kind = 'set_desired'"
            )
    async with world.open() as slipway:
        await slipway.reaches(rollout, Phase.FAILED)
        (line,) = await slipway.audit("seal_broken")
    assert line["why"].endswith("The order is not for the 1.5.0 that was approved.")
    assert not any("evil" in str(desired) for _, desired in world.target.applied)


async def test_a_rollout_of_an_earlier_version_reads_the_catalog(dsn: str) -> None:
    world, second, probe = World(dsn, catalog(LONG)), FakeTarget(), FakeMetrics("probe")
    await world.serve()
    async with two_of_each(world, second, probe) as slipway:
        rollout = await slipway.soaking()
        async with slipway.database.connection() as connection:
            await connection.execute(
                "UPDATE rollouts SET charter = charter - 'binding', version = version + 1"
            )
    world.catalog = catalog(LONG, metrics=("probe",))
    async with two_of_each(world, second, probe) as slipway:
        looks = world.metrics.looks[PRODUCTION]  # between rollouts, staging is looked at as well
        await until(lambda: _true(probe.compared[PRODUCTION] > 3))
        assert (await slipway.now(rollout)).binding is None
        assert world.metrics.looks[PRODUCTION] == looks
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


async def _true(value: bool) -> bool:
    return value


async def test_a_binding_is_stored_with_the_rollout(dsn: str) -> None:
    bound = LaneBinding(
        AdapterBinding("local", {"kind": "process"}),
        (AdapterBinding("router", {"url": "${A}"}),),
        {"listen": 1},
    )
    world = World(dsn, catalog(GATED, binding=bound))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        assert (await slipway.now(rollout)).binding == bound


# ---- releases ----------------------------------------------------------------------------------------------


class PerEnvironment:
    """A release source with an overlay in production."""

    def __init__(self) -> None:
        self.command = "serve"

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        if environment == "staging":
            return [V150]
        spec = {"command": [self.command, "1.5.0"]}
        return [replace(V150, digest=f"sha256:1.5.0-{self.command}", base=V150.digest, spec=spec)]

    async def pinned(self, release: Release, environment: str) -> Release:
        return release


async def test_what_succeeded_in_staging_may_go_to_production_with_its_overlay(dsn: str) -> None:
    from bot.domain.config import Prerequisite

    world = World(dsn, catalog(prerequisite=Prerequisite("staging")))
    world.releases = releases = PerEnvironment()  # type: ignore[assignment]
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        rollout = await slipway.deploy(lane=PRODUCTION)
        await approved(slipway, rollout)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        # The same version with another command in production is another release, and staging's success still counts.
        releases.command = "serve-fast"
        again = await slipway.deploy(lane=PRODUCTION)
        assert again.seal != rollout.seal
        await approved(slipway, again)
        await slipway.reaches(again, Phase.SUCCEEDED)
    assert world.target.applied[-1][1].stable.spec["command"][0] == "serve-fast"


async def test_what_the_environment_gives_is_never_in_the_database(dsn: str, tmp_path: Path) -> None:
    text = changed(
        (
            'command: [run, "{version}"]',
            'command: [run, "--key=${SHOP_KEY}"], env: {DB: "postgres://${SHOP_DB}"}',
        ),
        ("staging: {router: 8401}", 'staging: {router: 8401, spec: {env: {EXTRA: "${SHOP_EXTRA}"}}}'),
    )
    environ = {"SHOP_KEY": "key-in-clear", "SHOP_DB": "db-in-clear", "SHOP_EXTRA": "extra-in-clear"}
    read = load(write(tmp_path, all=text), environ)
    world = World(dsn)
    world.releases = make_releases(lambda: read)  # type: ignore[assignment]
    await world.serve()
    targets = RedactedTargets({"local": world.target}, lambda lane: environ.values(), environ)
    async with Database(dsn, size=6, timeout_s=10.0) as database:
        slipway = Slipway(
            world, database, targets=targets, releases=world.releases, metrics={"router": world.metrics}
        )
        async with slipway.running(True):
            newest, _ = await world.releases.releases("checkout", "staging")
            await slipway.reaches(await slipway.deploy(newest), Phase.SUCCEEDED)
            back = RollbackRequest(GUILD, ONCALL, "checkout", "staging")
            await slipway.reaches(await slipway.engine.roll_back(back), Phase.SUCCEEDED)
            async with database.connection() as connection:
                tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                stored = [
                    str(row["line"])
                    for (table,) in tables
                    for row in await connection.fetch(f'SELECT t::text AS line FROM "{table}" t')
                ]
    told = json.dumps([str(desired) for _, desired in world.target.applied])
    for value in environ.values():
        assert value in told
        assert not any(value in line for line in stored)
    assert any("${SHOP_KEY}" in line for line in stored)
    assert DEV.name in " ".join(stored)
