"""The bot is killed, or told to stop, while rollouts go on: what was begun ends right, and users notice nothing."""

from __future__ import annotations

import signal

from tests.e2e.world import World, lanes, marks

pytestmark = marks("restart")
LANES = lanes("checkout/endurance", "search/endurance", "mail/production")


async def test_sigterm_in_a_soak_stops_cleanly_and_the_next_bot_goes_on(world: World) -> None:
    since = await world.cursor("checkout", "endurance")
    id_ = await world.deploy("checkout", "1.5.0", "endurance")
    await world.phase(id_, "soaking")
    assert await world.demo.end_bot(signal.SIGTERM) == 0
    assert (await world.rollout(id_))["phase"] == "soaking"
    await world.demo.start_bot()
    await world.phase(id_, "succeeded")
    await world.served_by("checkout", "endurance", "1.5.0")
    assert await world.foreign_errors("checkout", "endurance", since) == []
