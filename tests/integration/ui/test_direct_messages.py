"""Direct messages about alerts in the sandbox: once, with the way to the card, and who cannot be written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from bot.domain.config import GuildConfig
from bot.domain.watch.alerts.alert import AlertState, Owner
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, UndeliveredError
from bot.ports.watch.alerts import AlertCard, AlertChange
from bot.ui.alerts.direct_messages import DirectMessages
from bot.ui.alerts.publisher import AlertCards
from bot.ui.message_budget import MessageBudget
from tests.support.alerts import alerts_on
from tests.support.responder import Json, Stand
from tests.support.rollouts import PRODUCTION
from tests.support.virtual_time import EPOCH

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


async def alert(stand: Stand, guild: int, *, with_card: bool = False) -> int:
    """An alert of that server, maybe with a card that is said to be somewhere; its number."""
    at, store = stand.clock.now(), stand.engine.store.alerts
    finding = Finding("errors", "rule", "Many requests fail", at, True, Severity.CRITICAL, PRODUCTION)
    change = begin(await store.next_id(), finding, (guild,), at, AlertPolicy())
    assert await store.save(AlertChange(change.alert, 0, None, change.entries))
    if with_card:
        await store.put_card(AlertCard(change.alert.id, guild, 11, 22))
    return change.alert.id


class DirectMessageDesk:
    """Alerts as people answer them, and their cards, as a process that has just started draws them."""

    def __init__(self, stand: Stand) -> None:
        engine, catalog = stand.engine, lambda: stand.engine.catalog
        alerts = alerts_on(engine.store, catalog, stand.clock)
        stand.responder.alerts = alerts
        self.cards = AlertCards(
            stand.line.rest,
            alerts,
            store=engine.store.alerts,
            notes=stand.books,
            catalog=catalog,
            clock=stand.clock,
            budget=MessageBudget(burst=1000),
            directly=DirectMessages(engine.store.alerts, stand.books, stand.announcer.directly.post),
        )

    async def draw(self) -> None:
        while await self.cards.once():
            pass


def person(stand: Stand, who: str) -> int:
    return int(stand.sandbox.person_id(who))


def custom_id(number: int, said: Announcement) -> str:
    return f"slipway-alert:{number}:acknowledge:{said.guild_id}"


async def changed(stand: Stand, number: int, **changes: object) -> None:
    """Make the alert another one."""
    store = stand.engine.store.alerts
    found = await store.load(number)
    assert found is not None
    after = replace(found, version=found.version + 1, **changes)  # type: ignore[arg-type]
    assert await store.save(AlertChange(after, found.version, None))


async def test_it_is_sent_once_over_repeats_and_a_crash_and_leads_to_the_card(
    stand: Stand, said: Announcement
) -> None:
    said = replace(said, alert_id=await alert(stand, said.guild_id, with_card=True))
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
    await changed(stand, number, state=AlertState.RESOLVED)
    await stand.announcer.direct(replace(said, alert_id=number))
    assert await received(stand) == []
    in_channel = replace(said, direct_to=0, mention_roles=("on-call",))
    await stand.announcer.alert(replace(in_channel, alert_id=number, room="incident-20261122-0300"))
    assert await stand.messages("alerts") == await stand.messages("incidents") == []
    await stand.announcer.alert(replace(in_channel, alert_id=await alert(stand, said.guild_id)))
    assert len(await stand.messages("alerts")) == 1


@pytest.mark.parametrize("route", [MESSAGES, "/channels/*/messages"])
async def test_while_discord_is_away_it_is_tried_again(stand: Stand, said: Announcement, route: str) -> None:
    await stand.fault("503", method="POST", route=route, count=20)
    with pytest.raises(Unreachable):
        await stand.announcer.direct(said)
    await stand.call("DELETE", "faults")
    await stand.announcer.direct(said)
    assert len(await received(stand)) == 1


async def test_it_is_acknowledged_from_there_and_both_messages_say_by_whom(
    stand: Stand, said: Announcement
) -> None:
    desk = DirectMessageDesk(stand)
    number = await alert(stand, said.guild_id)
    await desk.draw()
    await stand.announcer.direct(replace(said, alert_id=number))
    await stand.announcer.direct(
        replace(said, key="call-8", alert_id=number, direct_to=person(stand, "lead"))
    )
    (message,) = await received(stand)
    assert [each["label"] for each in message["buttons"]] == ["Acknowledge"]
    answer = await stand.press("oncall", message["id"], "Acknowledge")
    assert f"You have alert {number} now" in answer["message"]["text"]
    found = await stand.engine.store.alerts.load(number)
    assert found is not None and found.owner is not None
    assert (found.owner.id, found.state) == (person(stand, "oncall"), AlertState.ACKNOWLEDGED)
    timeline = await stand.engine.store.alerts.timeline(number, 10)
    assert (timeline[-1].what, timeline[-1].by) == ("acknowledged", found.owner.name)
    # A restart in between: what was written is known.
    await DirectMessageDesk(stand).draw()
    for who in ("oncall", "lead"):
        message, *_ = await received(stand, who)
        assert f"{found.owner.name} has it." in message["text"]
        assert "No one has acknowledged this for 15 min." in message["text"]
        assert message["text"].splitlines()[-1].startswith("-# ref ")
        assert message["buttons"] == []
    (card,) = await stand.messages("alerts")
    assert found.owner.name in card["text"]
    # The press of a person who had the old message open takes it from no one.
    late = await stand.press("lead", (await received(stand, "lead"))[0]["id"], raw=custom_id(number, said))
    assert f"On-call has alert {number} already" in late["message"]["text"]


async def test_an_owner_who_is_asked_has_the_button_again_until_it_is_over(
    stand: Stand, said: Announcement
) -> None:
    desk, number = DirectMessageDesk(stand), await alert(stand, said.guild_id)
    await stand.announcer.direct(replace(said, alert_id=number))
    await changed(
        stand, number, state=AlertState.ACKNOWLEDGED, owner=Owner(7, "Kim `@here`"), acknowledged_at=EPOCH
    )
    await desk.draw()
    (message,) = await received(stand)
    assert (message["buttons"], message["notified"]) == ([], ["oncall"])
    await changed(stand, number, asked_at=EPOCH)
    await desk.draw()
    (message,) = await received(stand)
    assert [each["label"] for each in message["buttons"]] == ["Acknowledge"]
    await changed(stand, number, state=AlertState.RESOLVED)
    await desk.draw()
    (message,) = await received(stand)
    assert "It is over." in message["text"] and message["buttons"] == []
    answer = await stand.press("oncall", message["id"], raw=custom_id(number, said))
    assert f"Alert {number} is over." in answer["message"]["text"]


async def test_who_left_the_server_takes_nothing_over(stand: Stand, said: Announcement) -> None:
    class Left:
        async def roles(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
            return frozenset()

        async def gone(self, guild: GuildConfig, user_ids: Iterable[int]) -> frozenset[int]:
            return frozenset(user_ids)

    DirectMessageDesk(stand)
    stand.responder.members = Left()
    number = await alert(stand, said.guild_id)
    await stand.announcer.direct(replace(said, alert_id=number))
    (message,) = await received(stand)
    answer = await stand.press("oncall", message["id"], "Acknowledge")
    assert "You are no longer in the server" in answer["message"]["text"]
    found = await stand.engine.store.alerts.load(number)
    assert found is not None and found.owner is None


async def test_a_button_about_another_server_finds_nothing(stand: Stand, said: Announcement) -> None:
    DirectMessageDesk(stand)
    number = await alert(stand, said.guild_id)
    await stand.announcer.direct(replace(said, alert_id=number))
    (message,) = await received(stand)
    for raw, sentence in (
        (f"slipway-alert:{number}:acknowledge:77", "Slipway does not serve this server"),
        (f"slipway-alert:{number}:acknowledge", "Slipway does not serve this server"),
        (f"slipway-alert:{number + 1}:acknowledge:{said.guild_id}", "There is no alert"),
    ):
        answer = await stand.press("oncall", message["id"], raw=raw)
        assert sentence in answer["message"]["text"]


async def test_a_message_that_is_gone_or_closed_by_now_stops_nothing(
    stand: Stand, said: Announcement
) -> None:
    desk, number = DirectMessageDesk(stand), await alert(stand, said.guild_id)
    await stand.announcer.direct(replace(said, alert_id=number))
    (message,) = await received(stand)
    await stand.call("DELETE", f"messages/{message['id']}")
    await changed(stand, number, state=AlertState.ACKNOWLEDGED, owner=Owner(7, "Kim"), acknowledged_at=EPOCH)
    await desk.draw()
    assert await received(stand) == []
    assert await stand.engine.store.alerts.undrawn(5) == []


async def test_while_discord_takes_no_edits_they_come_later(stand: Stand, said: Announcement) -> None:
    desk, number = DirectMessageDesk(stand), await alert(stand, said.guild_id)
    await desk.draw()
    await stand.announcer.direct(replace(said, alert_id=number))
    await changed(stand, number, state=AlertState.ACKNOWLEDGED, owner=Owner(7, "Kim"), acknowledged_at=EPOCH)
    await stand.fault("503", method="PATCH", route="/channels/*/messages/*", count=20)
    with pytest.raises(Unreachable):
        await desk.draw()
    await stand.call("DELETE", "faults")
    await desk.draw()
    (message,) = await received(stand)
    assert "Kim has it." in message["text"]


async def test_hostile_values_are_shown_as_they_are(stand: Stand, said: Announcement) -> None:
    await stand.announcer.direct(
        replace(said, title="@everyone [x](http://y) " * 40, text="<@1> **x** " * 400)
    )
    (message,) = await received(stand)
    assert len(message["content"]) <= 2000
    assert message["mentions"]["users"] == {}
    assert "ref call-7" in message["text"]
