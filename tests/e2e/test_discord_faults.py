"""Discord in trouble in the middle of a soak: the connection breaks, calls fail or are refused, nothing is doubled."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.stories.stage import said
from tests.support.e2e import acts, heard
from tests.support.e2e.stack import Stack, lanes, marks

pytestmark = [*marks("discord-faults"), pytest.mark.real, pytest.mark.long]
LANES = lanes("search/production", "cart/production", rate=15)
CATALOG = acts.CREW
# A short heartbeat, so that unanswered ones are noticed soon.
DISCORD = {"guilds": [acts.HARBOR, acts.QUAY], "heartbeat_interval_ms": 2000}

# Rollouts that are over. What was said of them is looked at in the end: thread by thread, it is said at Discord's pace.
OVER: list[int] = []


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(stack: Stack) -> AsyncIterator[None]:
    """Each test begins without trouble, and with nothing under way in the cart's lane."""
    await acts.cleared(stack, "cart", "production")
    yield
    await stack.stage.call("DELETE", "faults")


# ---- the connection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gateway_drop", "op7"])
async def test_a_broken_connection_is_resumed_and_presses_work(stack: Stack, kind: str) -> None:
    id_ = await acts.soaking(stack)
    before = await acts.handshakes(stack)
    await acts.struck(stack, await acts.fault(stack, kind))
    await acts.reconnected(stack, before)
    await acts.still_works(stack, id_)
    assert await acts.identified(stack) == before[0]


