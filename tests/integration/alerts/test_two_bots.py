"""Two bots on one database at every step of an escalation: each call, direct message and thread comes once.

Both speak to Discord here, which in production only the holder of the gateway's lease does: rows, leases and keys alone
keep them apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.postgres.watch.alerts import PostgresAlerts
from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Catalog
from bot.domain.rollout.model import Rollout
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Person
from bot.engine.api import RollbackRequest
from bot.engine.effects.notifications import NotificationHandler
from bot.engine.effects.outbox import Outbox, OutboxLimits
from bot.engine.stepper import MESSAGE_KINDS, MESSAGES
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.incidents.service import Incidents
from bot.engine.watch.oncall.service import OnCall
from bot.ports.meter import NoMeter
from bot.ports.watch.alerts import NOTHING, AlertCard
from bot.ui.alerts.publisher import AlertCards
from bot.ui.announcer import DiscordAnnouncer
from bot.ui.incidents.publisher import IncidentCards
from bot.ui.message_budget import MessageBudget
from tests.scenarios.virtual_time import fresh
from tests.support.oncall import WEEK, schedule, with_schedules
from tests.support.postgres import PostgresServer
from tests.support.responder import Stand, standing
from tests.support.rollouts import PRODUCTION
from tests.support.timed_database import TimedDatabase
from tests.support.waiting import PATIENCE_S, until

LEASE_S = 60.0


@dataclass(frozen=True)
class Step:
    """After `after_s` this is said in `channel`, and written to these people."""

    after_s: float
    said: str
    channel: str
    people: tuple[str, ...]


STEPS = (
    Step(900, "for 15 min.", "alerts", ("oncall",)),
    Step(1800, "for 30 min.", "alerts", ("oncall", "lead")),
    Step(3600, "for 1 h.", "incidents", ("oncall", "lead", "lead2")),
)
Passing = Callable[[str], Awaitable[None]]


class WatchedAlerts(PostgresAlerts):
    """Tells where a process is: before it decides on what it read, and between Discord and the database."""

    def __init__(self, database: Database, passing: Passing) -> None:
        super().__init__(database)
        self._passing = passing

    async def due(self, now: datetime, limit: int) -> Sequence[Alert]:
        found = await super().due(now, limit)
        if found:
            await self._passing("read")
        return found

    async def undrawn(self, limit: int, without: Mapping[int, int] = NOTHING) -> Sequence[tuple[Alert, int]]:
        found = await super().undrawn(limit, without)
        if found:
            await self._passing("drawing")
        return found

    async def put_card(self, card: AlertCard) -> None:
        await self._passing("drawn")
        await super().put_card(card)


class AlertingBot:
    """What one process has of alerts, put together as in `bot/composition/`. The test makes its rounds.

    meets: where processes that have read what is due wait for each other.
    """

    def __init__(self, stand: Stand, dsn: str) -> None:
        def current() -> Catalog:
            return stand.engine.catalog

        async def roll_back(request: RollbackRequest) -> Rollout:
            raise AssertionError("nothing is rolled back here")

        self.meets: asyncio.Barrier | None = None
        self._ends_at, self._ended = "", asyncio.Semaphore(0)
        self.database = TimedDatabase(dsn, stand.clock)
        store = self.store = PostgresStore(self.database)
        store.alerts = WatchedAlerts(self.database, self._passes)
        clock, waker, budget = stand.clock, EventWaker(), MessageBudget(burst=1000)
        reached = OnCall(store.on_call, current, clock).reached
        self.incidents = Incidents(store, current, clock=clock, waker=waker, on_call=reached)
        self.alerts = Alerts(
            store,
            current,
            clock=clock,
            waker=waker,
            roll_back=roll_back,
            on_call=reached,
            incidents=self.incidents.opened_by,
        )
        rest = stand.line.rest
        self.announcer = DiscordAnnouncer(
            rest,
            stand.engine.card,
            store.cards,
            store.notes,
            current,
            clock,
            budget=budget,
            alerts=store.alerts,
        )
        self.cards = AlertCards(
            rest,
            self.alerts,
            store=store.alerts,
            notes=store.notes,
            catalog=current,
            clock=clock,
            budget=budget,
            directly=self.announcer.directly,
        )
        self.announcer.card_first = self.cards.first
        self.incident_cards = IncidentCards(
            rest,
            self.incidents,
            store=store.incidents,
            notes=store.notes,
            catalog=current,
            rooms=self.announcer.rooms,
            budget=budget,
        )
        self.messages = Outbox(
            MESSAGES,
            sorted(MESSAGE_KINDS),
            NotificationHandler(self.announcer, store.effects, self.alerts.undelivered),
            effects=store.effects,
            clock=clock,
            waker=waker,
            meter=NoMeter(),
            probe=lambda when, what: self._passes(when),
            limits=OutboxLimits(lease_s=LEASE_S),
        )

    async def lost(self, at: str, round_: Callable[[], Awaitable[object]], times: int = 1) -> None:
        """Make this round, and be gone when it has come to this place so many times. Leases stay as they are."""
        self._ends_at = at
        doing = asyncio.ensure_future(round_())
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(times):
                await self._ended.acquire()
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        await self.close()

    async def draw(self) -> None:
        """Bring its cards up to date."""
        while await self.cards.once():
            pass
        await self.incident_cards.once()

    async def close(self) -> None:
        await self.messages.stop()
        await self.cards.close()
        await self.announcer.close()
        await self.database.close()

    async def _passes(self, place: str) -> None:
        if place == self._ends_at:
            self._ended.release()
            await asyncio.Event().wait()
        if place == "read" and self.meets is not None:
            await self.meets.wait()


class TwoBots:
    """Two bots that see one Discord, one database and one clock."""

    def __init__(self, stand: Stand, dsn: str) -> None:
        self.stand, self._dsn = stand, dsn
        self.began = stand.clock.now()
        self.bots = [AlertingBot(stand, dsn), AlertingBot(stand, dsn)]
        self.finding = Finding(
            "errors",
            "rule",
            "Many requests fail",
            self.began,
            severity=Severity.CRITICAL,
            lane=PRODUCTION,
            value="52%",
            limit="20%",
        )

    def comes(self, step: Step) -> None:
        self.stand.clock.at = self.began + timedelta(seconds=step.after_s)

    def replaced(self, lost: AlertingBot) -> None:
        """Another process starts in its place, after the one that goes on."""
        self.bots = [*(bot for bot in self.bots if bot is not lost), AlertingBot(self.stand, self._dsn)]

    async def told(self) -> None:
        """Rounds of both until all that was ordered was said."""

        async def left() -> int:
            await asyncio.gather(*(bot.messages.once() for bot in self.bots))
            return await self.count("effects WHERE state IN ('pending', 'leased')")

        await until(left, lambda count: count == 0)

    async def drawn(self) -> None:
        """The cards of alerts and incidents, by one after the other, as the gateway changes hands."""
        for bot in self.bots:
            await bot.draw()

    async def count(self, rows: str) -> int:
        async with self.bots[0].database.connection() as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM {rows}"))

    async def heard(self) -> dict[str, list[str]]:
        """What was said so far of how long no one took it, oldest first: by channel, and by person."""
        places = {"alerts": "alerts", "incidents": "incidents", **dict.fromkeys(STEPS[-1].people, "@slipway")}
        found = {}
        for name, place in places.items():
            messages = await self.stand.messages(place, as_=name if place == "@slipway" else "dev")
            texts = [each["text"] for each in sorted(messages, key=lambda each: int(each["id"]))]
            said = [step.said for text in texts for step in STEPS if f"acknowledged this {step.said}" in text]
            found[name] = said
        return found

    async def at_the_end(self) -> None:
        """One card with the first call, one war room with one beginning, one incident, and each step once."""
        cards = [each for each in await self.stand.messages("alerts") if each["buttons"]]
        assert len(cards) == 1
        # As it was posted: an edit, by the other one a moment later, mentions no one again.
        channel, role = self.stand.sandbox.channel_id("alerts"), self.stand.sandbox.role_id("oncall")
        posts = [each["body"] for each in await self.stand.requests("POST", f"/channels/{channel}/messages")]
        said = [body["content"] for body in posts if body.get("embeds")]
        assert said and all(f"<@&{role}>" in content for content in said)
        await self.drawn()
        messages = await self.stand.messages("incidents")
        (room,) = [each for each in messages if "Who leads this incident?" in each["text"]]
        (incident,) = [each for each in messages if each["buttons"]]
        assert "Many requests fail" in incident["text"]
        beginning = [each["text"] for each in await self.stand.messages(room["id"])]
        assert sum("opened: Many requests fail" in text for text in beginning) == 1
        assert len(await self.stand.requests("POST", "/threads")) == 1
        alerts = self.bots[0].store.alerts
        (alert,) = await alerts.open()
        timeline = await alerts.timeline(alert.id, 50)
        assert [entry.what for entry in timeline] == ["opened", *["called"] * 4]
        assert await self.count("incidents") == 1


def said_after(count: int) -> dict[str, list[str]]:
    """What `TwoBots.heard` finds after so many steps."""
    done = STEPS[:count]
    channels = {
        name: [step.said for step in done if step.channel == name] for name in ("alerts", "incidents")
    }
    people = {name: [step.said for step in done if name in step.people] for name in STEPS[-1].people}
    return channels | people


@asynccontextmanager
async def two_bots(folder: Path, postgres: PostgresServer) -> AsyncIterator[TwoBots]:
    async with standing(folder) as stand:
        oncall, lead, lead2 = (
            Person(int(stand.sandbox.person_id(name)), name) for name in ("oncall", "lead", "lead2")
        )
        begins = (stand.clock.now() - timedelta(days=1)).replace(tzinfo=None)
        turns = schedule("checkout", oncall, lead, rotation=Rotation("UTC", begins, WEEK), lead=lead2)
        stand.engine.catalog = with_schedules(stand.engine.catalog, turns)
        world = TwoBots(stand, await fresh(postgres))
        try:
            yield world
        finally:
            for bot in world.bots:
                await bot.close()


async def test_two_that_fire_at_every_step_call_write_and_open_once(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    async with two_bots(tmp_path, postgres) as world:
        meets = asyncio.Barrier(2)
        for bot in world.bots:
            bot.meets = meets
        await asyncio.gather(*(bot.alerts.hear([world.finding]) for bot in world.bots))
        await world.drawn()
        assert await world.heard() == said_after(0)
        for number, step in enumerate(STEPS, 1):
            world.comes(step)
            # Both have read that it is due before either of them does it.
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(bot.alerts.once() for bot in world.bots))
            await world.told()
            assert await world.heard() == said_after(number)
        await world.at_the_end()
        ordered = await world.count("effects")
        world.stand.clock.forward(3600)
        await asyncio.gather(*(bot.alerts.once() for bot in world.bots))
        assert await world.count("effects") == ordered


@pytest.mark.parametrize(
    ("card_at", "call_at"), [("drawing", "read"), ("drawing", "before"), ("drawn", "after")]
)
async def test_where_one_is_lost_at_every_step_the_other_goes_on(
    card_at: str, call_at: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    """It is lost when it has read what is due, when it has claimed the calls, and when Discord has them already."""
    async with two_bots(tmp_path, postgres) as world:
        lost, other = world.bots
        await lost.alerts.hear([world.finding])
        await lost.lost(card_at, lost.cards.once)
        world.replaced(lost)
        await other.draw()
        for number, step in enumerate(STEPS, 1):
            world.comes(step)
            lost, other = world.bots
            if call_at == "read":
                await lost.lost("read", lost.alerts.once)
                world.replaced(lost)
            else:
                await lost.alerts.once()
                await lost.lost(call_at, lost.messages.once, 1 + len(step.people))
                world.replaced(lost)
                # While its leases last, no one else does it.
                await other.messages.once()
                claimed = await world.count("effects WHERE state = 'leased'")
                assert claimed == 1 + len(step.people)
                assert await world.heard() == said_after(number - (call_at == "before"))
                world.stand.clock.forward(LEASE_S + 1)
            await other.alerts.once()
            await world.told()
            assert await world.heard() == said_after(number)
        await world.at_the_end()
