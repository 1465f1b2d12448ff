"""What the engine refuses, with which sentence, and what it answers to what comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Prerequisite
from bot.domain.errors import Refused, UserError
from bot.domain.rollout.model import Action, Actor, Lane, Phase, Plan, Release
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import DeployRequest, DryRun, RollbackRequest
from bot.engine.service import Engine
from tests.fakes.outside import FakeReleases
from tests.support.actors import DEV, GUEST, LEAD, LEAD2, ONCALL
from tests.support.catalogs import GATED, GUILD, PRODUCTION, STAGING, V140, V150, V151, catalog
from tests.support.harness import Slipway, World

OTHER_GUILD = 43


@dataclass
class Late(FakeReleases):
    """Keeps a list that lacks 1.5.0, which the source itself has."""

    asked: list[bool] = field(default_factory=list)

    async def releases(self, service: str, environment: str, *, fresh: bool = False) -> Sequence[Release]:
        self.asked.append(fresh)
        return [V150, *self.known[service]] if fresh else self.known[service]


async def test_unknown_names_are_refused_with_the_nearest(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        for service, version, environment, nearest in (
            ("chekout", "1.5.0", "staging", "`checkout`"),
            ("checkout", "1.5.9", "staging", "`1.5.1`"),
            ("checkout", "1.5.0", "prodution", "`production`"),
        ):
            with pytest.raises(UserError) as refused:
                await slipway.engine.deploy(DeployRequest(GUILD, DEV, service, version, environment))
            assert nearest in refused.value.remedy


async def test_a_version_that_was_published_a_moment_ago_is_found_in_the_source(dsn: str) -> None:
    world = World(dsn)
    world.releases = Late({"checkout": [V140]})
    await world.serve()
    async with world.open(working=False) as slipway:
        assert (await slipway.deploy(V150)).candidate.version == "1.5.0"
        assert world.releases.asked[:2] == [False, True]
        with pytest.raises(UserError, match="no version"):
            await slipway.deploy(V151, PRODUCTION)


async def test_another_guild_sees_nothing(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        with pytest.raises(UserError, match="no rollout #"):
            await slipway.engine.view(rollout.id, OTHER_GUILD)
        with pytest.raises(UserError, match="no service"):
            await slipway.engine.deploy(DeployRequest(OTHER_GUILD, DEV, "checkout", "1.5.0", "staging"))
        assert await slipway.engine.status(OTHER_GUILD) == []
        assert await slipway.engine.history(OTHER_GUILD) == []


async def test_a_press_from_another_guild_changes_nothing(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        with pytest.raises(UserError, match="no rollout #"):
            await slipway.engine.act(slipway.request(rollout, Action.CANCEL, DEV, guild_id=OTHER_GUILD))
        assert (await slipway.now(rollout)).version == rollout.version


async def test_a_deploy_needs_a_role(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        with pytest.raises(Refused, match="`deployer`"):
            await slipway.deploy(actor=GUEST)


async def test_what_already_runs_is_refused_and_said_where(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        with pytest.raises(Refused, match=r"checkout 1\.4\.0 already runs in staging"):
            await slipway.deploy(V140)


async def test_a_second_deploy_is_told_about_the_first(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        first = await slipway.deploy(lane=PRODUCTION)
        with pytest.raises(Refused, match=rf"#{first.id}.*dev is deploying 1\.5\.0") as refused:
            await slipway.deploy(V151, PRODUCTION)
    assert refused.value.rule == "lane_busy"


async def test_of_two_deploys_at_once_one_begins(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        begun = await asyncio.gather(
            slipway.deploy(V150, PRODUCTION), slipway.deploy(V151, PRODUCTION), return_exceptions=True
        )
        refused = [one for one in begun if isinstance(one, BaseException)]
        assert [type(one) for one in refused] == [Refused]
        assert len(await slipway.store.rollouts.active()) == 1


async def test_the_same_interaction_delivered_at_once_begins_one(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        begun = await asyncio.gather(*(slipway.deploy(interaction="twice") for _ in range(4)))
        assert len({rollout.id for rollout in begun}) == 1


async def test_two_approvals_at_once_count_one_each(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        pressed = await asyncio.gather(
            *(slipway.press(gated, Action.APPROVE, who, step=gated.step) for who in (LEAD, LEAD2)),
            return_exceptions=True,
        )
        done = await slipway.reaches(rollout, Phase.SUCCEEDED)
        view = await slipway.engine.view(done.id)
    assert sum(not isinstance(one, BaseException) for one in pressed) == 1
    late = next(one for one in pressed if isinstance(one, Refused))
    # The later one meets a step that is over, or a rollout that is.
    assert late.rule in ("older_step", "over"), late
    assert len([t for t in view.transitions if t.what == "approved"]) == 1


async def test_one_interaction_delivered_to_two_processes_is_done_once(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as first, world.open(working=False) as second:
        rollout = await first.deploy(lane=PRODUCTION)
        pressed = await asyncio.gather(
            *(one.press(rollout, Action.PAUSE, DEV, interaction="same") for one in (first, second) * 3)
        )
        view = await first.engine.view(rollout.id)
    assert sorted(one.repeated for one in pressed) == [False] + [True] * 5
    assert {one.sentence for one in pressed} == {"dev paused the rollout."}
    assert len([t for t in view.transitions if t.what == "paused"]) == 1


async def test_an_automatic_rollback_keeps_the_lock_that_someone_set(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.metrics.bad[V151.digest] = 0.2
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(V151, PRODUCTION), Phase.GATED)
        until = world.clock.now() + timedelta(minutes=5)
        await slipway.engine.lock(GUILD, LEAD, PRODUCTION, "audit week", until)
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(gated, Phase.ROLLED_BACK)
        lock = (await slipway.engine.status(GUILD, "checkout", "production"))[0].lock
        # Nor does a lock that ends by itself lift the quarantine.
        again = await slipway.engine.lock(GUILD, LEAD, PRODUCTION, "one more day", until)
        world.clock.forward(600)
        with pytest.raises(Refused, match=r"quarantined.*one more day"):
            await slipway.deploy(V151, PRODUCTION)
    assert lock is not None
    assert (again.expires, again.digest, again.quarantined_at) == (None, V151.digest, lock.quarantined_at)
    assert (lock.owner, lock.digest, lock.expires) == ("lead", V151.digest, None)
    assert lock.reason.startswith("audit week · 1.5.1 was rolled back")


async def test_approving_twice_is_said_to_be_done_already(dsn: str) -> None:
    two = replace(catalog().lanes[PRODUCTION].plan.steps[1], quorum=2)
    plan = catalog().lanes[PRODUCTION].plan
    world = World(dsn, catalog(replace(plan, steps=(plan.steps[0], two, *plan.steps[2:]))))
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        first = await slipway.press(gated, Action.APPROVE, LEAD)
        again = await slipway.press(gated, Action.APPROVE, LEAD)
        assert (first.repeated, again.repeated) == (False, True)
        assert again.rollout.phase is Phase.GATED
        assert len(again.rollout.approvals) == 1


async def test_a_press_is_one_round_trip_to_the_database_and_two_when_its_rollout_is_not_known(
    dsn: str,
) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        await slipway.quiet()
    trips: list[float] = []
    async with Database(dsn, timeout_s=10.0, observed=lambda took, failed: trips.append(took)) as database:
        outside: dict[str, Any] = {"targets": {"local": world.target}, "releases": world.releases}
        engine = Engine(
            PostgresStore(database), lambda: world.catalog, **outside, clock=world.clock, waker=EventWaker()
        )
        counts = []
        for number, action in enumerate((Action.PAUSE, Action.RESUME, Action.PAUSE)):
            before = len(trips)
            await engine.act(slipway.request(rollout, action, LEAD, interaction=str(number)))
            counts.append(len(trips) - before)
    assert counts == [2, 1, 1]  # one statement each, and no other trip


async def test_the_requester_cannot_approve(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    both = Actor(DEV.id, DEV.name, frozenset({"deployer", "release-manager"}))
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION, actor=both), Phase.GATED)
        with pytest.raises(Refused, match="You requested this rollout"):
            await slipway.press(gated, Action.APPROVE, both)


async def test_a_press_on_a_finished_rollout_is_told_how_it_ended(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        done = await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        with pytest.raises(Refused, match="has ended"):
            await slipway.press(done, Action.PAUSE, LEAD)


async def test_a_prerequisite_names_the_command_to_run_first(dsn: str) -> None:
    world = World(dsn, catalog(prerequisite=Prerequisite("staging", 3600.0)))
    await world.serve()
    async with world.open() as slipway:
        with pytest.raises(Refused, match="It never has") as refused:
            await slipway.deploy(lane=PRODUCTION)
        assert "`/deploy service:checkout version:1.5.0 environment:staging`" in refused.value.remedy
        await slipway.reaches(await slipway.deploy(lane=STAGING), Phase.SUCCEEDED)
        world.clock.forward(3700.0)
        with pytest.raises(Refused, match="within the last 1 h"):
            await slipway.deploy(lane=PRODUCTION)
        world.clock.forward(-3700.0)
        await slipway.deploy(lane=PRODUCTION)


async def test_an_old_success_is_renewed_where_the_release_still_serves(dsn: str) -> None:
    world = World(dsn, catalog(prerequisite=Prerequisite("staging", 3600.0)))
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(lane=STAGING), Phase.SUCCEEDED)
        with pytest.raises(Refused, match="already runs"):
            await slipway.deploy(lane=STAGING)
        world.clock.forward(3700.0)
        with pytest.raises(Refused, match="within the last 1 h"):
            await slipway.deploy(lane=PRODUCTION)
        again = await slipway.deploy(lane=STAGING)
        assert (again.plan.name, again.stable, again.candidate) == ("renewal", V140, V150)
        await slipway.reaches(again, Phase.SUCCEEDED)
        await slipway.deploy(lane=PRODUCTION)


async def test_a_dry_run_shows_every_obstacle_and_begins_nothing(dsn: str) -> None:
    world = World(dsn, catalog(prerequisite=Prerequisite("staging", 3600.0)))
    await world.serve()
    async with world.open(working=False) as slipway:
        await slipway.engine.lock(GUILD, LEAD, PRODUCTION, "freeze", None)
        found = await slipway.engine.deploy(
            DeployRequest(GUILD, DEV, "checkout", "1.5.0", "production", dry_run=True)
        )
        assert isinstance(found, DryRun)
        assert {f.what for f in found.findings if not f.ok} == {"lock", "prerequisite"}
        assert found.stable == V140
        assert found.readiness.warm
        assert len(found.steps) == len(catalog().lanes[PRODUCTION].plan.steps)
        assert await slipway.store.rollouts.active() == []


async def test_a_lock_holds_until_it_expires_or_is_removed(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        engine = slipway.engine
        until = world.clock.now() + timedelta(minutes=5)
        await engine.lock(GUILD, LEAD, PRODUCTION, "release freeze", until)
        with pytest.raises(Refused, match=r"locked by lead.*release freeze"):
            await slipway.deploy(lane=PRODUCTION)
        with pytest.raises(Refused, match=r"locked by lead.*release freeze") as refused:
            await engine.lock(GUILD, LEAD2, PRODUCTION, "mine", None)
        assert refused.value.rule == "locked" and "quarantine" not in str(refused.value)
        with pytest.raises(Refused, match="`release-manager`"):
            await engine.unlock(GUILD, DEV, PRODUCTION)
        await engine.unlock(GUILD, LEAD2, PRODUCTION)
        with pytest.raises(Refused, match="not locked"):
            await engine.unlock(GUILD, LEAD2, PRODUCTION)
        await engine.lock(GUILD, LEAD, PRODUCTION, "again", until)
        world.clock.forward(301.0)
        assert (await engine.status(GUILD, "checkout", "production"))[0].lock is None
        await slipway.deploy(lane=PRODUCTION)


async def test_a_lock_in_the_past_is_refused(dsn: str) -> None:
    world = World(dsn)
    async with world.open(working=False) as slipway:
        with pytest.raises(Refused, match="Expiry must be in the future"):
            past = world.clock.now() - timedelta(seconds=1)
            await slipway.engine.lock(GUILD, LEAD, PRODUCTION, "", past)


async def test_a_rolled_back_release_is_quarantined_until_the_lock_is_removed(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.metrics.bad[V151.digest] = 0.2
    async with world.open() as slipway:
        rollout = await slipway.deploy(V151)
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
        with pytest.raises(Refused, match="quarantined") as refused:
            await slipway.deploy(V151)
        assert refused.value.rule == "quarantined"
        with pytest.raises(Refused, match=r"locked .* by a rollback"):
            await slipway.deploy(V150)
        with pytest.raises(Refused, match=r"locked .* by a rollback") as refused:
            await slipway.engine.lock(GUILD, LEAD, STAGING, "mine", None)
        assert refused.value.rule == "locked"
        for reason in ("", "  \n"):
            with pytest.raises(Refused, match="A reason is required") as refused:
                await slipway.engine.unlock(GUILD, LEAD, STAGING, reason)
            assert "/unlock service:checkout environment:staging reason:" in refused.value.remedy
        await slipway.engine.unlock(GUILD, LEAD, STAGING, "the index is back")
        (line,) = await slipway.audit("unlocked")
        assert line["why"].startswith("the index is back (Removed the lock of Slipway: 1.5.1 was rolled back")
        await slipway.deploy(V150)


async def quarantined(slipway: Slipway, release: Release, by: str) -> None:
    """Production refuses the release until someone lifts the quarantine with a reason."""
    with pytest.raises(Refused, match=rf"quarantined .* was rolled back by {by}: it is slow"):
        await slipway.deploy(release, PRODUCTION)
    with pytest.raises(Refused, match="A reason is required"):
        await slipway.engine.unlock(GUILD, LEAD, PRODUCTION)
    await slipway.engine.unlock(GUILD, LEAD, PRODUCTION, "the index is back")
    await slipway.deploy(release, PRODUCTION)


@pytest.mark.parametrize("by", ["button", "command"])
async def test_what_a_person_rolls_back_in_production_is_quarantined(dsn: str, by: str) -> None:
    world = World(dsn, catalog(Plan("long", (*GATED.steps[:3], Soak(60.0), Shift(100, 5.0)))))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(rollout, Phase.SOAKING)
        if by == "button":
            await slipway.press(rollout, Action.ROLL_BACK, ONCALL, reason="it is slow")
        else:
            asked = RollbackRequest(GUILD, ONCALL, "checkout", "production", reason="it is slow")
            await slipway.engine.roll_back(asked)
        ended = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        assert ended.outcome == "oncall rolled back: it is slow. 1.5.0 is quarantined."
        await quarantined(slipway, V150, "oncall")


async def test_an_abort_on_the_machine_quarantines_too(dsn: str) -> None:
    world = World(dsn, catalog(Plan("long", (*GATED.steps[:3], Soak(60.0), Shift(100, 5.0)))))
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(rollout, Phase.SOAKING)
        await world.target.abort(PRODUCTION, "root", "it is slow")
        await slipway.reaches(rollout, Phase.ROLLED_BACK)
        await quarantined(slipway, V150, "root")


async def test_a_return_quarantines_the_release_that_it_leaves(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        asked = RollbackRequest(GUILD, ONCALL, "checkout", "production", reason="it is slow")
        back = await slipway.engine.roll_back(asked)
        await slipway.reaches(back, Phase.SUCCEEDED)
        assert [line["why"] for line in await slipway.audit("quarantined")] == ["1.5.0 is quarantined."]
        await quarantined(slipway, V150, "oncall")


async def test_where_no_gate_is_a_person_may_try_again(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        back = await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging"))
        await slipway.reaches(back, Phase.SUCCEEDED)
        await slipway.deploy()


async def test_rollback_goes_straight_to_the_newest_known_good_release(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        await slipway.reaches(await slipway.deploy(), Phase.SUCCEEDED)
        assert [r.version for r in await slipway.engine.known_good(GUILD, "checkout", "staging")] == ["1.4.0"]
        await slipway.engine.lock(GUILD, LEAD, STAGING, "freeze", None)
        back = await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging"))
        done = await slipway.reaches(back, Phase.SUCCEEDED)
        assert done.candidate == V140
        assert await slipway.engine.known_good(GUILD, "checkout", "staging") == []
        with pytest.raises(UserError, match="No earlier release"):
            await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging"))
    assert (await world.target.observe(STAGING)).weight_of(V140.digest) == 100


async def test_rollback_refuses_what_is_not_known_good(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        engine = slipway.engine
        with pytest.raises(UserError, match="not known good"):
            await engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging", "1.5.1"))
        with pytest.raises(UserError, match="already runs in staging"):
            await engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "staging", "1.4.0"))
        with pytest.raises(Refused, match="to roll back here"):
            await engine.roll_back(RollbackRequest(GUILD, GUEST, "checkout", "staging"))


async def test_rollback_of_an_active_rollout_turns_it_back(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        with pytest.raises(Refused, match=r"can only go back to 1\.4\.0"):
            await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "production", "1.3.0"))
        ended = await slipway.engine.roll_back(RollbackRequest(GUILD, ONCALL, "checkout", "production"))
        assert (ended.id, ended.phase) == (gated.id, Phase.CANCELLED)


async def test_a_panic_stop_holds_everything_and_releases_it_again(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        engine = slipway.engine
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        with pytest.raises(Refused, match="`on-call`"):
            await engine.panic(GUILD, DEV, "", True)
        assert await engine.panic(GUILD, ONCALL, "fire", True) == 1
        with pytest.raises(Refused, match="oncall switched the panic stop on: fire"):
            await slipway.deploy(lane=STAGING)
        await slipway.press(gated, Action.APPROVE, LEAD)
        held = await slipway.now(gated)
        assert (held.phase, held.weight) == (Phase.GATED, 0)
        assert await engine.panic(GUILD, ONCALL, "out", False) == 1
        await slipway.reaches(gated, Phase.SUCCEEDED)


async def test_a_long_reason_with_what_cannot_be_stored_is_cut_and_kept_raw(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        reason = "@everyone **bold** \0 \ud800" + "x" * 4000
        rollout = await slipway.deploy(reason=reason)
        stored = await slipway.now(rollout)
        assert stored.reason.startswith("@everyone **bold**  ?x")
        assert len(stored.reason) == 1000
        (summary,) = await slipway.engine.history(GUILD, "checkout")
        assert summary.reason == stored.reason


async def test_history_pages_backwards(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open(working=False) as slipway:
        ids = []
        for _ in range(3):
            rollout = await slipway.deploy()
            ids.append(rollout.id)
            await slipway.press(rollout, Action.CANCEL, DEV)
        first = await slipway.engine.history(GUILD, limit=2)
        assert [s.id for s in first] == ids[:0:-1]
        assert [s.id for s in await slipway.engine.history(GUILD, before=first[-1].id)] == ids[:1]
        with pytest.raises(UserError, match="no environment"):
            await slipway.engine.history(GUILD, None, "mars")


async def test_a_target_that_was_never_seen_refuses_the_first_deploy(dsn: str) -> None:
    world = World(dsn)
    world.target.away = True
    async with world.open(working=False) as slipway:
        with pytest.raises(Refused, match="does not know yet what runs"):
            await slipway.deploy()
        (status, *_) = await slipway.engine.status(GUILD)
        assert (status.observed, status.problem) == (None, "The target is away.")


async def test_the_first_release_of_all_has_nothing_to_go_back_to(dsn: str) -> None:
    world = World(dsn)
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        assert rollout.readiness is not None
        assert "nothing to roll back to" in rollout.readiness.problem
        await slipway.reaches(rollout, Phase.SUCCEEDED)
    assert (await world.target.observe(STAGING)).weight_of(V150.digest) == 100


async def test_lanes_that_the_catalog_does_not_have_cannot_be_locked(dsn: str) -> None:
    async with World(dsn).open(working=False) as slipway:
        with pytest.raises(UserError, match="no environment"):
            await slipway.engine.lock(GUILD, LEAD, Lane("checkout", "mars"), "", None)


async def test_the_person_behind_a_command_line_cannot_approve_what_it_requested(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    lead_at_home = Actor(-9, "lead@host", DEV.roles, "cli", person=LEAD.id)
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION, actor=lead_at_home)
        gated = await slipway.reaches(rollout, Phase.GATED)
        assert (gated.requester.person, gated.extra_approvals) == (LEAD.id, 0)
        with pytest.raises(Refused, match="You requested this rollout"):
            await slipway.press(gated, Action.APPROVE, LEAD)
        await slipway.press(gated, Action.APPROVE, LEAD2)
        await slipway.reaches(rollout, Phase.SUCCEEDED)


async def test_a_command_line_without_a_person_needs_one_approval_more(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION, actor=Actor(-9, "runner@host", DEV.roles, "cli"))
        gated = await slipway.reaches(rollout, Phase.GATED)
        first = await slipway.press(gated, Action.APPROVE, LEAD)
        assert first.sentence == "lead approved (1 of 2)."
        assert (await slipway.now(rollout)).phase is Phase.GATED
        await slipway.press(gated, Action.APPROVE, LEAD2)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
