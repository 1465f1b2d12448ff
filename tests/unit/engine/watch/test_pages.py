"""Weekly test pages: sent once, answered by the person they went to, and missed after 15 minutes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import UserError
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import OnCallSchedule
from bot.domain.watch.self_monitoring.rules import GATEWAY_AWAY
from bot.engine.watch.oncall.pages import PageLoop, named_by
from tests.fakes.meter import WatchCounts
from tests.support.alerts import alerts_on
from tests.support.catalogs import GUILD, catalog
from tests.support.oncall import ADA, ALAN, DAY, GRACE, HOUR, NOW, WEEK, Desk, schedule, with_schedules

# Thursdays at 11:00 in Berlin; NOW is a Wednesday.
THURSDAY = datetime(2026, 11, 12, 10, tzinfo=UTC)
TESTED = Rotation("Europe/Berlin", datetime(2026, 1, 8, 11), WEEK)
HER = Actor(GRACE.id, "Grace", guild_id=GUILD)
MINUTE = timedelta(minutes=1)


def desk(*people: object, **more: object) -> Desk:
    tested: OnCallSchedule = schedule("payments", *people, tested=TESTED, **more)  # type: ignore[arg-type]
    return Desk(with_schedules(catalog(), tested))


def loop(of: Desk) -> PageLoop:
    """As a process has it after its start."""
    return PageLoop(of.on_call, of.store.on_call, of.store.alerts, lambda: of.catalog)


async def at(of: Desk, when: datetime, *, away: bool = False) -> None:
    """A round of the loop. What is due is posted then, unless Discord is away."""
    of.clock.at = when
    await loop(of).once()
    if not away:
        await posted(of)


async def posted(of: Desk) -> None:
    while claims := await of.store.effects.claim(["call_people"], 50, 10.0, ()):
        await of.store.effects.close(claims)


async def gateway(of: Desk, *, firing: bool) -> None:
    """What the process that speaks to Discord finds of its connection."""
    alerts = alerts_on(of.store, lambda: of.catalog, of.clock)
    found = Finding(
        "slipway/1/gateway", "slipway", GATEWAY_AWAY[9:], of.clock.now(), firing, Severity.CRITICAL
    )
    await alerts.hear([found])


async def test_the_person_on_call_gets_one_page_a_week_with_a_button() -> None:
    of = desk()
    for when in (NOW, THURSDAY - MINUTE, THURSDAY, THURSDAY + MINUTE, THURSDAY + DAY):
        await at(of, when)
    said = of.messages[0]
    assert (said.title, said.icon) == ("payments: test page for grace", "📟")
    assert (said.mention_users, said.mention_roles) == ((GRACE.id,), ())
    assert "press **I'm here** within 15 minutes" in said.text
    assert named_by(said.button) == ("payments", int(THURSDAY.timestamp()))
    assert [each.title for each in of.messages[1:]] == ["payments: grace was not reached"]
    await at(of, THURSDAY + WEEK)
    assert of.messages[-1].title == "payments: test page for alan"


async def test_an_answer_in_time_is_all_there_is() -> None:
    of = desk()
    await at(of, THURSDAY)
    of.clock.at = THURSDAY + 2 * MINUTE
    thanks = "Thank you: alerts reach you. You answered after 2 min."
    assert await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY) == thanks
    of.clock.at = THURSDAY + 3 * MINUTE
    assert await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY) == thanks
    await at(of, THURSDAY + HOUR)
    assert len(of.messages) == 1
    (found,) = await of.on_call.status(GUILD)
    assert found.page is not None and found.page.answered_at == THURSDAY + 2 * MINUTE


async def test_a_missed_page_calls_those_who_must_see_to_it_once() -> None:
    of = desk(lead=ADA)
    await at(of, THURSDAY)
    await at(of, THURSDAY + 15 * MINUTE - MINUTE)
    assert len(of.messages) == 1
    await asyncio.gather(at(of, THURSDAY + 15 * MINUTE), at(of, THURSDAY + 15 * MINUTE))
    (said,) = of.messages[1:]
    assert said.text == (
        "grace has not answered the test page that was sent ⟨2026-11-12T10:00:00Z⟩, so alerts may not reach them."
    )
    assert (said.mention_users, said.mention_roles) == ((GRACE.id, ALAN.id, ADA.id), ("on-call",))
    with pytest.raises(UserError, match="This test page is over"):
        await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY)


async def test_a_page_that_waited_for_discord_counts_from_when_it_was_posted() -> None:
    of = desk(lead=ADA)
    for minutes in (0, 15, 16, 40):
        await at(of, THURSDAY + minutes * MINUTE, away=True)
    (said,) = of.messages
    assert said.until == THURSDAY + HOUR
    await at(of, THURSDAY + 50 * MINUTE)  # Discord is back, and takes it
    await at(of, THURSDAY + 64 * MINUTE)
    assert of.messages == [said]
    await at(of, THURSDAY + 65 * MINUTE)
    assert [each.title for each in of.messages[1:]] == ["payments: grace was not reached"]
    assert "sent ⟨2026-11-12T10:50:00Z⟩" in of.messages[1].text


async def test_a_page_that_discord_did_not_take_in_time_reports_no_one() -> None:
    of = desk(lead=ADA)
    for minutes in (0, 30, 59):
        await at(of, THURSDAY + minutes * MINUTE, away=True)
    for minutes in (61, 90, 300):
        await at(of, THURSDAY + minutes * MINUTE)  # the announcer leaves it out now
    assert len(of.messages) == 1


async def test_time_in_which_discord_is_away_is_not_the_persons() -> None:
    of = desk()
    await at(of, THURSDAY)
    of.clock.at = THURSDAY + 5 * MINUTE
    await gateway(of, firing=True)
    for minutes in (15, 20, 29):
        await at(of, THURSDAY + minutes * MINUTE, away=True)
    of.clock.at = THURSDAY + 30 * MINUTE
    await gateway(of, firing=False)
    await at(of, THURSDAY + 44 * MINUTE)
    titles = [each.title for each in of.messages if each.title.startswith("payments")]
    assert titles == ["payments: test page for grace"]
    answer = await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY)
    assert answer == "Thank you: alerts reach you. You answered after 44 min."
    of = desk()
    await at(of, THURSDAY - HOUR)
    await gateway(of, firing=True)
    await gateway(of, firing=False)  # long over
    await at(of, THURSDAY)
    await at(of, THURSDAY + 15 * MINUTE)
    assert of.messages[-1].title == "payments: grace was not reached"


async def test_only_the_person_it_went_to_can_answer() -> None:
    of = desk()
    await at(of, THURSDAY)
    with pytest.raises(UserError, match="This test page is for grace"):
        await of.on_call.answer_page(GUILD, replace(HER, id=ALAN.id), "payments", THURSDAY)
    with pytest.raises(UserError, match="This test page is over"):
        await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY - WEEK)


async def test_two_processes_send_one_page() -> None:
    of = desk()
    of.clock.at = THURSDAY
    await asyncio.gather(loop(of).once(), loop(of).once())
    assert len(of.messages) == 1


async def test_a_page_that_could_not_be_sent_in_time_waits_for_the_next_week() -> None:
    of = desk()
    await at(of, THURSDAY + HOUR)
    assert of.messages == []
    await at(of, THURSDAY + WEEK + 59 * MINUTE)
    assert len(of.messages) == 1


async def test_a_page_goes_to_the_servers_in_which_the_person_is() -> None:
    of = desk()
    guild = of.catalog.guilds[GUILD]
    guilds = {GUILD: guild, 43: replace(guild, id=43)}
    lanes = {lane: replace(config, guilds=(GUILD, 43)) for lane, config in of.catalog.lanes.items()}
    of.catalog = replace(of.catalog, guilds=guilds, lanes=lanes)
    await at(of, THURSDAY)
    assert [said.guild_id for said in of.messages] == [GUILD, 43]
    of = desk()
    of.members.left = {GRACE.id}
    await at(of, THURSDAY)
    await at(of, THURSDAY + 15 * MINUTE)
    assert [said.title for said in of.messages] == [
        "payments: test page for grace",
        "payments: grace was not reached",
    ]
    assert of.messages[1].mention_users == (ALAN.id,)


async def test_schedules_without_test_pages_get_none() -> None:
    of = Desk()
    await at(of, THURSDAY)
    assert of.messages == []


@pytest.mark.parametrize("other", ["", "slipway-page", "slipway-page:a", "slipway-page::1", "slipway-why:1"])
def test_other_buttons_are_not_answered(other: str) -> None:
    assert named_by(other) is None


async def test_pages_are_counted_as_sent_answered_and_missed() -> None:
    of, counts = desk(), WatchCounts()
    pages = PageLoop(of.on_call, of.store.on_call, of.store.alerts, lambda: of.catalog, counts)
    for when in (THURSDAY, THURSDAY + MINUTE):
        of.clock.at = when
        await pages.once()
        await posted(of)
    await of.on_call.answer_page(GUILD, HER, "payments", THURSDAY)
    for when in (THURSDAY + 2 * MINUTE, THURSDAY + WEEK, THURSDAY + WEEK + HOUR):
        of.clock.at = when
        await pages.once()
        await posted(of)
    assert counts.seen == [("page", "sent"), ("page", "answered"), ("page", "sent"), ("page", "missed")]
