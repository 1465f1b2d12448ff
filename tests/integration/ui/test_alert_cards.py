"""Cards of alerts in the sandbox: one each, edited, posted again when it is gone, and bounded in a storm."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.rollout.events import CallPeople
from bot.domain.watch.alerts.alert import Alert, AlertAction
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.engine.watch.alerts.api import AlertRequest
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement
from bot.ui.alerts.publisher import MOST_CARDS, AlertCards
from bot.ui.message_budget import MessageBudget
from tests.support.actors import ONCALL
from tests.support.alerts import alerts_on
from tests.support.discord import discord_world
from tests.support.responder import Json, Stand, standing
from tests.support.rollouts import PRODUCTION


class AlertDesk:
    """Alerts of the stand's catalog, and their cards."""

    def __init__(self, stand: Stand) -> None:
        engine = stand.engine
        self.stand, self.store = stand, engine.store
        self.alerts = alerts_on(engine.store, lambda: engine.catalog, stand.clock)
        self.pictures: list[bytes] = []
        self.cards = self.process()

    def process(self) -> AlertCards:
        """The cards as a process that has just started draws them."""
        return AlertCards(
            self.stand.line.rest,
            self.alerts,
            store=self.store.alerts,
            notes=self.stand.books,
            catalog=lambda: self.stand.engine.catalog,
            clock=self.stand.clock,
            budget=MessageBudget(burst=1000),
            draw=self.drawn,
        )

    async def drawn(self, alert: Alert) -> bytes | None:
        """Another picture each time, while there are any."""
        return self.pictures.pop(0) if self.pictures else None

    async def hear(self, *findings: Finding) -> None:
        await self.alerts.hear(findings)
        await self.draw()

    async def draw(self) -> None:
        while await self.cards.once():
            pass

    async def shown(self, channel: str = "alerts") -> list[str]:
        return [message["text"] for message in await self.stand.messages(channel)]

    def finding(self, **more: object) -> Finding:
        usual = Finding(
            "errors",
            "rule",
            "Many requests fail",
            self.stand.clock.now(),
            severity=Severity.CRITICAL,
            lane=PRODUCTION,
            value="52%",
            limit="20%",
        )
        return replace(usual, **more)  # type: ignore[arg-type]


@pytest.fixture
def desk(stand: Stand) -> AlertDesk:
    return AlertDesk(stand)


async def test_a_card_is_posted_once_and_edited_as_it_develops(desk: AlertDesk) -> None:
    await desk.hear(desk.finding())
    (message,) = await desk.stand.messages("alerts")
    assert "oncall" in str(message["mentions"])
    await desk.hear(desk.finding(fingerprint="slow", title="Requests are slow", severity=Severity.MEDIUM))
    (text,) = await desk.shown()
    assert "Many requests fail" in text
    assert "Requests are slow" in text
    (alert,) = await desk.store.alerts.open()
    guild = alert.guilds[0]
    await desk.alerts.act(AlertRequest(alert.id, AlertAction.RESOLVE, replace(ONCALL, guild_id=guild), guild))
    await desk.draw()
    (message,) = await desk.stand.messages("alerts")
    assert "Resolved" in message["text"]
    assert message["buttons"] == []


async def test_what_was_posted_before_a_crash_is_found(desk: AlertDesk) -> None:
    await desk.hear(desk.finding())
    desk.store.alerts.database.tables.alert_cards.clear()
    desk.cards = desk.process()
    desk.stand.clock.forward(60)
    await desk.hear(desk.finding(value="60%"))
    assert len(await desk.shown()) == 1


async def test_a_card_that_was_deleted_is_posted_again(desk: AlertDesk) -> None:
    await desk.hear(desk.finding())
    (message,) = await desk.stand.messages("alerts")
    await desk.stand.call("DELETE", f"messages/{message['id']}")
    await desk.hear(desk.finding(value="60%"))
    (text,) = await desk.shown()
    assert "60%" in text