async def test_an_invalid_session_identifies_again_and_presses_work(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    before = await acts.handshakes(stack)
    await acts.struck(stack, await acts.fault(stack, "op9"))
    await acts.reconnected(stack, before)
    await acts.still_works(stack, id_)
    assert await acts.identified(stack) == before[0] + 1


async def test_a_dead_resume_address_gets_a_fresh_client_and_presses_work(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    before = await acts.handshakes(stack)
    dead = await acts.fault(stack, "dead_resume", seconds=600)
    await acts.fault(stack, "gateway_drop")
    await acts.struck(stack, dead)
    await acts.reconnected(stack, before)
    await acts.still_works(stack, id_)
    assert await acts.identified(stack) == before[0] + 1
    await stack.stage.call("DELETE", f"faults/{dead}")


async def test_unanswered_heartbeats_end_the_connection_and_presses_work(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    before = await acts.handshakes(stack)
    deaf = await acts.fault(stack, "missed_acks", count=100)
    await acts.logged(stack, "heartbeats_unanswered")
    await stack.stage.call("DELETE", f"faults/{deaf}")
    await acts.reconnected(stack, before)
    await acts.still_works(stack, id_)


async def test_after_all_of_that_the_rollout_ends_right(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    await acts.promoted(stack, id_)
    OVER.append(id_)


# ---- calls that fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["500_after_apply", "503", "reset_after_apply"])
async def test_failing_calls_double_nothing_and_lose_no_press(stack: Stack, kind: str) -> None:
    """The post of the card, its edits, its thread, its notices, and the answers to presses, each hit."""
    posts = await acts.fault(stack, kind, method="POST", route=acts.MESSAGES, count=2)
    threads = await acts.fault(stack, kind, method="POST", route=acts.THREADS)
    edits = await acts.fault(stack, kind, method="PATCH", route=acts.EDITS, count=2)
    id_ = await stack.deploy("cart", "1.5.0", "production")
    await stack.phase(id_, "soaking")
    for one in (posts, threads, edits):
        await acts.struck(stack, one)
    for action in ("pause", "resume"):
        answers = await acts.fault(stack, kind, method="POST", route=acts.CALLBACKS)
        answer = await acts.act(stack, "dev2", id_, action)
        assert answer["state"] == "answered"
        assert answer["followups"] == []
        assert await acts.hits(stack, answers) == 1
    await acts.fault(stack, kind, method="POST", route=acts.MESSAGES, count=3)
    await acts.rolled_back(stack, id_)
    OVER.append(id_)
    assert {"paused": 1, "resumed": 1, "rollback_ordered": 1}.items() <= (
        await acts.audited(stack, id_)
    ).items()


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_rate_limit_delays_what_is_said_and_nothing_else(stack: Stack, scope: str) -> None:
    more = {"scope": scope, "retry_after": 0.4}
    posts = await acts.fault(stack, "429", method="POST", route=acts.MESSAGES, count=2, **more)
    id_ = await stack.deploy("cart", "1.5.0", "production")
    await stack.phase(id_, "soaking")
    edits = await acts.fault(stack, "429", method="PATCH", route=acts.EDITS, count=2, **more)
    await acts.still_works(stack, id_)
    for one in (posts, edits):
        await acts.struck(stack, one)
    await acts.rolled_back(stack, id_)
    OVER.append(id_)
    # The limit was kept: 10,000 refusals, and Discord bans the address. discord.py repeats a refused call without
    # asking its own budget again, so each injected refusal may bring one of the window's.
    calls = [c for c in await stack.calls() if c["status"] == 429]
    assert len([c for c in calls if not c["fault"]]) <= len([c for c in calls if c["fault"]])


async def test_slow_calls_keep_no_press_from_its_answer(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    slow = await acts.fault(stack, "slow", delay_ms=900, count=1000)
    for action in ("pause", "resume"):
        answer = await acts.act(stack, "dev2", id_, action)
        assert answer["state"] == "answered"
        assert answer["ack_ms"] < 3000
    await stack.stage.call("DELETE", f"faults/{slow}")
    await acts.still_works(stack, id_)


# ---- the same thing twice ----------------------------------------------------------------------------------


async def test_an_interaction_delivered_twice_does_one_thing_once(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    before = await acts.audited(stack, id_)
    twice = await acts.fault(stack, "duplicate_delivery")
    answer = await acts.act(stack, "dev2", id_, "extend")
    assert answer["state"] == "answered"
    assert await acts.hits(stack, twice) == 1
    assert (await acts.audited(stack, id_)) - before == {"extended": 1}


async def test_a_deploy_delivered_twice_begins_one_rollout(stack: Stack) -> None:
    await acts.cleared(stack, "cart", "production")
    before = await stack.newest("cart", "production")
    twice = await acts.fault(stack, "duplicate_delivery")
    id_ = await stack.deploy("cart", "1.5.0", "production")
    assert await acts.hits(stack, twice) == 1
    await stack.phase(id_, "soaking")
    rows = await stack.rows("SELECT id FROM rollouts WHERE service = 'cart' AND id > $1", before)
    assert len(rows) == 1
    await acts.rolled_back(stack, id_)
    OVER.append(id_)


async def test_two_people_roll_back_at_once_and_it_is_one_rollback(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    answers = await acts.at_once(
        acts.act(stack, "oncall", id_, "rollback"), acts.act(stack, "lead", id_, "rollback")
    )
    assert all(a["state"] == "answered" and a["ephemeral"] for a in answers)
    assert all("✋" not in said(a) or "has ended" in said(a) for a in answers)
    await stack.phase(id_, "rolled_back")
    assert (await acts.audited(stack, id_))["rollback_ordered"] == 1
    OVER.append(id_)


# ---- in the end --------------------------------------------------------------------------------------------


async def test_of_every_rollout_everything_was_said_exactly_once(stack: Stack) -> None:
    for id_ in OVER:
        await heard.said_once(stack, id_)


async def test_a_crash_loop_is_slowed_by_what_outlives_the_process(stack: Stack) -> None:
    """Discord ends all sessions and resets the token after 1,000 IDENTIFYs in a day."""
    await crashed_before(stack, 20)
    before = await acts.identified(stack)
    await stack.kill_bot()
    await acts.connected(stack)
    assert await acts.identified(stack) == before + 1
    await crashed_before(stack, 40)
    for _ in range(2):
        await stack.kill_bot()
        await held_back(stack)
    assert await acts.identified(stack) == before + 1
    assert (await stack.health())["db"] == "ok"


async def crashed_before(stack: Stack, times: int) -> None:
    """The marks that so many starts within the last minutes would have left."""
    file, key = stack.data / "identify.json", str((await acts.slipway(stack))["id"])
    assert json.loads(file.read_text())[key]["at"]
    now = time.time()
    file.write_text(json.dumps({key: {"at": [now - 3 * n for n in range(times, 0, -1)]}}))


async def held_back(stack: Stack) -> None:
    async def look() -> bool | None:
        said_of_it = (await stack.health()).get("details", {}).get("gateway", "")
        return True if "too many connections" in said_of_it else None

    await stack.until("the breaker to hold the bot back", look)
