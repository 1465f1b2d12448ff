"""What goes wrong, and what is still right afterwards."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import asyncpg
import pytest

from bot.adapters.postgres.connection.migrate import upgrade
from bot.domain.errors import UserError
from bot.domain.records import Claimed
from bot.domain.rollout.model import Action, Desired, Lane, Observed, Phase, Plan
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import RollbackRequest
from bot.ports.data_plane.targets import Capabilities
from bot.ports.errors import Unreachable
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.catalogs import GUILD, LONG, PRODUCTION, STAGING, V140, V150, VERIFY, catalog, policy
from tests.support.harness import STEADY, World
from tests.support.postgres import postgres_server
from tests.support.waiting import PATIENCE_S, until


async def test_a_candidate_that_dies_in_a_soak_is_rolled_back(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        world.target.crash(PRODUCTION, V150.digest, "exited with code 7")
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
    assert "exited with code 7" in done.outcome
    assert (await world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100


async def test_a_candidate_that_dies_at_start_fails_without_traffic(dsn: str) -> None:
    world = World(dsn)
    world.target.dies.add(V150.digest)
    await world.serve()
    async with world.open() as slipway:
        done = await slipway.reaches(await slipway.deploy(), Phase.FAILED)
        assert not done.had_traffic
        assert "crashed" in done.outcome
        await slipway.quiet()
        assert V150.digest not in world.target.running(STAGING)
    assert [n.mention_users for n in world.announcer.heard("failed")] == [(DEV.id,)]


async def test_failed_checks_end_it_before_traffic(dsn: str) -> None:
    world = World(dsn)
    world.checker.findings["/healthz"] = "/healthz answered 503 instead of 200"
    await world.serve()
    async with world.open() as slipway:
        done = await slipway.reaches(await slipway.deploy(), Phase.FAILED)
    assert "503 instead of 200" in done.outcome
    assert world.checker.asked[0][0].endswith(V150.digest)


async def test_metrics_that_cannot_be_read_hold_and_then_roll_back(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(hold_deadline_s=600.0)))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        world.metrics.away = True
        held = await slipway.reaches(rollout, Phase.HELD)
        assert held.hold is not None
        assert "metrics are away" in held.hold.why
        world.clock.forward(601.0)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
        await slipway.quiet()
    (asked,) = world.announcer.heard("held")
    assert asked.mention_roles == ("on-call",)


async def test_a_hold_goes_on_when_the_metrics_are_back(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        world.metrics.error = "the endpoint answered 500"
        await slipway.reaches(rollout, Phase.HELD)
        world.metrics.error = None
        await slipway.reaches(rollout, Phase.SOAKING)


async def test_a_target_away_for_a_moment_delays_and_does_no_harm(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.target.away_after_apply = True
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        await slipway.reaches(rollout, Phase.SUCCEEDED)
    applied = Counter(desired.generation for lane, desired in world.target.applied if lane == STAGING)
    assert set(applied.values()) == {1}


async def test_a_target_that_stays_away_in_a_rollback_halts_and_calls_people(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(rollback_timeout_s=0.3)))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        world.target.away = True
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        halted = await slipway.reaches(rollout, Phase.HALTED)
        assert "cannot be reached" in halted.outcome
        await slipway.quiet()
        assert [n.mention_roles for n in world.announcer.heard("halted")] == [("on-call",)]
        world.target.away = False
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


class LateTarget(FakeTarget):
    """Holds back one apply until it is released, as a slow network would."""

    def __init__(self, slow_weight: int) -> None:
        super().__init__()
        self.slow_weight = slow_weight
        self.waiting, self.go, self.late = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.refused: Exception | None = None

    async def apply(self, lane: Lane, desired: Desired) -> None:
        if desired.candidate is not None and desired.weight == self.slow_weight:
            self.waiting.set()
            # A request that is on its way is not called back by who sent it.
            await asyncio.shield(asyncio.ensure_future(self._late(lane, desired)))
        else:
            await super().apply(lane, desired)

    async def _late(self, lane: Lane, desired: Desired) -> None:
        await self.go.wait()
        try:
            await super().apply(lane, desired)
        except Exception as error:
            self.refused = error
        self.late.set()


async def test_an_apply_that_lands_after_the_rollback_changes_nothing(dsn: str) -> None:
    target = LateTarget(10)
    world = World(dsn, catalog(LONG), target)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await asyncio.wait_for(target.waiting.wait(), PATIENCE_S)
        shifting = await slipway.now(rollout)
        assert shifting.phase is Phase.SHIFTING
        await slipway.press(shifting, Action.ROLL_BACK, ONCALL)
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        target.go.set()
        await asyncio.wait_for(target.late.wait(), PATIENCE_S)
    assert type(target.refused).__name__ == "StaleGeneration"
    assert (await target.observe(PRODUCTION)).weight_of(V150.digest) == 0
    assert done.generation == (await target.observe(PRODUCTION)).generation


async def test_discord_away_stops_no_rollout_and_nothing_is_lost_or_doubled(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.announcer.away = True
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        assert world.announcer.lines == {}
        world.announcer.away = False

        transitions = (await slipway.engine.view(rollout.id)).transitions
        await slipway.quiet()
    assert world.announcer.log(rollout.id) == [t.why for t in transitions]
    assert len(world.announcer.heard("succeeded")) == 1


async def test_a_line_that_can_never_be_posted_is_given_up_and_audited(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.announcer.broken.add("dev started deploying 1.5.0 to staging, replacing 1.4.0.")
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        await slipway.reaches(rollout, Phase.SUCCEEDED)

        async def audited() -> Any:
            view = await slipway.engine.view(rollout.id)
            return [t for t in view.transitions if t.what == "effect_given_up"]

        (entry,) = await until(audited)

        await slipway.quiet()
        told = [t.why for t in (await slipway.engine.view(rollout.id)).transitions if t.to_phase]
    assert world.announcer.log(rollout.id) == told[1:]
    assert "Discord refuses this text" in entry.why


async def test_only_failures_count_as_attempts_not_processes_that_died_or_an_outside_that_is_away(
    dsn: str,
) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        await slipway.deploy()
        effects = slipway.store.effects

        async def claimed() -> Claimed:
            (claim,) = await effects.claim(("set_desired",), 10, 0.0, [])
            return claim

        for _ in range(20):
            assert (await claimed()).attempts == 0
        await effects.retry(await claimed(), 0.0, "away", failed=False)
        assert (await claimed()).attempts == 0
        await effects.retry(await claimed(), 0.0, "broken", failed=True)
        again = await claimed()
        assert again.attempts == 1


async def test_two_workers_do_each_effect_once(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(intervals=STEADY) as first, world.open(intervals=STEADY) as second:
        rollouts = [await first.deploy(), await second.deploy(lane=PRODUCTION)]
        await second.reaches(rollouts[0], Phase.SUCCEEDED)
        gated = await first.reaches(rollouts[1], Phase.GATED)
        await second.press(gated, Action.APPROVE, LEAD)
        await first.reaches(rollouts[1], Phase.SUCCEEDED)
        await first.quiet()
    posted = {key: count for key, count in world.announcer.calls.items() if key != "draw_card"}
    assert set(posted.values()) == {1}
    for rollout in rollouts:
        assert world.announcer.log(rollout.id) == await why(world, rollout.id)
    generations = Counter((lane, desired.generation) for lane, desired in world.target.applied)
    assert set(generations.values()) == {1}


async def why(world: World, rollout_id: int) -> list[str]:
    async with world.open(working=False) as slipway:
        return [t.why for t in (await slipway.engine.view(rollout_id)).transitions]


async def test_an_abort_on_the_machine_ends_the_rollout_and_is_audited(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        await world.target.abort(PRODUCTION, "root", "users complain")
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        view = await slipway.engine.view(rollout.id)
    (entry,) = [t for t in view.transitions if t.what == "host_aborted"]
    assert (entry.actor.name, entry.actor.via) == ("root", "cli")
    assert "users complain" in done.outcome


async def test_an_abort_while_slipway_was_down_is_heard_when_it_is_back(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
    await world.target.abort(PRODUCTION, "root", "")
    async with world.open() as slipway:
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


async def test_an_abort_between_rollouts_is_audited_and_the_next_deploy_is_newer(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        await world.target.abort(STAGING, "root", "just in case")

        async def audited() -> Any:
            return await slipway.audit("host_aborted")

        assert "just in case" in (await until(audited))[0]["why"]
        await slipway.reaches(await slipway.deploy(V140), Phase.SUCCEEDED)


async def test_the_audit_log_refuses_to_be_changed(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        await slipway.deploy()
        async with slipway.database.connection() as connection:
            for statement in ("UPDATE audit SET why = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
                with pytest.raises(asyncpg.RaiseError, match="append-only"):
                    await connection.execute(statement)


async def test_drift_is_reported_and_over_when_it_is_over(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        # Someone gave the target something else under the same generation's successor.
        generation = (await world.target.observe(STAGING)).generation + 1
        await world.target.apply(STAGING, Desired(generation, V140))

        async def drifted() -> str:
            return (await slipway.engine.status(GUILD, "checkout", "staging"))[0].drift

        assert "1.4.0 still has 100%" in await until(drifted)
        await world.target.apply(STAGING, Desired(generation + 1, V150))

        async def over() -> bool:
            return not await drifted()

        await until(over)
        assert [row["what"] for row in await slipway.audit("drift_over")] == ["drift_over"]


async def test_drift_is_repaired_where_the_catalog_says_so(dsn: str) -> None:
    world = World(dsn, catalog(drift="repair"))
    await world.serve()
    async with world.open() as slipway:
        await until(slipway.store.lanes.lanes)
        generation = (await world.target.observe(PRODUCTION)).generation + 1
        await world.target.apply(PRODUCTION, Desired(generation, V150))

        async def repaired() -> bool:
            return (await world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100

        await until(repaired)
        (entry,) = await slipway.audit("drift_repaired")
    assert "1.5.0" in entry["why"]


async def test_a_gate_that_no_one_answers_expires(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        world.clock.forward(1801.0)
        done = await slipway.reaches(gated, Phase.CANCELLED)
    assert "expired" in done.outcome
    assert (await world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100


async def test_what_came_due_while_slipway_was_down_is_done_when_it_is_back(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
    world.clock.forward(1801.0)
    async with world.open() as slipway:
        await slipway.reaches(gated, Phase.CANCELLED)


async def test_readiness_is_refreshed_while_a_gate_waits(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        world.target.crash(PRODUCTION, V140.digest)
        world.target.looks_to_start = 10**6

        async def not_running() -> bool:
            readiness = (await slipway.now(gated)).readiness
            return readiness is not None and not readiness.warm and bool(readiness.problem)

        await until(not_running)


async def test_a_rollout_of_an_older_stored_plan_is_finished(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
    connection = await asyncpg.connect(dsn)
    charter = json.loads(await connection.fetchval("SELECT charter FROM rollouts WHERE id = $1", gated.id))
    del charter["binding"]  # which Slipways of that time did not write
    charter["plan"] = {
        "name": "production",
        "version": 0,
        "steps": [
            {"verify": {"timeout_s": 5.0}},
            {"gate": {"name": "go", "role": "release-manager"}},
            {"shift": 10},
            {"soak": 0.2},
            {"shift": 100},
            {"observe": 0.1},
        ],
    }
    await connection.execute("UPDATE rollouts SET charter = $2 WHERE id = $1", gated.id, json.dumps(charter))
    await connection.close()
    async with world.open() as slipway:
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(gated, Phase.SUCCEEDED)


async def test_a_rollout_of_a_newer_slipway_is_left_alone(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy()
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE rollouts SET charter = jsonb_set(charter, '{plan,version}', '99')")
    await connection.close()
    async with world.open(working=False) as slipway:
        with pytest.raises(UserError, match="version 99"):
            await slipway.press(rollout, Action.CANCEL, DEV)


async def test_a_database_that_stops_and_starts_in_a_soak_costs_time_and_nothing_else() -> None:
    with postgres_server(migrated=False) as server:
        await upgrade(server.dsn())
        # Long enough for a busy machine to stop the server before it is over.
        plan = Plan("soak", (VERIFY, Shift(10, 5.0), Soak(5.0), Shift(100, 5.0)))
        world = World(server.dsn(), catalog(plan))
        await world.serve()
        async with world.open() as slipway:
            rollout = await slipway.soaking()
            await asyncio.to_thread(server.stop)
            with pytest.raises(Unreachable):
                await slipway.press(rollout, Action.PAUSE, DEV)
            assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 10
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)
            back = await slipway.now(rollout)
            assert back.phase is Phase.SOAKING
            assert back.judge_state is not None
            # A gap counts as three planned ticks at most, so the soak did not pass while no one looked.
            assert back.judge_state.soak.measured_s < 5.0
            await slipway.reaches(rollout, Phase.SUCCEEDED)


class Exclusive(FakeTarget):
    """Says what it can do, as the real target of an exclusive service does."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(weights=False, warm=False)

    async def observe(self, lane: Lane) -> Observed:
        return await super().observe(lane)


