"""Maintenance silences as people ask for them, and as alerts follow them, over restarts and with two processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Refused, UserError
from bot.domain.watch.alerts.alert import AlertAction
from bot.domain.watch.alerts.silences import Silence
from bot.engine.watch.alerts.calls import pinged_at_first
from bot.engine.watch.alerts.silencing import SilenceRequest, Silencing, labels_of
from tests.support.actors import DEV, GUEST, ONCALL
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD
from tests.support.virtual_time import EPOCH

HOUR = timedelta(hours=1)
ASKED = SilenceRequest(GUILD, ONCALL, EPOCH, EPOCH + HOUR, "migration", "checkout", "production")


def silencing(world: AlertWorld) -> Silencing:
    return Silencing(world.store.silences, lambda: world.catalog, world.clock)


def audit(world: AlertWorld) -> list[tuple[str, str]]:
    return [
        (row.line.what, row.line.actor.name)
        for row in world.database.tables.audit
        if "silence" in row.line.what
    ]


async def test_a_silenced_finding_is_shown_and_calls_no_one_until_the_end() -> None:
    world = AlertWorld()
    await silencing(world).add(ASKED)
    await world.alerts.hear([errors()])
    alert = await world.one()
    assert world.lines(alert) == ["opened", "silenced"]
    assert pinged_at_first(alert, world.alerts.policy(alert.lane)) == ()
    await world.pass_s(3599)
    assert world.calls() == []
    await world.pass_s(1)
    (call,) = world.calls()
    assert call.mention_roles == ("on-call",)
    await world.pass_s(60)
    assert audit(world) == [
        ("silence_added", ONCALL.name),
        ("silence_began", "Slipway"),
        ("silence_over", "Slipway"),
    ]


async def test_a_planned_one_takes_in_what_is_open_and_an_early_end_lets_it_call_again() -> None:
    world = AlertWorld()
    asked = silencing(world)
    planned = await asked.add(replace(ASKED, since=EPOCH + timedelta(minutes=10)))
    await world.alerts.hear([errors()])
    await world.pass_s(599)
    assert (await world.one()).silenced_until is None
    world.alerts = world.process()  # a restart in between
    await world.pass_s(1)
    assert (await world.one()).silence_id == planned.id
    await world.pass_s(1800)
    assert world.calls() == []
    ended = await asked.end(GUILD, ONCALL, planned.id, "done sooner")
    assert ended.over_at == world.clock.now()
    await world.pass_s(0.25)
    assert len(world.calls()) == 1
    assert [what for what, _ in audit(world)] == ["silence_added", "silence_began", "silence_ended"]
    assert await asked.standing(GUILD) == []
    with pytest.raises(UserError, match="There is no silence 1 here"):
        await asked.end(GUILD, ONCALL, planned.id)


async def test_a_clock_that_is_set_back_wakes_nothing_and_silences_nothing_for_longer() -> None:
    world = AlertWorld()
    asked = silencing(world)
    await asked.add(ASKED)
    await world.alerts.hear([errors(), errors(fingerprint="slow", lane=None, labels={"pod": "web-1"})])
    planned = replace(ASKED, since=EPOCH + HOUR / 6, service="", environment="", labels={"pod": "web-1"})
    await asked.add(planned)
    await asked.add(replace(planned, since=EPOCH + HOUR / 2, labels={"pod": "web-2"}))
    await world.pass_s(600)
    assert [alert.silence_id for alert in await world.store.alerts.silenced(10)] == [1, 2]
    calls = len(world.calls())
    world.clock.forward(-1200)
    await world.alerts.hear([errors(fingerprint="p99")])
    world.alerts = world.process()
    await world.pass_s(61)
    assert [alert.silence_id for alert in await world.store.alerts.silenced(10)] == [1, 2]
    assert len(world.calls()) == calls
    # One that was planned and has not begun waits for its time.
    assert [each.active(world.clock.now()) for each in await asked.standing(GUILD)] == [True, True, False]


async def test_a_person_silences_for_an_hour_also_when_the_clock_is_set_back() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    await world.press(await world.one(), AlertAction.SILENCE)
    world.clock.forward(-7200)
    await world.pass_s(0)
    assert (await world.one()).silenced_until == world.clock.now() + HOUR
    await world.pass_s(3599)
    assert world.calls() == []
    await world.pass_s(1)
    assert len(world.calls()) == 1


async def test_two_processes_begin_and_end_one_once() -> None:
    world = AlertWorld()
    other = world.process()
    await world.alerts.hear([errors()])
    await silencing(world).add(ASKED)
    await asyncio.gather(world.alerts.once(), other.once())
    world.clock.forward(3600)
    await asyncio.gather(world.alerts.once(), other.once(), world.alerts.once())
    assert len(world.calls()) == 1
    assert len(audit(world)) == 3


async def test_an_alert_of_a_silence_that_ended_unseen_is_woken_within_a_minute() -> None:
    world = AlertWorld()
    asked = silencing(world)
    given = await asked.add(ASKED)
    stale = await world.store.silences.standing(world.clock.now())
    await asked.end(GUILD, ONCALL, given.id)
    await world.alerts.once()
    # One that heard a finding at the same time had read the silences before.
    await world.alerts._hear("checkout/production", [errors()], stale, None)
    assert (await world.one()).silence_id == given.id
    await world.pass_s(60)
    assert (await world.one()).silence_id == 0
    assert len(world.calls()) == 1


async def test_an_alert_that_changes_while_its_silence_ends_is_woken_all_the_same() -> None:
    world = AlertWorld()
    asked = silencing(world)
    given = await asked.add(replace(ASKED, until=EPOCH + timedelta(days=20)))
    await world.alerts.hear([errors()])
    await asked.end(GUILD, ONCALL, given.id)
    stale = await world.store.alerts.open()
    await world.alerts.undelivered(stale[0].id, "Ada", "it changes in between")
    for silence in await world.store.silences.due(world.clock.now(), 100):
        await world.alerts._silence(stale[0], [], world.clock.now())
        await world.store.silences.carried_out(silence, world.clock.now(), None)
    assert (await world.one()).silence_id == 0
    assert len(world.calls()) == 1


async def test_a_rule_still_rolls_back_what_is_silent() -> None:
    world = AlertWorld(rolls_back=True)
    world.deployed(10)
    await silencing(world).add(ASKED)
    await world.alerts.hear([errors(rollback=True)])
    assert len(world.asked) == 1
    assert world.calls() == []


async def test_the_same_silence_again_is_the_one_that_is_there() -> None:
    world = AlertWorld()
    asked = silencing(world)
    first = await asked.add(ASKED)
    world.clock.forward(5)
    assert (await asked.add(replace(ASKED, since=world.clock.now()))).id == first.id
    assert (await asked.add(replace(ASKED, reason="other"))).id != first.id
    assert len(audit(world)) == 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"service": "", "environment": ""}, "silence_about_nothing"),
        ({"reason": " "}, "reason"),
        ({"service": "chekout"}, "unknown_service"),
        ({"environment": "prod"}, "unknown_environment"),
        ({"until": EPOCH}, "silence_past"),
        ({"since": EPOCH + 2 * HOUR}, "silence_order"),
        ({"until": EPOCH + timedelta(days=30, seconds=1)}, "silence_too_long"),
        ({"labels": {"a": "x" * 201}}, "bad_labels"),
        ({"labels": {f"l{n}": "x" for n in range(11)}}, "bad_labels"),
        ({"labels": {"a": "x\0"}}, "bad_labels"),
    ],
)
async def test_what_is_no_silence(change: dict[str, object], rule: str) -> None:
    world = AlertWorld()
    with pytest.raises(UserError) as refused:
        await silencing(world).add(replace(ASKED, **change))  # type: ignore[arg-type]
    assert refused.value.rule == rule
    assert audit(world) == []


async def test_who_may_silence_and_who_may_end() -> None:
    world = AlertWorld()
    asked = silencing(world)
    with pytest.raises(Refused, match="to silence alerts"):
        await asked.add(replace(ASKED, actor=GUEST))
    with pytest.raises(Refused, match="`on-call`"):  # more than the lanes that they operate
        await asked.add(replace(ASKED, actor=DEV, service="", environment="", labels={"a": "b"}))
    mine = await asked.add(replace(ASKED, actor=DEV))
    with pytest.raises(Refused, match="end that silence"):
        await asked.end(GUILD, GUEST, mine.id)
    with pytest.raises(UserError, match="There is no silence"):
        await asked.end(GUILD + 1, ONCALL, mine.id)
    wide = await asked.add(replace(ASKED, service="", environment="staging"))
    with pytest.raises(Refused, match="end that silence"):
        await asked.end(GUILD, DEV, wide.id)
    assert (await asked.end(GUILD, DEV, mine.id)).id == mine.id


async def test_a_server_has_a_bounded_number() -> None:
    world = AlertWorld()
    asked = silencing(world)
    for number in range(200):
        await asked.add(replace(ASKED, reason=f"r{number}"))
    with pytest.raises(Refused, match="There are 200 silences already"):
        await asked.add(ASKED)


@pytest.mark.parametrize(
    ("text", "labels"),
    [("", {}), (" check = health ,pod=web-1", {"check": "health", "pod": "web-1"}), ("a=b=c", {"a": "b=c"})],
)
def test_labels_as_people_write_them(text: str, labels: dict[str, str]) -> None:
    assert labels_of(text) == labels


@pytest.mark.parametrize("text", ["check", "=x", "check=", "a=1, a=2", "x" * 999 + "=1"])
def test_what_is_no_label(text: str) -> None:
    with pytest.raises(UserError, match="cannot be read as labels"):
        labels_of(text)


def test_what_it_is_about_in_words() -> None:
    whole = Silence(1, GUILD, "checkout", "", {"a": "b"}, EPOCH, EPOCH, "", 0, "", EPOCH)
    assert whole.about == "checkout/*, a=b"
    assert replace(whole, service="").about == "a=b"
