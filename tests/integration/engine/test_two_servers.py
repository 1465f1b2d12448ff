"""A lane that two servers share: the people of either can stop it, each with the roles they hold where they press."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import Refused, UserError
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import DeployRequest, RollbackRequest
from tests.support.actors import DEV, GUEST, LEAD, ONCALL
from tests.support.catalogs import GATED, GUILD, PRODUCTION, STAGING, V140, catalog
from tests.support.harness import World

HARBOR, PARTNERS, OTHERS = GUILD, 43, 44


def shared() -> Catalog:
    """Production belongs to both servers, staging to the first alone; a third server has nothing."""
    usual = catalog(guilds=(HARBOR, PARTNERS))
    guilds = {
        id_: GuildConfig(id_, name, {}, {}, panic_roles=("on-call",))
        for id_, name in ((HARBOR, "harbor"), (PARTNERS, "partners"), (OTHERS, "others"))
    }
    return replace(usual, guilds=guilds)


OVER_THERE = replace(ONCALL, guild_id=PARTNERS)


async def test_either_server_rolls_back_what_the_other_started(dsn: str) -> None:
    lanes = shared().lanes
    long = replace(lanes[PRODUCTION], plan=Plan("long", (*GATED.steps[:3], Soak(60.0), Shift(100, 5.0))))
    world = World(dsn, replace(shared(), lanes={**lanes, PRODUCTION: long}))
    await world.serve()
    async with world.open() as slipway:
        begun = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(begun, Phase.GATED)
        await slipway.press(begun, Action.APPROVE, LEAD)
        await slipway.reaches(begun, Phase.SOAKING, Phase.SHIFTING)
        request = RollbackRequest(PARTNERS, OVER_THERE, "checkout", "production", reason="errors")
        assert (await slipway.engine.roll_back(request)).id == begun.id
        await slipway.reaches(begun, Phase.ROLLED_BACK)
        assert (await world.target.observe(PRODUCTION)).weight_of(V140.digest) == 100


async def test_the_audit_says_from_which_server(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        begun = await slipway.deploy(lane=PRODUCTION)
        done = await slipway.press(begun, Action.PAUSE, replace(LEAD, guild_id=PARTNERS), guild_id=PARTNERS)
        assert "lead (partners) paused" in done.sentence
        async with slipway.database.connection() as connection:
            rows = await connection.fetch("SELECT what, guild_id FROM audit WHERE rollout_id = $1", begun.id)
        assert {row["what"]: row["guild_id"] for row in rows} == {
            "began": HARBOR, "verifying": HARBOR, "paused": PARTNERS,
        }  # fmt: skip
        view = await slipway.engine.view(begun.id, PARTNERS)
        assert {t.what: t.actor.guild_id for t in view.transitions}["paused"] == PARTNERS
        assert view.rollout.guild_id == HARBOR  # its card stays where it is


async def test_roles_count_where_they_are_held(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        begun = await slipway.deploy(lane=PRODUCTION)
        with pytest.raises(Refused, match="need the role"):
            await slipway.press(begun, Action.CANCEL, GUEST, guild_id=PARTNERS)


async def test_a_server_without_the_lane_sees_and_stops_nothing(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        staging, production = await slipway.deploy(lane=STAGING), await slipway.deploy(lane=PRODUCTION)
        for rollout, guild in ((staging, PARTNERS), (staging, OTHERS), (production, OTHERS)):
            with pytest.raises(UserError, match="no rollout #"):
                await slipway.press(rollout, Action.CANCEL, DEV, guild_id=guild)
            with pytest.raises(UserError, match="no rollout #"):
                await slipway.engine.view(rollout.id, guild)
        assert await slipway.engine.panic(OTHERS, ONCALL, "fire", True) == 0


async def test_the_history_of_a_shared_lane_is_the_same_in_both(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        staging, production = await slipway.deploy(lane=STAGING), await slipway.deploy(lane=PRODUCTION)
        assert [s.id for s in await slipway.engine.history(PARTNERS)] == [production.id]
        assert [s.id for s in await slipway.engine.history(HARBOR)] == [production.id, staging.id]


async def test_a_server_that_loses_the_lane_can_still_press_the_card_it_has(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        begun = await slipway.deploy(lane=PRODUCTION)
        moved = replace(world.catalog.lanes[PRODUCTION], guilds=(PARTNERS,))
        world.catalog = replace(world.catalog, lanes={PRODUCTION: moved})
        await slipway.press(begun, Action.CANCEL, DEV)
        assert (await slipway.now(begun)).phase is Phase.CANCELLED


async def test_a_panic_stop_holds_shared_lanes_until_every_server_lifts_its_own(dsn: str) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        staging, production = await slipway.deploy(lane=STAGING), await slipway.deploy(lane=PRODUCTION)
        assert await slipway.engine.panic(PARTNERS, OVER_THERE, "fire", True) == 1
        assert (await slipway.now(production)).pause is not None
        assert (await slipway.now(staging)).pause is None
        assert await slipway.engine.panic(HARBOR, ONCALL, "fire here too", True) == 1
        # The first to lift theirs frees what is theirs alone.
        assert await slipway.engine.panic(HARBOR, ONCALL, "", False) == 1
        assert (await slipway.now(staging)).pause is None
        assert (await slipway.now(production)).pause is not None
        assert await slipway.engine.panic(PARTNERS, OVER_THERE, "", False) == 1
        assert (await slipway.now(production)).pause is None


async def test_nothing_starts_in_a_shared_lane_while_the_other_server_has_stopped_everything(
    dsn: str,
) -> None:
    world = World(dsn, shared())
    await world.serve()
    async with world.open(working=False) as slipway:
        await slipway.engine.panic(PARTNERS, OVER_THERE, "fire", True)
        with pytest.raises(Refused, match="oncall switched the panic stop on in partners: fire"):
            await slipway.deploy(lane=PRODUCTION)
        await slipway.engine.deploy(DeployRequest(HARBOR, DEV, "checkout", "1.5.0", "staging"))