async def test_a_storm_fills_no_channel_and_leaves_no_critical_alert_out(desk: AlertDesk) -> None:
    mild = [
        desk.finding(fingerprint=f"d{n}", title=f"Disk {n} is full", lane=None, severity=Severity.MEDIUM)
        for n in range(3 * MOST_CARDS)
    ]
    await desk.hear(*mild)
    assert len(await desk.shown()) == MOST_CARDS
    worst = [
        desk.finding(fingerprint=f"c{n}", title=f"Database {n} is gone", lane=None) for n in range(MOST_CARDS)
    ]
    await desk.hear(*worst)
    texts = "\n".join(await desk.shown())
    assert all(f"Database {n} is gone" in texts for n in range(MOST_CARDS))
    assert len(await desk.shown()) == 2 * MOST_CARDS
    assert len(await desk.store.alerts.open()) == 4 * MOST_CARDS


async def test_of_what_a_storm_leaves_out_no_one_is_said_to_have_been_called(desk: AlertDesk) -> None:
    def many(severity: Severity, count: int, value: str = "52%") -> list[Finding]:
        return [
            desk.finding(
                fingerprint=f"{severity}{n}",
                title=f"{severity} {n}",
                lane=None,
                severity=severity,
                value=value,
            )
            for n in range(count)
        ]

    async def timelines() -> list[list[str]]:
        alerts = await desk.store.alerts.open()
        entries = [await desk.store.alerts.timeline(alert.id, 9) for alert in alerts]
        said.update(entry.text for lines in entries for entry in lines if entry.what == "unreached")
        return [[entry.what for entry in lines] for lines in entries]

    said: set[str] = set()
    await desk.hear(*many(Severity.HIGH, MOST_CARDS + 2))
    await desk.hear(*many(Severity.CRITICAL, 1), *many(Severity.MEDIUM, 1))
    assert len(await desk.shown()) == MOST_CARDS + 1
    found = await timelines()
    assert found.count(["opened", "called", "unreached"]) == 2
    assert found.count(["opened", "called"]) == MOST_CARDS + 1
    assert found.count(["opened"]) == 1  # a warning calls no one at first
    assert said == {"They were not called: more than 20 alerts came within 10 min, so it has no card yet."}
    # Once, however often it is looked at while there is no room.
    await desk.hear(*many(Severity.HIGH, MOST_CARDS + 2, "60%"))
    assert await timelines() == found


async def test_a_call_comes_after_the_card_when_both_waited_for_discord(desk: AlertDesk) -> None:
    await desk.alerts.hear([desk.finding()])
    (alert,) = await desk.store.alerts.open()
    call = Announcement(
        "call-1", alert.guilds[0], "checkout", "No one has acknowledged this.", alert_id=alert.id
    )
    announcer = desk.stand.announcer
    announcer.card_first = desk.cards.first
    # The loop that draws cards is at it, too.
    await asyncio.gather(announcer.alert(call), desk.draw(), announcer.alert(replace(call, key="call-2")))
    card, *calls = sorted(await desk.stand.messages("alerts"), key=lambda message: int(message["id"]))
    assert card["buttons"]
    assert len(calls) == 2
    assert all("No one has acknowledged this." in message["text"] for message in calls)

    async def broken(alert_id: int, guild_id: int) -> None:
        raise RuntimeError("a mistake")

    announcer.card_first = broken
    await announcer.alert(replace(call, key="call-3"))
    assert len(await desk.shown()) == 4

    async def away(alert_id: int, guild_id: int) -> None:
        raise Unreachable("its channel alone does not answer")

    announcer.card_first = away
    waited = [desk.stand.clock.now() - timedelta(minutes=minutes) for minutes in (4, 6)]
    with pytest.raises(Unreachable):
        await announcer.alert(replace(call, key="call-4", made_at=waited[0]))
    await announcer.alert(replace(call, key="call-4", made_at=waited[1]))
    assert len(await desk.shown()) == 5


