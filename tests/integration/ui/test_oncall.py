"""`/oncall`, end to end against the sandbox: answers, overrides, refusals and suggestions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import OnCallSchedule, Person
from bot.engine.watch.oncall.pages import button_of
from bot.ports.notifications import Announcement
from tests.support import rollouts
from tests.support.oncall import schedule, with_schedules
from tests.support.responder import Stand

# A Wednesday, 5:00 in Berlin.
NOW = rollouts.NOW
# As the sandbox's texts have it.
HAND_OVER = "2026-07-06T07:00:00.000000+00:00"


def person(stand: Stand, name: str) -> Person:
    return Person(int(stand.sandbox.person_id(name)), name)


@pytest.fixture
async def staffed(stand: Stand) -> Stand:
    """oncall is on call until Monday at 9:00 in Berlin, then lead."""
    stand.clock.at = NOW
    people = person(stand, "oncall"), person(stand, "lead")
    rotation = Rotation("Europe/Berlin", datetime(2026, 6, 29, 9), timedelta(weeks=1))
    payments: OnCallSchedule = schedule("payments", *people, rotation=rotation)
    stand.engine.catalog = with_schedules(stand.engine.catalog, payments)
    return stand


async def override(stand: Stand, who: str = "oncall", **more: str) -> str:
    options = {
        "schedule": "payments",
        "user": str(stand.sandbox.person_id("dev")),
        "from": "now",
        "until": "8h",
        "reason": "a dentist",
        **more,
    }
    body = {"user": who, "channel": "deploys", "command": "oncall override", "options": options}
    done = await stand.settled((await stand.call("POST", "commands", body))["interaction"])
    assert done["ephemeral"]
    text: str = done["message"]["text"]
    return text


async def test_who_is_on_call(staffed: Stand) -> None:
    done = await staffed.slash("guest", "oncall who")
    assert done["ephemeral"]
    assert done["message"]["text"].splitlines()[1:4] == [
        "### payments",
        f"📟 **@oncall** until {HAND_OVER}, {HAND_OVER}",
        "**Next** @lead · **Second** @lead",
    ]


async def test_the_next_four_weeks(staffed: Stand) -> None:
    done = await staffed.slash("guest", "oncall schedule", schedule="payments")
    lines = done["message"]["text"].splitlines()[3:]
    assert [line.split()[2] for line in lines] == ["@oncall", "@lead", "@oncall", "@lead", "@oncall"]
    assert lines[1] == f"{HAND_OVER} {HAND_OVER} @lead"


async def test_a_server_without_schedules_says_so(stand: Stand) -> None:
    done = await stand.slash("guest", "oncall who")
    assert "There is no on-call schedule for this server." in done["message"]["text"]


async def test_an_override_changes_who_is_on_call(staffed: Stand) -> None:
    said = await override(staffed)
    span = "from 2026-07-01T03:00:00.000000+00:00 to 2026-07-01T11:00:00.000000+00:00"
    assert f"📟 **@dev** is on call for `payments` {span}, instead of @oncall." in said
    who = (await staffed.slash("guest", "oncall who"))["message"]["text"]
    assert "📟 **@dev**" in who and "-# Override by On-call: “a dentist”" in who


async def test_times_are_of_the_schedules_zone_and_the_hand_over_is_one(staffed: Stand) -> None:
    said = await override(staffed, **{"from": "18:00", "until": "hand-over"})
    assert f"from 2026-07-01T16:00:00.000000+00:00 to {HAND_OVER}" in said


async def test_refusals_say_what_to_do(staffed: Stand) -> None:
    assert "`soon` is not a valid time. Use `now`" in await override(staffed, until="soon")
    assert "You need the role `on-call`" in await override(staffed, who="guest")
    assert "Did you mean `payments`?" in await override(staffed, schedule="paymnets")
    assert "A reason is required." in await override(staffed, reason=" ")
    me = staffed.line.rest().user
    assert me is not None
    assert "slipway cannot be on call" in await override(staffed, user=str(me.id))


async def test_suggestions_say_who_is_on_call_and_what_a_time_means(staffed: Stand) -> None:
    found = await staffed.suggest("dev", "oncall override", "schedule")
    assert [each["name"] for each in found] == ["payments — oncall is on call"]
    times = await staffed.suggest("dev", "oncall override", "until", "fri 09:00", schedule="payments")
    assert [each["name"] for each in times] == ["fri 09:00 — Fri 2026-07-03 09:00 Europe/Berlin"]
    usual = await staffed.suggest("dev", "oncall override", "from", schedule="payments")
    assert usual[1] == {"name": "hand-over — Mon 2026-07-06 09:00 Europe/Berlin", "value": "hand-over"}


async def test_an_alert_that_mentions_people_notifies_exactly_them(staffed: Stand) -> None:
    people = (person(staffed, "lead").id, person(staffed, "oncall").id)
    told = Announcement(
        "k-1", next(iter(staffed.engine.catalog.guilds)), "payments: lead is on call", "Before: oncall."
    )
    told = Announcement(told.key, told.guild_id, told.title, told.text, mention_users=people, icon="📟")
    await staffed.announcer.alert(told)
    (message,) = await staffed.messages("alerts")
    assert message["content"].startswith(f"<@{people[0]}> <@{people[1]}> 📟 **payments: lead is on call**")


async def test_a_test_page_is_answered_by_its_button(staffed: Stand) -> None:
    engine, due_at = staffed.engine, NOW
    page = Page("payments", due_at, person(staffed, "oncall"), due_at)
    await engine.store.on_call.send_page(page, ())
    guild = next(iter(engine.catalog.guilds))
    told = Announcement(
        "page-1", guild, "payments: test page for oncall", "Press it.", button=button_of(page)
    )
    await staffed.announcer.alert(told)
    (message,) = await staffed.messages("alerts")
    assert [button["label"] for button in message["buttons"]] == ["I'm here"]
    other = await staffed.press("lead", message["id"], "I'm here")
    assert other["ephemeral"] and "This test page is for oncall." in other["message"]["text"]
    staffed.clock.forward(90)
    done = await staffed.press("oncall", message["id"], "I'm here")
    assert done["ephemeral"] and "You answered after 90 s." in done["message"]["text"]
