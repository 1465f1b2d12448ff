"""Incidents in the sandbox: one card with a thread each, what people do to them, and messages that they mark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.incidents.incident import Incident, IncidentAction
from bot.engine.watch.incidents.api import IncidentOpening, IncidentRequest
from bot.engine.watch.incidents.service import Incidents
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement
from bot.ui.incidents.marked_messages import marked
from bot.ui.incidents.publisher import IncidentCards
from bot.ui.message_budget import MessageBudget
from tests.support.actors import DEV, ONCALL
from tests.support.alerts import alerts_on
from tests.support.discord import discord_world
from tests.support.responder import Json, Stand, standing
from tests.support.rollouts import PRODUCTION


class IncidentDesk:
    """Incidents of the stand's catalog, and their cards."""

    def __init__(self, stand: Stand) -> None:
        engine = stand.engine
        self.stand, self.store = stand, engine.store
        self.incidents = Incidents(
            engine.store, lambda: engine.catalog, clock=stand.clock, waker=EventWaker()
        )
        self.alerts = alerts_on(
            engine.store, lambda: engine.catalog, stand.clock, incidents=self.incidents.opened_by
        )
        (self.guild,) = engine.catalog.guilds
        stand.responder.incidents = self.incidents
        self.cards = self.process()

    def process(self) -> IncidentCards:
        """The cards as a process that has just started draws them."""
        return IncidentCards(
            self.stand.line.rest,
            self.incidents,
            store=self.store.incidents,
            notes=self.stand.books,
            catalog=lambda: self.stand.engine.catalog,
            rooms=self.stand.announcer.rooms,
            budget=MessageBudget(burst=1000),
        )

    async def opened(self, title: str = "Payments fail") -> Incident:
        incident = await self.incidents.open(IncidentOpening(self.guild, DEV, title, lane=PRODUCTION))
        await self.draw()
        return incident

    async def draw(self) -> None:
        while await self.cards.once():
            pass

    async def did(self, action: IncidentAction, incident: Incident, text: str = "") -> None:
        await self.incidents.act(IncidentRequest(incident.id, action, ONCALL, self.guild, text))
        await self.draw()

    async def message(self, channel: str = "incidents") -> Json:
        (message,) = [m for m in await self.stand.messages(channel) if "incident" in m["text"].lower()]
        return message

    async def thread(self, incident: Incident) -> int:
        card = await self.store.incidents.card(incident.id)
        assert card is not None and card.thread_id is not None
        return card.thread_id

    async def beginnings(self, incident: Incident) -> list[Json]:
        """Messages of its thread that say what it is about."""
        found = await self.stand.messages(str(await self.thread(incident)))
        return [each for each in found if "Mark a message with 📌" in each["text"]]


@pytest.fixture
def desk(stand: Stand) -> IncidentDesk:
    return IncidentDesk(stand)