async def test_without_a_channel_for_alerts_it_is_in_deploys(desk: AlertDesk) -> None:
    catalog = desk.stand.engine.catalog
    guilds = {
        known: replace(guild, channels={**guild.channels, "alerts": "nowhere"})
        for known, guild in catalog.guilds.items()
    }
    desk.stand.engine.catalog = replace(catalog, guilds=guilds)
    await desk.hear(desk.finding())
    assert any("Many requests fail" in text for text in await desk.shown("deploys"))


async def test_it_resolves_on_its_card_by_itself(desk: AlertDesk) -> None:
    await desk.hear(desk.finding())
    desk.stand.clock.forward(60)
    await desk.hear(desk.finding(firing=False, at=desk.stand.clock.now() - timedelta(seconds=1)))
    assert "It is resolved if it stays so" in (await desk.shown())[0]
    desk.stand.clock.forward(120)
    await desk.alerts.once()
    await desk.draw()
    assert "✅ Resolved" in (await desk.shown())[0]


async def test_people_escalate_and_silence_by_the_buttons_of_a_card(desk: AlertDesk) -> None:
    stand, alerts = desk.stand, desk.store.alerts
    stand.responder.alerts = desk.alerts

    async def card() -> Json:
        (message,) = await stand.messages("alerts")
        return message

    async def pressed(who: str, label: str) -> str:
        answer = await stand.press(who, (await card())["id"], label)
        await desk.draw()
        assert answer["message"]["ephemeral"]
        return str(answer["message"]["text"])

    def calls() -> list[CallPeople]:
        found = (row.effect for row in alerts.database.tables.effects.values())
        return [each for each in found if isinstance(each, CallPeople)]

    await desk.hear(desk.finding())
    assert "You have alert 1 now" in await pressed("oncall", "Acknowledge")
    # Anyone may ask for help: then it is not the first one's alone any more.
    assert "The next people are called for alert 1." in await pressed("guest", "Escalate")
    (call,) = calls()
    assert (call.text, call.mention_roles, call.alert_id) == ("Guest asks for help.", ("on-call",), 1)
    text = (await card())["text"]
    assert "escalated by" in text and "Guest" in text and "No one yet." in text

    # Who has neither a role nor the alert silences nothing.
    assert "To silence an alert you need" in await pressed("guest", "Silence 1 h")
    (alert,) = await alerts.open()
    assert alert.silenced_until is None
    assert "Alert 1 is silent for an hour." in await pressed("oncall", "Silence 1 h")
    message = await card()
    assert "🔕" in message["text"] and "Silenced: no one is told before" in message["text"]
    assert "End silence" in [each["label"] for each in message["buttons"]]
    stand.clock.forward(3599)
    await desk.alerts.once()
    assert calls() == [call]
    assert "Alert 1 is no longer silent." in await pressed("guest", "End silence")
    await desk.alerts.once()
    assert [each.alert_id for each in calls()] == [1, 1]
    assert "🔕" not in (await card())["text"]
    timeline = [(entry.what, entry.by) for entry in await alerts.timeline(1, 20) if entry.by]
    assert timeline == [
        ("acknowledged", "On-call"),
        ("escalated", "Guest"),
        ("silenced", "On-call"),
        ("unsilenced", "Guest"),
    ]
    # A card that someone still has open says what has become of it.
    before = (await card())["id"]
    assert "Alert 1 is resolved." in await pressed("oncall", "Resolve")
    for action in ("escalate", "silence", "unsilence"):
        late = await stand.press("oncall", before, raw=f"slipway-alert:1:{action}")
        assert "Alert 1 is over." in late["message"]["text"]
    assert len(calls()) == 2


