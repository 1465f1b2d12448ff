"""Closing in batches: no one waits for a batch that someone else's end took away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.records import Claimed
from bot.domain.rollout.events import CallPeople, LogLine
from bot.domain.rollout.model import Lane, Release
from bot.domain.rollout.steps import RunChecks
from bot.engine.effects.notifications import NotificationHandler
from bot.engine.effects.outbox import Outbox
from bot.ports.errors import Unreachable
from bot.ports.meter import NoMeter
from bot.ports.notifications import Announcement
from tests.fakes.outside import FakeAnnouncer
from tests.support.alerts import AlertWorld, errors
from tests.support.waiting import PATIENCE_S

LANE = Lane("checkout", "staging")

pytestmark = pytest.mark.virtual_time


class Effects:
    """Closes when it is let, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.away = False

    async def close(self, claims: Sequence[Claimed]) -> None:
        self.batches.append([claim.id for claim in claims])
        await self.go.wait()
        if self.away:
            raise Unreachable("the database is away")


def claim(number: int, effect: Any = None, rollout_id: int | None = 1) -> Claimed:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Claimed(number, f"1.0.{number}", 1, 1, rollout_id, LANE, effect or LogLine("hello"), at)


def announcing() -> tuple[NotificationHandler, Effects]:
    effects: Any = Effects()
    return NotificationHandler(FakeAnnouncer(), effects), effects


async def test_what_ends_while_a_batch_is_closed_makes_up_the_next() -> None:
    handler, effects = announcing()
    tasks = [asyncio.create_task(handler.record(claim(1), None))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(handler.record(claim(n), None)) for n in (2, 3)]
    await asyncio.sleep(0)
    effects.go.set()
    await asyncio.gather(*tasks)
    assert effects.batches == [[1], [2, 3]]


async def test_one_that_is_stopped_leaves_the_others_to_be_closed() -> None:
    handler, effects = announcing()
    first = asyncio.create_task(handler.record(claim(1), None))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(handler.record(claim(2), None))
    await asyncio.sleep(0.01)
    first.cancel()
    effects.go.set()
    async with asyncio.timeout(PATIENCE_S):
        await second
    assert effects.batches == [[1], [2]]


async def test_everyone_in_a_batch_hears_that_the_database_is_away() -> None:
    handler, effects = announcing()
    effects.away = True
    effects.go.set()
    done = await asyncio.gather(*(handler.record(claim(n), None) for n in (1, 2)), return_exceptions=True)
    assert [type(one) for one in done] == [Unreachable, Unreachable]


async def test_what_is_not_for_people_is_a_mistake() -> None:
    handler, _ = announcing()
    with pytest.raises(TypeError, match="is not a notification"):
        await handler.execute(claim(1, RunChecks(LANE, 0, Release("checkout", "1", "d"), (), 1.0)))
    with pytest.raises(TypeError, match="belongs to a rollout"):
        await handler.execute(claim(1, rollout_id=None))


async def test_a_person_who_refuses_closes_the_message_and_is_told_to_the_alert() -> None:
    missed: list[tuple[int, str, str]] = []

    async def undelivered(alert_id: int, person: str, why: str) -> None:
        missed.append((alert_id, person, why))

    announcer = FakeAnnouncer(refusing={7})
    effects: Any = Effects()
    handler = NotificationHandler(announcer, effects, undelivered)
    for user in (7, 8):
        call = CallPeople(f"call-{user}", 1, "checkout", "No one has it.", direct_to=user, alert_id=3)
        await handler.execute(claim(user, call, None))
    assert missed == [(3, "Person 7", "Cannot send messages to this user")]
    assert [(one.direct_to, one.alert_id) for one in announcer.written.values()] == [(8, 3)]
    assert announcer.alerts == {}
    await NotificationHandler(announcer, effects).execute(claim(9, replace(call, direct_to=7), None))
    announcer.away = True
    with pytest.raises(Unreachable):
        await handler.execute(claim(10, replace(call, key="call-9"), None))


def calling(world: AlertWorld, handler: NotificationHandler) -> Outbox:
    return Outbox(
        "messages",
        ["call_people"],
        handler,
        effects=world.store.effects,
        clock=world.clock,
        waker=EventWaker(),
        meter=NoMeter(),
    )


async def test_a_call_that_awaits_what_is_cancelled_is_a_failed_attempt_and_made_again() -> None:
    class Cancelling(FakeAnnouncer):
        async def alert(self, alert: Announcement) -> None:
            if not self.calls[alert.key]:
                self.calls[alert.key] += 1
                raise asyncio.CancelledError  # as a shared request that another caller gave up
            await super().alert(alert)

    world, announcer = AlertWorld(), Cancelling()
    await world.alerts.hear([errors()])
    outbox = calling(world, NotificationHandler(announcer, world.store.effects))
    await world.pass_s(900)
    (call,) = world.calls()
    for _ in range(2):
        await outbox.once()
        await asyncio.sleep(1)
        world.clock.forward(1)  # less than the lease of the first attempt
    assert list(announcer.alerts) == [call.key]


async def test_a_call_that_no_channel_takes_is_given_up_in_writing_and_the_next_one_comes() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    for _ in range(4):
        await world.pass_s(900)  # up to the war room, and nothing was posted so far
    announcer = FakeAnnouncer(closed={"alerts"})
    handler = NotificationHandler(announcer, world.store.effects, world.alerts.undelivered)
    outbox = calling(world, handler)
    calls = [call.key for call in world.calls()]
    assert len(calls) == 3
    for _ in calls:
        await outbox.once()
        await asyncio.sleep(1)
    assert list(announcer.alerts) == calls[2:]
    assert {announcer.calls[key] for key in calls} == {1}
    assert announcer.alerts[calls[2]].made_at == world.clock.now()
    given_up = [row.line for row in world.database.tables.audit if row.line.what == "effect_given_up"]
    why = "call_people failed after 1 attempts: no channel takes it: #alerts: Missing Access"
    assert [(line.why, line.details["key"]) for line in given_up] == [(why, key) for key in calls[:2]]
    told = [entry.text for _, entry in world.database.tables.entries if entry.what == "unreached"]
    assert told == ["The call could not be posted in any channel: #alerts: Missing Access."]
