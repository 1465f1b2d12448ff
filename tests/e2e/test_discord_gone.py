"""What administrators delete or withdraw in the middle of a soak: the rollout goes on, and people still hear of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.stories.stage import Json
from tests.support.e2e import acts, heard
from tests.support.e2e.stack import Stack, lanes, marks

pytestmark = [*marks("discord-gone"), pytest.mark.real]
LANES = lanes("search/production", "cart/production", "ferry/production", rate=20)
CATALOG = acts.CREW
DISCORD = {"guilds": [acts.HARBOR, acts.QUAY]}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(stack: Stack) -> AsyncIterator[None]:
    await acts.cleared(stack, "cart", "production")
    yield
    await stack.stage.call("DELETE", "faults")


async def notice(stack: Stack, channel: str, id_: int, *words: str) -> Json:
    return await stack.stage.message(channel, f"rollout {id_}", *words)


async def test_a_deleted_card_is_made_again_with_its_buttons(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    old = await stack.card(id_)
    await stack.stage.call("DELETE", f"messages/{old['id']}")
    # The press that someone had under the finger counts; the card that it makes is a new one.
    answer = await acts.pressed_raw(stack, "dev2", old["id"], await acts.custom_id(stack, id_, "pause"))
    assert answer["state"] == "answered"
    fresh = await stack.button(id_, "Resume")
    assert fresh["id"] != old["id"]
    await stack.press("dev2", id_, "Resume")
    await stack.button(id_, "Pause")
    assert len(await heard.cards(stack, id_)) == 1


async def test_a_deleted_thread_is_made_again_and_the_log_goes_on(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    card = await stack.card(id_)
    await stack.until("the thread's first lines", lambda: lines(stack, id_))
    old = (await stack.one("SELECT thread_id FROM cards WHERE rollout_id = $1", id_))["thread_id"]
    await stack.stage.call("DELETE", f"channels/{old}")
    await acts.still_works(stack, id_)
    await stack.settled(id_)
    assert any("paused" in m["content"] for m in await stack.thread(id_))
    assert (await stack.card(id_))["id"] == card["id"]


async def lines(stack: Stack, id_: int) -> list[Json] | None:
    return await stack.thread(id_) or None


async def test_without_files_the_card_goes_on_without_its_picture(stack: Stack) -> None:
    async with acts.without(stack, "deploys", "ATTACH_FILES"):
        id_ = await stack.deploy("cart", "1.5.0", "production")
        await stack.phase(id_, "soaking")
        refused = await stack.until("a picture to be refused", lambda: pictures_refused(stack))
        await acts.still_works(stack, id_)
        assert (await stack.card(id_))["attachments"] == []
        await acts.rolled_back(stack, id_)
        await stack.stage.message("deploys", f"rollout {id_}", "rolled back", "requested")
    assert refused


async def pictures_refused(stack: Stack) -> list[Json] | None:
    return [c for c in await stack.calls() if c["method"] == "PATCH" and c["status"] == 403] or None


async def test_without_embeds_on_call_is_called_in_plain_words(stack: Stack) -> None:
    async with acts.without(stack, "deploys", "EMBED_LINKS"), acts.without(stack, "alerts", "EMBED_LINKS"):
        id_ = await stack.deploy("cart", "1.5.1", "production")
        await stack.phase(id_, "rolled_back")
        alert = await notice(stack, "alerts", id_, "is being rolled back")
        assert "oncall" in alert["notified"]
    lane = {"service": "cart", "environment": "production"}
    assert "Unlocked" in await acts.command(stack, "lead", "unlock", reason="a new build", **lane)


async def test_without_threads_the_rollout_goes_on_and_it_is_reported(stack: Stack) -> None:
    async with acts.without(stack, "deploys", "CREATE_PUBLIC_THREADS"):
        id_ = await stack.deploy("cart", "1.5.0", "production")
        await stack.phase(id_, "soaking")
        await acts.still_works(stack, id_)
        await acts.rolled_back(stack, id_)
        await stack.settled(id_)
        await notice(stack, "alerts", id_, "thread")


async def test_without_permission_to_post_the_rollout_goes_on_and_alerts_says_so(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    card = await stack.card(id_)
    async with acts.without(stack, "deploys", "SEND_MESSAGES", "VIEW_CHANNEL"):
        for action in ("pause", "resume"):
            custom = await acts.custom_id(stack, id_, action)
            assert (await acts.pressed_raw(stack, "dev2", card["id"], custom))["state"] == "answered"
        report = await notice(stack, "alerts", id_, "cannot be posted")
        assert "/status" in report["text"]
        assert report["notified"] == []
        await acts.rolled_back(stack, id_)
        await stack.settled(id_)


async def test_without_its_channel_the_rollout_goes_on_and_commands_still_work(stack: Stack) -> None:
    """In the other server, so that nothing of this one is in the way."""
    assert "** started" in await acts.command(
        stack, "skipper", "deploy", "pier", service="ferry", version="1.5.0", environment="production"
    )
    id_ = await stack.newest("ferry", "production")
    await stack.phase(id_, "soaking")
    await stack.card(id_)
    await stack.stage.call("DELETE", "channels/pier")
    assert "Rolling back" in await acts.command(
        stack, "mate", "rollback", "beacon", service="ferry", environment="production"
    )
    await stack.phase(id_, "rolled_back")
    await stack.served_by("ferry", "production", "1.4.0")
    await stack.settled(id_)
    await stack.stage.message("beacon", f"rollout {id_}", "cannot be posted", as_="mate")