async def test_an_exclusive_service_never_runs_twice_and_rolls_back_by_a_restart(dsn: str) -> None:
    target = Exclusive(exclusive=(PRODUCTION, STAGING))
    plan = Plan("exclusive", (VERIFY, Shift(100, 5.0), Soak(60.0)))
    world = World(dsn, catalog(plan, policy=policy(exclusive=True)), target)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        assert target.running(PRODUCTION) == {V150.digest}
        world.metrics.bad[V150.digest] = 0.5
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
    assert target.running(PRODUCTION) == {V140.digest}
    assert target.most_at_once[PRODUCTION] == 1


async def test_a_press_and_a_tick_at_once_both_count(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.soaking()
        for number in range(10):
            action = Action.PAUSE if number % 2 == 0 else Action.RESUME
            acted = await slipway.press(rollout, action, DEV, interaction=f"press-{number}")
            assert not acted.repeated
        view = await slipway.engine.view(rollout.id)
        assert len([t for t in view.transitions if t.what in ("paused", "resumed")]) == 10
        await slipway.press(rollout, Action.ROLL_BACK, ONCALL)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)


async def test_a_return_to_known_good_works_while_the_release_source_is_away(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        world.releases.away = True
        back = await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging"))
        await slipway.reaches(back, Phase.SUCCEEDED)


async def test_one_rollout_that_cannot_be_read_keeps_no_one_from_judging_the_others(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    await world.serve()
    async with world.open() as slipway:
        unreadable = await slipway.soaking()
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "UPDATE rollouts SET charter = jsonb_set(charter, '{plan,version}', '99') WHERE id = $1",
        unreadable.id,
    )
    await connection.execute(
        "INSERT INTO effects (key, rollout_id, service, environment, kind, payload) "
        "VALUES ('new', $1, 'checkout', 'production', 'notify', '{\"kind\": \"of a newer version\"}')",
        unreadable.id,
    )
    await connection.close()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(lane=STAGING), Phase.SUCCEEDED)
