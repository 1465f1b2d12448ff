"""War rooms in the sandbox: one thread, however often it is asked for, and what happens where threads are forbidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, UnpostedError
from tests.support.responder import Stand

ROOM = "incident-20261122-0400"
TEXT = "checkout/production: Many requests fail: 52% (limit 20%)\n<t:1795363200:R> opened: Many requests fail"


@pytest.fixture
def asked(stand: Stand) -> Announcement:
    (guild,) = stand.engine.catalog.guilds
    return Announcement(
        "call-1",
        guild,
        "checkout/production: Many requests fail",
        "No one has acknowledged this for 1 h. Who leads this incident? Say so in the thread.",
        ("on-call",),
        channel="incidents",
        room=ROOM,
        room_text=TEXT,
    )


async def beginnings(stand: Stand, thread: str) -> int:
    """How often the thread says what happened so far."""
    return sum("opened: Many requests fail" in message["text"] for message in await stand.messages(thread))


def messages_of(stand: Stand, channel: str) -> str:
    return f"/channels/{stand.sandbox.channel_id(channel)}/messages"


async def test_a_war_room_opens_once_with_what_happened_so_far(stand: Stand, asked: Announcement) -> None:
    for _ in range(3):
        await stand.announcer.alert(asked)
    (message,) = await stand.messages("incidents")
    assert "Who leads this incident?" in message["text"]
    assert await beginnings(stand, message["id"]) == 1


async def test_one_that_was_opened_before_a_crash_is_not_opened_again(
    stand: Stand, asked: Announcement
) -> None:
    await stand.announcer.alert(asked)
    stand.books.notes.pop(("war_room", asked.key))
    await stand.announcer.alert(asked)
    (message,) = await stand.messages("incidents")
    assert await beginnings(stand, message["id"]) == 1


async def test_a_call_after_its_time_is_left_out(stand: Stand, asked: Announcement) -> None:
    now = stand.clock.now()
    await stand.announcer.alert(replace(asked, key="late", until=now - timedelta(seconds=1)))
    assert await stand.messages("incidents") == []
    await stand.announcer.alert(replace(asked, key="in time", until=now))
    assert len(await stand.messages("incidents")) == 1


async def test_a_call_that_has_waited_for_long_goes_to_another_channel(
    stand: Stand, asked: Announcement
) -> None:
    """Later calls of its alert wait for it, and its own channel alone does not answer."""
    await stand.fault("503", method="POST", route=messages_of(stand, "incidents"), count=100)
    now = stand.clock.now()
    with pytest.raises(Unreachable):
        await stand.announcer.alert(replace(asked, made_at=now - timedelta(minutes=4)))
    for _ in range(2):
        await stand.announcer.alert(replace(asked, made_at=now - timedelta(minutes=6)))
    (message,) = await stand.messages("alerts")
    assert await beginnings(stand, message["id"]) == 1
    assert await stand.messages("incidents") == []


async def test_while_no_channel_answers_a_call_waits(stand: Stand, asked: Announcement) -> None:
    long = replace(asked, made_at=stand.clock.now() - timedelta(hours=23))
    await stand.fault("503", method="POST", route="/channels/*/messages", count=100)
    with pytest.raises(Unreachable):
        await stand.announcer.alert(long)
    assert await stand.messages("deploys") == await stand.messages("alerts") == []


async def test_a_war_room_that_cannot_be_opened_keeps_no_later_call_waiting(
    stand: Stand, asked: Announcement
) -> None:
    await stand.fault("503", method="POST", route="/channels/*/messages/*/threads", count=100)
    with pytest.raises(Unreachable):
        await stand.announcer.alert(replace(asked, made_at=stand.clock.now()))
    await stand.announcer.alert(replace(asked, made_at=stand.clock.now() - timedelta(minutes=6)))
    assert len(await stand.messages("incidents")) == 1


async def test_a_call_that_no_channel_takes_says_why_of_each(stand: Stand, asked: Announcement) -> None:
    for channel in ("incidents", "alerts", "deploys"):
        denied = {"permissions": {"SEND_MESSAGES": False}, "application": "slipway"}
        await stand.call("PATCH", f"channels/{channel}", denied)
    with pytest.raises(UnpostedError, match=r"^no channel takes it: #incidents: .*, #alerts: .*, #deploys: "):
        await stand.announcer.alert(asked)


async def test_without_a_channel_for_incidents_it_opens_in_alerts(stand: Stand, asked: Announcement) -> None:
    elsewhere = replace(asked, channel="nowhere")
    await stand.announcer.alert(elsewhere)
    messages = [m for m in await stand.messages("alerts") if "Who leads" in m["text"]]
    assert len(messages) == 1
    assert await beginnings(stand, messages[0]["id"]) == 1
