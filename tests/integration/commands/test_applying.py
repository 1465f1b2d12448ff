"""A manifest goes to staging, through a gate to production, and back again, as any release does."""

from __future__ import annotations

from bot.domain.model import Phase
from tests.integration.commands.world import HELLO, WAVE, World


async def test_staging_then_gate_then_production_then_a_restore_from_the_backup(world: World) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        assert await world.names(guild=True) == ["hello"]
        assert await world.names() == []

        await slipway.to_production()
        assert await world.names() == ["hello"]
        assert await world.names(guild=True) == [], "staging's copies are taken away"

        world.write([HELLO, WAVE])
        await slipway.to_staging()
        await slipway.to_production()
        assert await world.names() == ["hello", "wave"]

        newest = (await slipway.desk.backups(world.guild, "greeter", "production"))[0]
        assert (newest.count, newest.who) == (1, "dev")
        restored = await slipway.restore(newest.id)
        await slipway.reaches(restored.rollout, Phase.SUCCEEDED)
        assert await world.names() == ["hello"]
        assert (await slipway.desk.backups(world.guild, "greeter", "production"))[0].count == 2
