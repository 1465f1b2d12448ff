"""PostgreSQL is stopped and started: in a soak, at the bot's start, together with Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from demo.stories.stage import Json, said
from tests.support.e2e.acts import audited, fault, part
from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import Stack, lanes, marks
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = [*marks("database"), pytest.mark.real]
LANES = lanes("checkout/endurance", "search/endurance", "mail/endurance")
# So that a soak is not over before the outage, nor right after it.
ENVIRONMENT = {"SLIPWAY_VAR_SOAK": "20s"}
# Longer than all of the soak that is left would take.
OUTAGE_S = 24.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """Of this file alone, since it is stopped."""
    with postgres_server() as server:
        yield server


@asynccontextmanager
async def away(postgres: PostgresServer) -> AsyncIterator[None]:
    """As after a power cut; it is back afterwards, whatever happened."""
    await asyncio.to_thread(postgres.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


async def pressed(stack: Stack, user: str, card: Json, label: str) -> Json:
    """A press that must be answered, by whatever; Discord's 3 s count."""
    begun = await stack.stage.call("POST", "presses", {"user": user, "message": card["id"], "button": label})
    found = await stack.stage.answer(begun["interaction"])
    assert found["ack_ms"] < 3000
    return found


async def test_stopped_in_a_soak_presses_are_refused_and_the_outage_does_not_count(
    stack: Stack, postgres: PostgresServer
) -> None:
    since = await stack.cursor("checkout", "endurance")
    id_ = await stack.deploy("checkout", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    card = await stack.button(id_, "Roll back")
    before = await measured(stack, id_)
    async with away(postgres):
        for label in ("Pause", "Roll back"):
            refused = await pressed(stack, "oncall", card, label)
            assert refused["ephemeral"]
            assert "not" in said(refused)
            assert "slipway abort" in said(refused)
        await stack.until("the bot to say what it lacks", lambda: unwell(stack))
        await stack.sleep(OUTAGE_S)
    after = await measured(stack, id_)
    assert after - before < OUTAGE_S / 2
    assert (await stack.rollout(id_))["phase"] == "soaking"
    await stack.bot_back()
    await stack.phase(id_, "succeeded")
    await stack.served_by("checkout", "endurance", "1.6.0")
    assert await stack.foreign_errors("checkout", "endurance", since) == []
    # Nothing of what was refused was done after all.
    assert not {"paused", "rollback_ordered", "rolled_back"} & set(await audited(stack, id_))
    await said_once(stack, id_)


async def test_away_when_the_bot_starts_it_waits_says_so_and_goes_on(
    stack: Stack, postgres: PostgresServer
) -> None:
    id_ = await stack.deploy("search", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    await stack.demo.end_bot()
    async with away(postgres):
        starting = asyncio.create_task(stack.demo.start_bot())
        await stack.until("the bot to say what it lacks", lambda: unwell(stack))
        assert not starting.done()
    await starting
    await stack.phase(id_, "succeeded")
    await said_once(stack, id_)


async def unwell(stack: Stack) -> bool | None:
    health = await stack.health()
    return True if health and not health["ok"] else None


async def test_abort_on_the_machine_while_database_and_discord_are_away_is_audited_afterwards(
    stack: Stack, postgres: PostgresServer
) -> None:
    since = await stack.cursor("mail", "endurance")
    id_ = await stack.deploy("mail", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    deaf = [await fault(stack, "gateway_drop", seconds=900), await fault(stack, "503", seconds=900)]
    async with away(postgres):
        told = await stack.demo.cli("abort", "mail", "endurance", "--reason", "pages are on fire")
        assert "all traffic goes to stable" in told
        await stack.served_by("mail", "endurance", "1.4.0")
    for one in deaf:
        await stack.stage.call("DELETE", f"faults/{one}")
    await stack.phase(id_, "rolled_back")
    (line,) = [row for row in await stack.audit(id_) if row["via"] == "cli"]
    assert "pages are on fire" in line["why"]
    await stack.served_by("mail", "endurance", "1.4.0")
    assert await stack.foreign_errors("mail", "endurance", since) == []
    await said_once(stack, id_)


async def measured(stack: Stack, id_: int) -> float:
    """Seconds of the soak that count."""

    async def look() -> float | None:
        judged = part(await stack.rollout(id_), "judge")
        return float(judged["judge_state"]["soak"]["measured_s"]) if judged["judge_state"]["soak"] else None

    return await stack.until("the soak to be measured", look)
