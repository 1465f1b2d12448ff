"""The alert service: findings become alerts, people act, restarts and two processes change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Refused, UserError
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import AlertAction, AlertState
from bot.domain.watch.alerts.escalation import AlertPolicy, EscalationStep
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.api import AlertRollback, Reached
from bot.engine.watch.alerts.calls import pinged_at_first
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD, PRODUCTION
from tests.support.virtual_time import EPOCH


async def test_findings_of_a_lane_become_one_alert_in_its_servers() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors(), errors(fingerprint="slow", severity=Severity.MEDIUM)])
    await world.alerts.hear([errors(fingerprint="p99")])
    alert = await world.one()
    assert (alert.guilds, alert.lane, len(alert.firing)) == ((GUILD,), PRODUCTION, 3)
    assert world.lines(alert) == ["opened", "called", "trouble", "trouble"]
    # The first message calls people itself.
    assert world.calls() == []
    assert pinged_at_first(alert, AlertPolicy()) == ("team", "on_call")


async def test_the_same_finding_changes_nothing() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    before = await world.one()
    await world.alerts.hear([errors(), errors()])
    assert await world.one() == before


async def test_what_ends_before_it_was_heard_opens_nothing() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors(firing=False)])
    assert await world.store.alerts.open() == []


async def test_an_alert_without_a_runbook_links_to_that_of_its_lane() -> None:
    world = AlertWorld()
    config = world.catalog.lanes[PRODUCTION]
    watch = replace(config.watch, runbook="https://runbooks.example.com/checkout")
    world.catalog = replace(world.catalog, lanes={PRODUCTION: replace(config, watch=watch)})
    own = "https://runbooks.example.com/errors"
    await world.alerts.hear([errors(fingerprint="slow"), errors(fingerprint="p99", runbook=own)])
    alert = await world.one()
    assert {each.finding.fingerprint: each.finding.runbook for each in alert.troubles} == {
        "slow": watch.runbook,
        "p99": own,
    }
    before = await world.one()
    await world.alerts.hear([errors(fingerprint="slow"), errors(fingerprint="p99", runbook=own)])
    assert await world.one() == before


async def test_a_finding_of_an_unknown_lane_reaches_the_servers_of_its_source() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors(lane=Lane("nothing", "nowhere"), guilds=(GUILD,))])
    await world.alerts.hear([errors(lane=None, title="Disk full")])
    assert [alert.guilds for alert in await world.store.alerts.open()] == [(GUILD,), (GUILD,)]


async def test_what_is_wrong_with_slipway_itself_goes_home_and_all_else_without_a_lane_everywhere() -> None:
    world = AlertWorld()
    here = world.catalog.guilds[GUILD]
    world.catalog = replace(world.catalog, guilds={GUILD: here, 99: replace(here, id=99)})
    own = errors(lane=None, source="slipway", title="A loop of Slipway has stalled")
    await world.alerts.hear([own, errors(lane=None, title="Disk full", fingerprint="disk")])
    assert [alert.guilds for alert in await world.store.alerts.open()] == [(GUILD, 99), (GUILD,)]
    world.catalog = replace(
        world.catalog,
        guilds={GUILD: here, 98: replace(here, id=98, home=True), 99: replace(here, id=99, home=True)},
    )
    await world.alerts.hear([replace(own, title="Slipway is short of memory", fingerprint="memory")])
    assert (await world.store.alerts.open(98))[0].guilds == (98, 99)


async def test_escalation_reaches_the_people_of_the_schedule_and_stops_with_an_owner() -> None:
    world = AlertWorld()
    world.on_call = {
        "on_call": Reached(users=(7,)),
        "second": Reached(users=(8,)),
        "lead": Reached(("leads",)),
    }
    await world.alerts.hear([errors()])
    await world.pass_s(900)
    await world.pass_s(900)
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await world.pass_s(1799)
    assert [(call.mention_users, call.mention_roles) for call in world.calls()] == [((7,), ()), ((7, 8), ())]
    assert all("Many requests fail" in call.title for call in world.calls())
    assert (await world.one()).owner is not None


async def test_direct_messages_go_to_each_person_of_the_schedule_from_the_second_step_on() -> None:
    world = AlertWorld()
    world.on_call = {
        "on_call": Reached(users=(7,)),
        "second": Reached(users=(8,)),
        "lead": Reached(("leads",), (9,)),
    }
    await world.alerts.hear([errors()])
    await world.pass_s(899)
    assert world.written() == []
    for seconds, who in ((1, [7]), (900, [7, 8]), (1800, [7, 8, 9])):
        before = len(world.written())
        await world.pass_s(seconds)
        fresh = world.written()[before:]
        assert [call.direct_to for call in fresh] == who
        assert all("No one has acknowledged this" in call.text and call.mention_users == () for call in fresh)
    alert = await world.one()
    assert {call.alert_id for call in world.written()} == {alert.id}
    keys = [call.key for call in (*world.written(), *world.calls())]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) <= 24


async def test_calls_that_waited_for_discord_come_one_after_the_other_in_their_order() -> None:
    world = AlertWorld()
    world.on_call = {"on_call": Reached(users=(7,)), "second": Reached(users=(8,))}
    await world.alerts.hear([errors()])
    for _ in range(2):
        await world.pass_s(900)
        # The newest is due first, as after failed attempts at the older ones.
        for row in list(world.database.tables.open.values()):
            world.database.tables.change_effect(row.id, due_at=row.due_at - timedelta(days=row.id))
    await world.press(await world.one(), AlertAction.ESCALATE)
    came: list[CallPeople] = []
    while claims := await world.store.effects.claim(["call_people"], 1, 10.0, ()):
        came += [claim.effect for claim in claims if isinstance(claim.effect, CallPeople)]
        await world.store.effects.close(claims)
    said = ["15 min", "30 min", "asks for help"]
    for to in (0, 7, 8):
        texts = [call.text for call in came if call.direct_to == to]
        assert len(texts) == (2 if to == 8 else 3)
        assert all(part in text for part, text in zip(said[-len(texts) :], texts, strict=True))


async def test_someone_in_two_servers_and_two_parts_gets_one_direct_message() -> None:
    world = AlertWorld()
    world.catalog = replace(
        world.catalog, guilds={GUILD: world.catalog.guilds[GUILD], 99: world.catalog.guilds[GUILD]}
    )
    world.on_call = {"on_call": Reached(users=(7,)), "second": Reached(users=(7,))}
    await world.alerts.hear([errors(lane=None, guilds=(GUILD, 99))])
    await world.pass_s(1800)
    assert [(call.direct_to, call.guild_id) for call in world.written()] == [(7, GUILD)]
    assert len(world.calls()) == 2


async def test_a_first_step_with_direct_messages_writes_them_beside_the_card() -> None:
    world = AlertWorld()
    world.on_call = {"on_call": Reached(users=(7,))}
    steps = {Severity.CRITICAL: (EscalationStep(0.0, ("on_call",), direct=True),)}
    lane = world.catalog.lanes[PRODUCTION]
    changed = replace(lane, watch=replace(lane.watch, alerts=AlertPolicy(steps)))
    world.catalog = replace(world.catalog, lanes={**world.catalog.lanes, PRODUCTION: changed})
    await world.alerts.hear([errors()])
    assert [call.direct_to for call in world.written()] == [7]
    assert world.calls() == []


async def test_who_was_not_reached_is_said_once_and_the_next_step_comes_in_time() -> None:
    world = AlertWorld()
    world.on_call = {"on_call": Reached(users=(7,)), "second": Reached(users=(8,))}
    await world.alerts.hear([errors()])
    await world.pass_s(900)
    alert = await world.one()
    for _ in range(3):
        await world.alerts.undelivered(alert.id, "Kim `@everyone`", "Cannot send messages to this user")
    await world.alerts.undelivered(alert.id, "Ada", "")
    await world.alerts.undelivered(alert.id + 99, "Ada", "")
    timeline = await world.store.alerts.timeline(alert.id, 10)
    assert [entry.text for entry in timeline if entry.what == "unreached"] == [
        "Kim '@everyone' did not get a direct message: Cannot send messages to this user.",
        "Ada did not get a direct message.",
    ]
    assert (await world.one()).version == alert.version + 2
    assert [one.id for one, _ in await world.store.alerts.undrawn(5)] == [alert.id]
    await world.pass_s(899)
    assert len(world.calls()) == 1
    await world.pass_s(1)
    assert len(world.calls()) == 2


async def test_without_a_schedule_the_role_on_call_is_called() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    await world.pass_s(900)
    (call,) = world.calls()
    assert (call.mention_roles, call.mention_users) == (("on-call",), ())
    assert world.written() == []


async def test_a_restart_at_every_step_loses_and_repeats_none() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    for _ in range(80):
        world.alerts = world.process()
        await world.pass_s(60)
    assert [call.text for call in world.calls()] == [
        "No one has acknowledged this for 15 min.",
        "No one has acknowledged this for 30 min.",
        "No one has acknowledged this for 1 h. Who leads this incident? Say so in the thread.",
    ]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_that_is_set_back_delays_no_step(restarted: bool) -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    await world.pass_s(1)
    world.clock.forward(-7200)
    world.alerts = world.process() if restarted else world.alerts
    await world.pass_s(0)
    await world.pass_s(899)
    assert world.calls() == []
    await world.pass_s(1)
    (call,) = world.calls()
    assert call.text == "No one has acknowledged this for 15 min."
    mine = await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    world.clock.forward(-7200)
    await world.pass_s(0)
    assert (await world.one()).version == mine.version + 1
    await world.pass_s(1800)
    assert "Still on it?" in world.calls()[-1].text
    await world.alerts.hear([errors(firing=False, at=world.clock.now())])
    world.clock.forward(-7200)
    await world.pass_s(0)
    await world.pass_s(120)
    assert await world.store.alerts.open(GUILD) == []


async def test_a_clock_that_jumps_ahead_makes_one_call_of_all_steps() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    await world.pass_s(9 * 3600)
    (call,) = world.calls()
    assert call.room
    await world.pass_s(1)
    assert len(world.calls()) == 1


async def test_a_storm_that_no_one_takes_calls_people_a_bounded_number_of_times() -> None:
    world = AlertWorld()
    world.on_call = {"on_call": Reached(users=(7,)), "second": Reached(users=(8,))}
    many = [errors(fingerprint=f"d{n}", title=f"Disk {n}", lane=None, guilds=(GUILD,)) for n in range(500)]
    await world.alerts.hear([replace(each, severity=Severity.MEDIUM) for each in many[5:]])
    await world.alerts.hear(many[:5])
    await world.pass_s(600)
    assert len(world.calls()) == 20 + 1
    digest = world.calls()[-1]
    assert (digest.title, digest.mention_users) == ("Many alerts wait for someone", (7,))
    await world.pass_s(300)
    # Those that are critical have calls of their own all the same.
    assert len(world.calls()) == 20 + 1 + 5
    assert len(world.written()) == 5
    # A person who asks for help is not kept waiting.
    mild = [each for each in await world.store.alerts.open(limit=999) if each.severity is Severity.MEDIUM]
    await world.press(mild[-1], AlertAction.ESCALATE)
    assert world.calls()[-1].alert_id == mild[-1].id


async def test_a_storm_of_critical_alerts_writes_to_a_person_a_bounded_number_of_times() -> None:
    world = AlertWorld()
    world.on_call = {"on_call": Reached(users=(7,))}
    await world.alerts.hear([errors(title=f"Disk {n}", lane=None, guilds=(GUILD,)) for n in range(200)])
    await world.pass_s(900)
    assert (len(world.calls()), len(world.written())) == (20 + 1, 20 + 1)
    world.alerts = world.process()
    await world.pass_s(1)
    assert (len(world.calls()), len(world.written())) == (20 + 1, 20 + 1)


async def test_two_processes_at_one_timer_call_once() -> None:
    world = AlertWorld()
    other = world.process()
    await world.alerts.hear([errors()])
    world.clock.forward(900)
    await asyncio.gather(world.alerts.once(), other.once(), world.alerts.once(), other.once())
    assert len(world.calls()) == 1


async def test_two_processes_that_hear_the_same_open_one_alert() -> None:
    world = AlertWorld()
    other = world.process()
    await asyncio.gather(
        world.alerts.hear([errors()]), other.hear([errors()]), other.hear([errors(fingerprint="slow")])
    )
    assert len((await world.one()).firing) == 2


async def test_it_resolves_itself_and_a_new_trouble_opens_a_new_one() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    first = await world.one()
    world.clock.forward(60)
    await world.alerts.hear([errors(firing=False, at=world.clock.now())])
    await world.pass_s(120)
    over = await world.store.alerts.load(first.id)
    assert over is not None
    assert (over.state, over.ended_at) == (AlertState.RESOLVED, EPOCH + timedelta(seconds=60))
    await world.alerts.hear([errors(at=world.clock.now())])
    again = await world.one()
    assert (again.id > first.id, again.earlier_returns) == (True, 1)


async def test_what_a_person_resolved_is_not_opened_by_the_same_news() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    world.clock.forward(60)
    await world.press(await world.one(), AlertAction.RESOLVE, reason="known")
    await world.alerts.hear([errors(value="60%")])
    assert await world.store.alerts.open() == []


async def test_a_late_notification_of_an_older_alert_joins_no_newer_one() -> None:
    """It is compared with more than the newest alert of its lane: not with what ended long ago."""
    world = AlertWorld()
    late = errors(source="prometheus", fingerprint="disk")
    await world.alerts.hear([late])
    world.clock.forward(60)
    await world.alerts.hear([replace(late, firing=False, at=world.clock.now())])
    await world.pass_s(120)
    await world.alerts.hear([errors(at=world.clock.now())])
    newer = await world.one()
    await world.alerts.hear([late])
    assert await world.one() == newer
    world.clock.forward(900)
    await world.alerts.hear([late])
    assert [each.finding.fingerprint for each in (await world.one()).firing] == ["disk", "errors"]


async def test_availability_that_a_person_resolved_opens_nothing_until_it_was_well() -> None:
    """A restart tells of it again, days later, and after other alerts of the lane."""
    world = AlertWorld()
    week = errors(source="monitor", fingerprint="check:health:unavailable", lasting=True)
    await world.alerts.hear([week])
    await world.press(await world.one(), AlertAction.RESOLVE, reason="known")
    world.clock.forward(86_400)
    await world.alerts.hear([replace(week, at=world.clock.now())])
    assert await world.store.alerts.open() == []
    await world.alerts.hear([errors(at=world.clock.now())])
    world.clock.forward(60)
    await world.alerts.hear([replace(week, at=world.clock.now())])
    assert [each.finding.fingerprint for each in (await world.one()).firing] == ["errors"]


async def test_availability_that_was_well_in_between_opens_an_alert_again() -> None:
    world = AlertWorld()
    week = errors(source="monitor", fingerprint="check:health:unavailable", lasting=True)
    await world.alerts.hear([week])
    await world.alerts.hear([replace(week, firing=False)])
    await world.pass_s(120)
    await world.alerts.hear([replace(week, at=world.clock.now())])
    assert [each.finding.fingerprint for each in (await world.one()).firing] == [week.fingerprint]


# ---- people ------------------------------------------------------------------------------------------------


async def test_everyone_may_take_it_but_not_everyone_may_end_it() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    alert = await world.one()
    guest = replace(DEV, id=99, roles=frozenset())
    with pytest.raises(Refused, match="you need one of the roles"):
        await world.press(alert, AlertAction.RESOLVE, guest)
    with pytest.raises(Refused, match="you need one of the roles"):
        await world.press(alert, AlertAction.SILENCE, guest)
    await world.press(alert, AlertAction.ACKNOWLEDGE, guest)
    assert (await world.press(alert, AlertAction.RESOLVE, guest)).ended_by == guest.name


async def test_an_alert_of_another_server_is_not_there() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    alert = await world.one()
    with pytest.raises(UserError, match="There is no alert"):
        await world.alerts.view(alert.id, GUILD + 1)
    with pytest.raises(UserError, match="There is no alert 77 here"):
        await world.alerts.view(77, GUILD)


# ---- rolling back ------------------------------------------------------------------------------------------


async def test_a_deploy_shortly_before_is_the_plausible_cause() -> None:
    world = AlertWorld()
    deploy = world.deployed(10)
    await world.alerts.hear([errors()])
    suspect = (await world.one()).suspect
    assert suspect is not None
    assert (suspect.rollout_id, suspect.from_version, suspect.to_version) == (deploy.id, "1.4.0", "1.5.0")


async def test_what_was_deployed_last_is_shown_also_where_it_is_no_cause() -> None:
    world = AlertWorld()
    old = world.deployed(300)
    world.deployed(5, "cancelled")
    await world.alerts.hear([errors()])
    alert = await world.one()
    view = await world.alerts.view(alert.id)
    assert (alert.suspect, view.last_deploy) == (None, old)
    await world.alerts.hear([errors(lane=None, title="Disk full", fingerprint="disk")])
    (disk,) = [each for each in await world.store.alerts.open() if each.lane is None]
    assert (await world.alerts.view(disk.id)).last_deploy is None


@pytest.mark.parametrize(
    "change",
    [
        {"minutes_ago": 61},
        {"minutes_ago": 10, "phase": "rolled_back"},
        {"minutes_ago": 10, "from_version": None},
        {"minutes_ago": 10, "phase": "soaking", "ended_at": None},  # rules count what stable serves
        {"minutes_ago": 10, "lane": Lane("checkout", "staging")},
        {"minutes_ago": 10, "returns": True},  # to take it back would bring back what it ended
        {"minutes_ago": 10, "phase": "shifting", "ended_at": None, "returns": True, "source": "sentry"},
    ],
)
async def test_what_is_no_plausible_cause(change: dict[str, object]) -> None:
    world = AlertWorld()
    source = change.pop("source", "rule")
    world.deployed(**change)  # type: ignore[arg-type]
    await world.alerts.hear([errors(source=source)])
    assert (await world.one()).suspect is None


async def test_a_rollout_that_goes_on_is_a_plausible_cause() -> None:
    world = AlertWorld()
    world.deployed(200, "soaking", ended_at=None)
    await world.alerts.hear([errors(source="sentry")])
    suspect = (await world.one()).suspect
    assert suspect is not None
    assert suspect.going_on


async def test_roll_back_returns_to_what_ran_before_and_takes_the_alert() -> None:
    world = AlertWorld()
    world.deployed(10)
    await world.alerts.hear([errors()])
    request = AlertRollback((await world.one()).id, LEAD, GUILD, interaction="i1")
    alert, rollout = await world.alerts.roll_back(request)
    (asked,) = world.asked
    assert (asked.version, asked.interaction, asked.actor) == ("1.4.0", "i1", LEAD)
    assert asked.reason == f"Alert {alert.id}: Many requests fail."
    assert alert.owner is not None
    assert (alert.owner.name, world.lines(alert)[-1]) == (LEAD.name, "rollback")
    assert rollout.id == 91


async def test_a_rollback_is_refused_once_something_else_was_rolled_out() -> None:
    world = AlertWorld()
    world.deployed(10)
    await world.alerts.hear([errors()])
    world.deployed(0)
    with pytest.raises(Refused, match="No deploy is a plausible cause"):
        await world.alerts.roll_back(AlertRollback((await world.one()).id, LEAD, GUILD))
    assert world.asked == []


async def test_a_stale_press_on_a_card_of_an_alert_starts_nothing() -> None:
    world = AlertWorld()
    world.deployed(10)
    await world.alerts.hear([errors()])
    alert = await world.one()
    with pytest.raises(Refused, match="Alert 1 is not silent any more"):
        await world.press(alert, AlertAction.UNSILENCE)
    earlier = AlertRollback(alert.id, LEAD, GUILD, of_rollout=77)
    with pytest.raises(Refused, match=r"Another deploy is now the plausible cause.*return to `1\.4\.0`"):
        await world.alerts.roll_back(earlier)
    first = AlertRollback(alert.id, LEAD, GUILD, interaction="i1", of_rollout=1)
    _, rollout = await world.alerts.roll_back(first)
    await world.press(alert, AlertAction.RESOLVE)
    for request in (replace(first, interaction="i2"), replace(first, interaction="", confirmed=True)):
        with pytest.raises(Refused, match="Alert 1 is over, so nothing is rolled back") as refused:
            await world.alerts.roll_back(request)
        assert "/rollback" in (refused.value.remedy or "")
    for action in AlertAction:
        with pytest.raises(Refused, match="Alert 1 is over"):
            await world.press(alert, action)
    # What was carried out before is answered again, and once.
    assert (await world.alerts.roll_back(first))[1].id == rollout.id
    assert len(world.asked) == 1


async def test_a_direct_message_takes_an_alert_from_no_one() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    alert = await world.press(await world.one(), AlertAction.ACKNOWLEDGE, DEV)
    with pytest.raises(Refused, match=f"{DEV.name} has alert 1 already"):
        await world.press(alert, AlertAction.ACKNOWLEDGE, ONCALL, unless_taken=True)
    assert (await world.press(alert, AlertAction.ACKNOWLEDGE, DEV, unless_taken=True)).owner == alert.owner
    taken = await world.press(alert, AlertAction.ACKNOWLEDGE, ONCALL)
    assert taken.owner is not None
    assert taken.owner.id == ONCALL.id
    await world.pass_s(1800)  # its owner is asked whether they still have it
    assert (await world.press(alert, AlertAction.ACKNOWLEDGE, DEV, unless_taken=True)).owner == alert.owner


async def test_a_rule_for_the_time_after_a_deploy_rolls_back_at_once() -> None:
    world = AlertWorld(rolls_back=True)
    world.deployed(10)
    await world.alerts.hear([errors(rollback=True)])
    (asked,) = world.asked
    assert (asked.version, asked.actor.via, asked.interaction) == ("1.4.0", "system", "alert-1-1")
    assert (await world.one()).owner is None


async def test_a_lane_that_only_watches_says_what_it_would_do() -> None:
    world = AlertWorld()
    world.deployed(10)
    await world.alerts.hear([errors(rollback=True)])
    assert world.asked == []
    view = await world.alerts.view((await world.one()).id)
    assert view.watch_only
    assert "would roll 1.5.0 back to 1.4.0" in view.timeline[-1].text


@pytest.mark.parametrize(
    ("more", "minutes_ago", "rolls_back"),
    [
        ({}, 30, True),
        ({}, 30.1, False),
        ({"severity": Severity.HIGH}, 10, False),
        ({"source": "rule"}, 10, False),  # rules say themselves whether they roll back
        ({"at": EPOCH - timedelta(hours=1)}, 10, False),  # before the rollout
        ({"lane": Lane("checkout", "staging")}, 10, False),
    ],
)
async def test_a_critical_alert_after_a_deploy_rolls_back(
    more: dict[str, object], minutes_ago: float, rolls_back: bool
) -> None:
    world = AlertWorld(rolls_back=True)
    world.deployed(minutes_ago)
    await world.alerts.hear([errors(**{"source": "monitor", **more})])  # type: ignore[arg-type]
    assert bool(world.asked) == rolls_back


async def test_an_alert_that_is_older_than_the_deploy_rolls_it_back_for_what_came_with_it() -> None:
    world = AlertWorld(rolls_back=True)
    await world.alerts.hear([errors(fingerprint="slow", severity=Severity.MEDIUM)])
    world.clock.forward(600)
    world.deployed(5)
    await world.alerts.hear([errors(rollback=True, at=world.clock.now())])
    (asked,) = world.asked
    assert asked.version == "1.4.0"


async def test_what_it_would_roll_back_is_said_once() -> None:
    world = AlertWorld()
    world.deployed(10)
    for value in ("30%", "40%", "50%"):
        await world.alerts.hear([errors(rollback=True, value=value)])
    assert world.lines(await world.one()).count("rollback") == 1


async def test_a_rollback_that_is_refused_is_said_on_the_card() -> None:
    world = AlertWorld(rolls_back=True)
    world.deployed(10)
    world.refuses = Refused("It is irreversible.", rule="irreversible")
    await world.alerts.hear([errors(rollback=True)])
    view = await world.alerts.view((await world.one()).id)
    assert view.timeline[-1].text == "It could not be rolled back. It is irreversible."


async def test_a_storm_of_a_lane_is_one_alert_of_bounded_size() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors(fingerprint=f"pod{n}", severity=Severity.LOW) for n in range(2000)])
    await world.alerts.hear([errors()])
    alert = await world.one()
    assert (len(alert.troubles), alert.severity) == (50, Severity.CRITICAL)
    assert alert.left_out == 1951
    assert len(world.lines(alert)) < 120


async def test_roles_of_the_servers_are_asked_for_on_call() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    who = ("team", "on_call")
    reached = await world.alerts.calls.reached(await world.one(), who, GUILD, world.clock.now())
    assert reached == Reached(("on-call",), ())
    assert ONCALL.roles & set(reached.roles)


async def test_what_becomes_of_an_alert_is_counted_once_with_its_time() -> None:
    world = AlertWorld()
    await world.alerts.hear([errors()])
    await world.alerts.hear([errors()])
    world.clock.forward(90)
    await world.press(await world.one(), AlertAction.ACKNOWLEDGE)
    await world.alerts.hear([errors(firing=False, at=world.clock.now())])
    await world.pass_s(600)
    counted = [each for each in world.counts.seen if each[0] in ("opened", "acknowledged", "resolved")]
    assert counted == [
        ("opened", "critical", 0),
        ("acknowledged", "critical", 90),
        ("resolved", "critical", 690),
    ]
