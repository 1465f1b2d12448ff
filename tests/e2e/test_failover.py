"""A database behind one address fails over in a soak: the bot says so, and works with the new primary by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from demo.stories.stage import Json, said
from tests.fakes.tcp_proxy import TcpProxy
from tests.support.e2e.acts import audited
from tests.support.e2e.stack import Stack, lanes, marks, opened
from tests.support.postgres import PostgresServer, Standby, postgres_server

pytestmark = [*marks("failover"), pytest.mark.real]
LANES = lanes("checkout/endurance")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, Standby]]:
    """Of this file alone, since the primary is lost."""
    with postgres_server() as primary:
        asyncio.run(primary.fresh())
        with primary.standby() as standby:
            yield primary, standby


@asynccontextmanager
async def behind(proxy: TcpProxy) -> AsyncIterator[Stack]:
    dsn = f"postgresql://postgres@127.0.0.1:{proxy.port}/test_0"
    async with opened(LANES, dsn, environment={"SLIPWAY_VAR_SOAK": "10m"}) as stack:
        yield stack


async def readiness(stack: Stack) -> Json:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
        session.get(f"{stack.demo.bot_url}/readyz") as answer,
    ):
        return {"code": answer.status, **await answer.json()}


async def test_after_a_failover_presses_work_again_without_a_restart(
    servers: tuple[PostgresServer, Standby],
) -> None:
    primary, standby = servers
    async with TcpProxy(primary.socket) as proxy, behind(proxy) as stack:
        bot = stack.bot_pid
        since = await stack.cursor("checkout", "endurance")
        id_ = await stack.deploy("checkout", "1.6.0", "endurance")
        await stack.phase(id_, "soaking")
        card = await stack.button(id_, "Roll back")
        assert (await readiness(stack))["code"] == 200

        await primary.read_only()

        async def waits_for_the_database() -> bool | None:
            ready, health = await readiness(stack), await stack.health()
            return (
                True if ready["code"] == 503 and "db" in ready["waiting_for"] and not health["ok"] else None
            )

        await stack.until("the bot to say that nothing can be written", waits_for_the_database)
        refused = await stack.stage.press("oncall", card["id"], "Roll back")
        assert "slipway abort" in said(refused)
        await standby.caught_up()
        await asyncio.to_thread(standby.promote)
        proxy.lead_to(standby.socket)

        async def ready() -> bool | None:
            return True if (await readiness(stack))["code"] == 200 else None

        await stack.bot_back()
        await stack.until("the bot to be ready", ready)
        await stack.press("oncall", id_, "Roll back")
        await stack.phase(id_, "rolled_back")
        await stack.served_by("checkout", "endurance", "1.4.0")
        assert stack.bot_pid == bot
        assert (await audited(stack, id_))["rollback_ordered"] == 1
        assert await stack.foreign_errors("checkout", "endurance", since, "1.6.0") == []
