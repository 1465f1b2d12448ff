"""What administrators delete or withdraw in the middle of a soak: the rollout goes on, and people still hear of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from demo.stories.stage import Json
from tests.e2e import acts, heard
from tests.e2e.world import World, lanes, marks

pytestmark = marks("discord-gone")
LANES = lanes("search/production", "cart/production", "ferry/production", rate=20)
CATALOG = acts.CREW
DISCORD = {"guilds": [acts.HARBOR, acts.QUAY]}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(world: World) -> AsyncIterator[None]:
    await acts.cleared(world, "cart", "production")
    yield
    await world.stage.call("DELETE", "faults")


async def notice(world: World, channel: str, id_: int, *words: str) -> Json:
    return await world.stage.message(channel, f"rollout {id_}", *words)


async def test_a_deleted_card_is_made_anew_with_its_buttons(world: World) -> None:
    id_ = await acts.soaking(world)
    old = await world.card(id_)
    await world.stage.call("DELETE", f"messages/{old['id']}")
    # The press that somebody had under the finger counts; the card that it makes is a new one.
    answer = await acts.pressed_raw(world, "dev2", old["id"], await acts.custom_id(world, id_, "pause"))
    assert answer["state"] == "answered"
    fresh = await world.button(id_, "Resume")
    assert fresh["id"] != old["id"]
    await world.press("dev2", id_, "Resume")
    await world.button(id_, "Pause")
    assert len(await heard.cards(world, id_)) == 1


async def test_a_deleted_thread_is_made_anew_and_the_log_goes_on(world: World) -> None:
    id_ = await acts.soaking(world)
    card = await world.card(id_)
    await world.until("the thread's first lines", lambda: lines(world, id_))
    old = (await world.one("SELECT thread_id FROM cards WHERE rollout_id = $1", id_))["thread_id"]
    await world.stage.call("DELETE", f"channels/{old}")
    await acts.still_works(world, id_)
    await world.settled(id_)
    assert any("paused" in m["content"] for m in await world.thread(id_))
    assert (await world.card(id_))["id"] == card["id"]


async def lines(world: World, id_: int) -> list[Json] | None:
    return await world.thread(id_) or None


async def test_without_files_the_card_goes_on_without_its_picture(world: World) -> None:
    async with acts.without(world, "deploys", "ATTACH_FILES"):
        id_ = await world.deploy("cart", "1.5.0", "production")
        await world.phase(id_, "soaking")
        refused = await world.until("a picture to be refused", lambda: pictures_refused(world))
        await acts.still_works(world, id_)
        assert (await world.card(id_))["attachments"] == []
        await acts.rolled_back(world, id_)
        await world.stage.message("deploys", f"rollout {id_}", "rolled back", "requested")
    assert refused


async def pictures_refused(world: World) -> list[Json] | None:
    return [c for c in await world.calls() if c["method"] == "PATCH" and c["status"] == 403] or None


async def test_without_embeds_on_call_is_called_in_plain_words(world: World) -> None:
    async with acts.without(world, "deploys", "EMBED_LINKS"), acts.without(world, "alerts", "EMBED_LINKS"):
        id_ = await world.deploy("cart", "1.5.1", "production")
        await world.phase(id_, "rolled_back")
        alert = await notice(world, "alerts", id_)
        assert "oncall" in alert["notified"]
        assert "is being rolled back" in alert["text"]
    assert "Unlocked" in await acts.command(world, "lead", "unlock", service="cart", environment="production")


async def test_without_threads_the_rollout_goes_on_and_it_is_reported(world: World) -> None:
    async with acts.without(world, "deploys", "CREATE_PUBLIC_THREADS"):
        id_ = await world.deploy("cart", "1.5.0", "production")
        await world.phase(id_, "soaking")
        await acts.still_works(world, id_)
        await acts.rolled_back(world, id_)
        await world.settled(id_)
        await notice(world, "alerts", id_, "thread")


async def test_without_permission_to_post_the_rollout_goes_on_and_alerts_says_so(world: World) -> None:
    id_ = await acts.soaking(world)
    card = await world.card(id_)
    async with acts.without(world, "deploys", "SEND_MESSAGES", "VIEW_CHANNEL"):
        for action in ("pause", "resume"):
            custom = await acts.custom_id(world, id_, action)
            assert (await acts.pressed_raw(world, "dev2", card["id"], custom))["state"] == "answered"
        report = await notice(world, "alerts", id_, "cannot be shown")
        assert "/status" in report["text"]
        assert report["notified"] == []
        await acts.rolled_back(world, id_)
        await world.settled(id_)


async def test_without_its_channel_the_rollout_goes_on_and_commands_still_work(world: World) -> None:
    """In the other server, so that nothing of this one is in the way."""
    assert "** started" in await acts.command(
        world, "skipper", "deploy", "pier", service="ferry", version="1.5.0", environment="production"
    )
    id_ = await world.newest("ferry", "production")
    await world.phase(id_, "soaking")
    await world.card(id_)
    await world.stage.call("DELETE", "channels/pier")
    assert "Rolling back" in await acts.command(
        world, "mate", "rollback", "beacon", service="ferry", environment="production"
    )
    await world.phase(id_, "rolled_back")
    await world.served_by("ferry", "production", "1.4.0")
    await world.settled(id_)
    await world.stage.message("beacon", f"rollout {id_}", "cannot be shown", as_="mate")