async def test_a_card_is_posted_once_with_a_thread_and_edited_as_it_develops(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    message = await desk.message()
    assert "No one yet" in message["text"]
    assert await desk.thread(incident) == int(message["id"])
    assert len(await desk.beginnings(incident)) == 1
    await desk.did(IncidentAction.ACKNOWLEDGE, incident)
    await desk.did(IncidentAction.NOTE, incident, "The queue is full")
    text = (await desk.message())["text"]
    assert "Acknowledged after 0 s (target: 30 min)." in text
    assert "The queue is full" in text
    await desk.did(IncidentAction.CLOSE, incident)
    message = await desk.message()
    assert "closed" in message["text"]
    assert message["buttons"] == []


async def test_what_was_posted_before_a_crash_is_found(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    rows = desk.store.alerts.database.tables.incidents
    rows[incident.id] = replace(rows[incident.id], card=None)
    desk.cards = desk.process()
    await desk.did(IncidentAction.NOTE, incident, "again")
    message = await desk.message()
    assert await desk.thread(incident) == int(message["id"])
    assert len(await desk.beginnings(incident)) == 1


async def test_a_card_that_was_deleted_is_posted_again_and_keeps_its_thread(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    thread = await desk.thread(incident)
    await desk.stand.call("DELETE", f"messages/{(await desk.message())['id']}")
    await desk.did(IncidentAction.NOTE, incident, "again")
    assert "again" in (await desk.message())["text"]
    assert await desk.thread(incident) == thread


async def test_without_a_channel_for_incidents_the_card_is_in_alerts(desk: IncidentDesk) -> None:
    catalog = desk.stand.engine.catalog
    guilds = {
        known: replace(guild, channels={**guild.channels, "incidents": "nowhere"})
        for known, guild in catalog.guilds.items()
    }
    desk.stand.engine.catalog = replace(catalog, guilds=guilds)
    await desk.opened()
    assert "Payments fail" in (await desk.message("alerts"))["text"]


async def test_the_war_rooms_thread_is_the_incidents_also_when_it_opens_later(desk: IncidentDesk) -> None:
    now = desk.stand.clock.now()
    finding = Finding("errors", "rule", "Payments fail", now, severity=Severity.CRITICAL, lane=PRODUCTION)
    await desk.alerts.hear([finding])
    desk.stand.clock.forward(3600)
    await desk.alerts.once()
    await desk.draw()
    (incident,) = await desk.store.incidents.open()
    card = await desk.store.incidents.card(incident.id)
    assert card is not None and card.thread_id is None
    said = Announcement(
        incident.room, desk.guild, "Payments fail", "Who leads?", channel="incidents", room="incident-1"
    )
    await desk.stand.announcer.alert(said)
    desk.cards = desk.process()
    await desk.draw()
    thread = await desk.thread(incident)
    texts = {int(each["id"]): each["text"] for each in await desk.stand.messages("incidents")}
    assert "Who leads?" in texts[thread]
    await desk.draw()
    texts = {int(each["id"]): each["text"] for each in await desk.stand.messages("incidents")}
    assert str(thread) in texts[card.message_id] or "incident-1" in texts[card.message_id]


async def test_a_channel_that_does_not_answer_delays_no_incident_of_another_server(tmp_path: Path) -> None:
    world = discord_world(guilds=[{"name": "harbor"}, {"name": "partners"}], rate_limits=False)
    async with standing(tmp_path, world) as stand:
        desk, catalog = IncidentDesk(stand), stand.engine.catalog
        here, there = (int(stand.sandbox.guild_id(name)) for name in ("harbor", "partners"))
        partners = replace(catalog.guilds[here], id=there, name="partners")
        stand.engine.catalog = replace(catalog, guilds={**catalog.guilds, there: partners})
        ours, theirs = (stand.sandbox.channel_id("incidents", name) for name in ("harbor", "partners"))
        await stand.fault("503", route=f"/channels/{ours}/messages*", count=100_000)
        for guild in (here, here, there):
            await desk.incidents.open(IncidentOpening(guild, DEV, "Payments fail"))
        with pytest.raises(Unreachable):
            await desk.draw()
        assert await stand.messages(ours) == []
        assert any("Payments fail" in each["text"] for each in await stand.messages(theirs))
        before = len(await stand.messages(theirs))
        await stand.call("DELETE", "faults")
        await desk.draw()
        assert sum(bool(each["buttons"]) for each in await stand.messages(ours)) == 2
        assert len(await stand.messages(theirs)) == before


# ---- people ------------------------------------------------------------------------------------------------


async def test_people_work_on_an_incident_by_commands_and_buttons(desk: IncidentDesk) -> None:
    stand = desk.stand
    answer = await stand.slash("dev", "incident open", title="Payments fail", severity="critical")
    assert "Incident 1 is open" in str(answer)
    await desk.draw()
    refused = await stand.slash("dev", "incident close", incident="1")
    assert "you need one of the roles" in str(refused)
    taken = await stand.press("oncall", (await desk.message())["id"], "Take it")
    assert "You have incident 1 now" in str(taken)
    # In its thread, or with one open incident, no number is needed.
    noted = await stand.slash("dev", "incident note", text="It began at noon")
    assert "timeline of incident 1" in str(noted)
    assert "Payments fail" in str(await stand.slash("dev", "incident list"))
    assert "is not an incident number" in str(
        await stand.slash("dev", "incident note", text="x", incident="all")
    )
    assert "you need one of the roles" in str(await stand.slash("dev", "incident restored"))
    assert "Incident 1 is restored." in str(await stand.slash("oncall", "incident restored"))
    assert "Incident 1 was restored" in str(await stand.slash("oncall", "incident restored", incident="1"))
    closed = await stand.slash("oncall", "incident close", incident="1", reason="a cable")
    assert "Incident 1 is closed" in str(closed)
    assert "No incident is open" in str(await stand.slash("dev", "incident note", text="x"))
    assert "Payments fail" in str(await stand.slash("dev", "incident list", closed=True))
    assert [each["value"] for each in await stand.suggest("dev", "incident note", "incident")] == ["1"]


async def test_the_draft_of_a_post_mortem_is_a_file_and_the_finished_one_is_named(desk: IncidentDesk) -> None:
    stand = desk.stand
    incident = await desk.opened()
    answer = await stand.slash("dev", "incident postmortem")
    assert "The draft for incident 1" in str(answer)
    assert "postmortem-1.md" in str(answer)
    answer = await stand.slash("dev", "incident postmortem", incident="1", link="https://wiki.example/1")
    assert "has its post-mortem" in str(answer)
    found = await desk.store.incidents.load(incident.id)
    assert found is not None and found.postmortem == "https://wiki.example/1"


# ---- marks -------------------------------------------------------------------------------------------------


def reaction(desk: IncidentDesk, thread: int, message: int, emoji: str = "📌") -> Any:
    return SimpleNamespace(
        emoji=discord.PartialEmoji(name=emoji),
        guild_id=desk.guild,
        channel_id=thread,
        message_id=message,
        user_id=1,
        member=None,
    )


async def test_a_marked_message_becomes_a_line_once(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    thread = await desk.thread(incident)
    (message,) = await desk.beginnings(incident)
    client = desk.stand.line.rest()
    for emoji, taken in (("👍", False), ("📌", True), ("📌", True)):
        payload = reaction(desk, thread, int(message["id"]), emoji)
        assert await marked(desk.incidents, client, payload) == taken
    lines = (await desk.incidents.view(incident.id)).lines
    (line,) = [each for each in lines if each.what == "marked"]
    assert line.text.startswith("Payments fail. It began")
    assert line.text.endswith(f"/{desk.guild}/{thread}/{message['id']}")


async def test_a_reaction_in_the_thread_reaches_the_running_client(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    (message,) = await desk.beginnings(incident)
    await desk.stand.call("POST", "reactions", {"user": "dev", "message": message["id"], "emoji": "📌"})

    async def lines() -> list[str]:
        found = (await desk.incidents.view(incident.id)).lines
        return [each.text for each in found if each.what == "marked"]

    assert message["id"] in (await desk.stand.until(lines))[0]


async def test_marks_elsewhere_and_of_messages_that_are_gone_are_left_alone(desk: IncidentDesk) -> None:
    incident = await desk.opened()
    thread = await desk.thread(incident)
    client = desk.stand.line.rest()
    assert not await marked(desk.incidents, client, reaction(desk, 77, 78))
    assert not await marked(desk.incidents, client, reaction(desk, thread, 12345))
    elsewhere = reaction(desk, thread, 12345)
    elsewhere.guild_id = desk.guild + 1
    assert not await marked(desk.incidents, client, elsewhere)
    assert [line.what for line in (await desk.incidents.view(incident.id)).lines] == ["opened"]
