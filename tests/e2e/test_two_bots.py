"""Two bots on one database: together, one after the other's death, and one that wakes up too late."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from bot.adapters.postgres import serialization
from bot.adapters.targets.hosted.host.client import HostClient
from bot.adapters.targets.hosted.wire import desired_to_json
from bot.ports.errors import StaleGeneration
from tests.support.e2e.acts import part
from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import Stack, lanes, marks, opened, well
from tests.support.postgres import PostgresServer

pytestmark = [*marks("two-bots"), pytest.mark.real]
LANES = lanes("checkout/production", "search/endurance")
LATE = lanes("mail/endurance")


async def test_two_bots_do_every_effect_once(stack: Stack) -> None:
    since = await stack.cursor("checkout", "production")
    async with stack.another_bot():
        id_ = await stack.deploy("checkout", "1.6.0", "production")
        await stack.approved(id_)
        await stack.phase(id_, "succeeded")
        await said_once(stack, id_)
    assert stack.starts("checkout", "production", "1.6.0") == 1
    approvals = [a for grant in part(await stack.rollout(id_), "state")["grants"] for a in grant["approvals"]]
    assert len(approvals) == 1
    assert await stack.foreign_errors("checkout", "production", since) == []


async def test_one_of_two_holds_the_gateway_and_the_other_follows_when_it_dies(stack: Stack) -> None:
    async with stack.another_bot() as other:
        (before,) = await connected(stack)
        await stack.demo.end_bot(signal.SIGKILL)

        async def followed() -> bool | None:
            # For a moment the session of the dead bot may still count as connected.
            now = await connected(stack)
            return True if len(now) == 1 and before not in now and other.returncode is None else None

        await stack.until("the other bot to connect", followed)
        id_ = await stack.deploy("search", "1.5.0", "endurance")
        await stack.phase(id_, "succeeded")
        await said_once(stack, id_)
    await stack.demo.start_bot()


async def connected(stack: Stack) -> list[str]:
    """The ids of the sessions with which the bot's token is connected."""
    state = await stack.stage.call("GET", "state")
    return [s["id"] for s in state["sessions"] if s["connected"] and s["application"] == "slipway"]


async def test_when_one_of_two_is_killed_in_a_soak_the_other_carries_on(stack: Stack) -> None:
    async with stack.another_bot():
        id_ = await stack.deploy("search", "1.6.0", "endurance")
        await stack.phase(id_, "soaking")
        await stack.demo.end_bot(signal.SIGKILL)
        await stack.phase(id_, "succeeded")
        await said_once(stack, id_)
        assert stack.starts("search", "endurance", "1.6.0") == 1
    await stack.demo.start_bot()


async def test_a_bot_that_wakes_up_after_the_rollback_moves_no_traffic(postgres: PostgresServer) -> None:
    name = await postgres.fresh()
    bot, late = ("-m", "tests.fakes.freezing_bot"), {"SLIPWAY_VAR_SOAK": "10m"}
    async with opened(LATE, postgres.dsn(name), bot=bot, environment=late) as stack:
        id_ = await stack.deploy("mail", "1.6.0", "endurance")
        await stack.until("the bot to freeze before it moves traffic", lambda: frozen(stack))
        try:
            async with stack.another_bot():
                await stack.phase(id_, "soaking")
                await stack.press("oncall", id_, "Roll back")
                await stack.phase(id_, "rolled_back")
                await stack.served_by("mail", "endurance", "1.4.0")
                await stack.settled(id_)
                generation = await accepted(stack)
                os.kill(stack.bot_pid, signal.SIGCONT)
                # The other one has the gateway by now.
                await stack.until("the bot to be well", lambda: well(f"{stack.demo.bot_url}/health"))
                await stack.sleep(2.0)
        finally:
            os.kill(stack.bot_pid, signal.SIGCONT)
        await every_order_is_refused_now(stack, id_)
        assert await accepted(stack) == generation
        await stack.served_by("mail", "endurance", "1.4.0")
        await said_once(stack, id_)
    await postgres.drop(name)


async def frozen(stack: Stack) -> bool | None:
    return True if psutil.Process(stack.bot_pid).status() == psutil.STATUS_STOPPED else None


async def accepted(stack: Stack) -> int:
    """The newest generation that the host has accepted."""
    host = HostClient(stack.data / "host", start=False)
    return int((await host.call({"do": "observe", "lane": ["mail", "endurance"]}))["generation"])


async def every_order_is_refused_now(stack: Stack, id_: int) -> None:
    """Whatever was ordered before the rollback, sent again as it was: the host will not have it."""
    host = HostClient(stack.data / "host", start=False)
    orders = [e for e in await stack.effects(id_) if e["kind"] == "set_desired"]
    for order in orders[:-1]:
        desired = serialization.read_effect(order["payload"]).desired  # type: ignore[union-attr]
        late = {
            "do": "apply",
            "lane": ["mail", "endurance"],
            "settings": {},
            "desired": desired_to_json(desired),
        }
        with pytest.raises(StaleGeneration):
            await host.call(late)
    assert len(orders) >= 3