async def test_a_card_keeps_its_picture_until_there_is_a_newer_one(desk: AlertDesk) -> None:
    async def sizes() -> list[int]:
        (message,) = await desk.stand.messages("alerts")
        (card,) = message["embeds"]
        assert bool(message["attachments"]) is ("alert.png" in str(card.get("image")))
        return [each["size"] for each in message["attachments"]]

    desk.pictures = [b"1", b"22", b"333"]
    await desk.hear(desk.finding())
    assert await sizes() == [1]
    desk.stand.clock.forward(60)
    await desk.hear(desk.finding(value="60%"))  # too soon for another one
    assert await sizes() == [1]
    assert any("60%" in text for text in await desk.shown())
    desk.cards = desk.process()
    desk.stand.clock.forward(60)
    await desk.hear(desk.finding(value="70%"))
    assert await sizes() == [2]
    (alert,) = await desk.store.alerts.open()
    guild = alert.guilds[0]
    await desk.alerts.act(AlertRequest(alert.id, AlertAction.RESOLVE, replace(ONCALL, guild_id=guild), guild))
    await desk.draw()
    assert await sizes() == [3]


async def test_where_files_are_forbidden_the_card_comes_without_its_picture(tmp_path: Path) -> None:
    async with standing(tmp_path, discord_world(rate_limits=False)) as stand:
        denied = {"permissions": {"ATTACH_FILES": False}, "application": "slipway"}
        await stand.call("PATCH", "channels/alerts", denied)
        desk = AlertDesk(stand)
        desk.pictures = [b"1", b"22"]
        await desk.hear(desk.finding())
        (message,) = await stand.messages("alerts")
        assert message["attachments"] == []
        assert "Many requests fail" in message["text"]
        desk.cards = desk.process()
        stand.clock.forward(60)
        await desk.hear(desk.finding(value="60%"))
        assert desk.pictures == []
        assert "60%" in (await stand.messages("alerts"))[0]["text"]


async def test_a_channel_that_does_not_answer_delays_no_card_of_another_server(tmp_path: Path) -> None:
    world = discord_world(guilds=[{"name": "harbor"}, {"name": "partners"}], rate_limits=False)
    async with standing(tmp_path, world) as stand:
        desk, catalog = AlertDesk(stand), stand.engine.catalog
        here, there = (int(stand.sandbox.guild_id(name)) for name in ("harbor", "partners"))
        partners = replace(catalog.guilds[here], id=there, name="partners")
        stand.engine.catalog = replace(catalog, guilds={**catalog.guilds, there: partners})
        ours, theirs = (stand.sandbox.channel_id("alerts", name) for name in ("harbor", "partners"))

        async def drawn(channel: str, count: int) -> bool:
            with suppress(Unreachable):
                await desk.cards.once()
            return len(await stand.messages(channel)) == count

        # More than a round takes, and worse than what waits for the other server.
        worst = [
            desk.finding(fingerprint=f"c{n}", title=f"Database {n} is gone", lane=None, guilds=(here,))
            for n in range(25)
        ]
        both = desk.finding(fingerprint="both", title="Payments fail", lane=None, guilds=(here, there))
        mild = desk.finding(fingerprint="disk", title="Disk is full", lane=None, guilds=(there,))
        await stand.fault("503", route=f"/channels/{ours}/messages*", count=100_000)
        await desk.alerts.hear([*worst, both, replace(mild, severity=Severity.MEDIUM)])
        await stand.until(lambda: drawn(theirs, 2))
        assert await stand.messages(ours) == []
        await stand.call("DELETE", "faults")
        await stand.until(lambda: drawn(ours, 26))
        # What was shown there already is neither posted nor lost.
        assert len(await stand.messages(theirs)) == 2
        await stand.until(lambda: all_drawn(desk))
        await desk.cards.close()


async def all_drawn(desk: AlertDesk) -> bool:
    await desk.cards.once()
    return not await desk.store.alerts.undrawn(1)
