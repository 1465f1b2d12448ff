"""Direct messages about alerts in the sandbox: once, with the way to the card, and who cannot be written to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.watch.alerts.alert import AlertState, Change, Entry
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.hearing import begin
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, UndeliveredError
from bot.ports.watch.alerts import AlertCard, AlertChange
from tests.support.responder import Json, Stand
from tests.support.rollouts import PRODUCTION

MESSAGES = "/users/@me/channels"


@pytest.fixture
def said(stand: Stand) -> Announcement:
    (guild,) = stand.engine.catalog.guilds
    return Announcement(
        "call-7",
        guild,
        "checkout/production: Many requests fail",
        "No one has acknowledged this for 15 min.",
        direct_to=int(stand.sandbox.person_id("oncall")),
    )


async def received(stand: Stand, who: str = "oncall") -> list[Json]:
    """What Slipway wrote to a person."""
    return await stand.messages("@slipway", as_=who)


async def alert(stand: Stand, guild: int) -> int:
    """An alert of that server, with a card; its number."""
    at, store = stand.clock.now(), stand.engine.store.alerts
    finding = Finding("errors", "rule", "Many requests fail", at, True, Severity.CRITICAL, PRODUCTION)
    change = begin(await store.next_id(), finding, (guild,), at, AlertPolicy())
    assert await store.save(AlertChange(change.alert, 0, None, change.entries))
    await store.put_card(AlertCard(change.alert.id, guild, 11, 22))
    return change.alert.id


async def test_it_is_sent_once_over_repeats_and_a_crash_and_leads_to_the_card(
    stand: Stand, said: Announcement
) -> None:
    said = replace(said, alert_id=await alert(stand, said.guild_id))
    for _ in range(3):
        await stand.announcer.direct(said)
    for key in [key for kind, key in stand.books.notes if kind == "notice"]:
        await stand.books.put_note(
            "notice", key, {"message": 0}
        )  # as it stands if the process died after the post
    await stand.announcer.direct(said)
    (message,) = await received(stand)
    assert message["text"].startswith("⚠️")
    assert "Many requests fail" in message["text"]
    assert "No one has acknowledged this for 15 min." in message["text"]
    assert f"https://discord.com/channels/{said.guild_id}/11/22" in message["content"]
    assert message["notified"] == ["oncall"]
    assert await stand.messages("alerts") == []


async def test_who_accepts_none_is_named_with_discords_words(stand: Stand, said: Announcement) -> None:
    await stand.call("PATCH", "people/oncall", {"accepts_messages": False})
    with pytest.raises(UndeliveredError) as refused:
        await stand.announcer.direct(said)
    assert refused.value.person.lower().startswith("on")
    assert "Cannot send messages to this user" in refused.value.why
    assert await received(stand) == []


async def test_an_account_that_is_none_is_named_by_its_number(stand: Stand, said: Announcement) -> None:
    with pytest.raises(UndeliveredError) as refused:
        await stand.announcer.direct(replace(said, direct_to=77))
    assert refused.value.person == "User 77"


async def test_what_is_over_by_now_wakes_no_one(stand: Stand, said: Announcement) -> None:
    number = await alert(stand, said.guild_id)
    store = stand.engine.store.alerts
    found = await store.load(number)
    assert found is not None
    over = replace(found, state=AlertState.RESOLVED, version=found.version + 1)
    change = Change(over, (Entry(stand.clock.now(), "resolved", ""),))
    assert await store.save(AlertChange(change.alert, found.version, None, change.entries))
    await stand.announcer.direct(replace(said, alert_id=number))
    assert await received(stand) == []


@pytest.mark.parametrize("route", [MESSAGES, "/channels/*/messages"])
async def test_while_discord_is_away_it_is_tried_again(stand: Stand, said: Announcement, route: str) -> None:
    await stand.fault("503", method="POST", route=route, count=20)
    with pytest.raises(Unreachable):
        await stand.announcer.direct(said)
    await stand.call("DELETE", "faults")
    await stand.announcer.direct(said)
    assert len(await received(stand)) == 1


async def test_hostile_values_are_shown_as_they_are(stand: Stand, said: Announcement) -> None:
    await stand.announcer.direct(
        replace(said, title="@everyone [x](http://y) " * 40, text="<@1> **x** " * 400)
    )
    (message,) = await received(stand)
    assert len(message["content"]) <= 2000
    assert message["mentions"]["users"] == {}
    assert "ref call-7" in message["text"]
