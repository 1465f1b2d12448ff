"""Rollbacks that alerts ask for: started once, also after a database that was away, a crash, and in two processes."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.errors import Refused
from bot.domain.watch.alerts.alert import AlertAction
from bot.engine.watch.alerts.api import AlertRollback
from bot.ports.errors import Unreachable
from tests.support.actors import LEAD
from tests.support.alerts import AlertWorld, errors
from tests.support.catalogs import GUILD

AWAY = Unreachable("no answer within 2 s")


def sick(minutes_ago: float = 10) -> AlertWorld:
    """A lane that rolls back, after a deploy."""
    world = AlertWorld(rolls_back=True)
    world.deployed(minutes_ago)
    return world


async def said(world: AlertWorld) -> list[str]:
    """What its timeline says of rollbacks."""
    timeline = await world.store.alerts.timeline((await world.one()).id, 100)
    return [entry.text for entry in timeline if entry.what == "rollback"]


async def test_what_cannot_be_started_is_tried_again_less_and_less_often_until_it_is() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    for _ in range(300):
        await world.pass_s(1)
    alert = await world.one()
    assert alert.wanted is not None
    assert alert.wanted.tries == 7  # after 5, 15, 35, 75, 135, 195 and 255 s
    assert await said(world) == ["The rollback could not be started yet. Slipway tries again until it is."]
    world.refuses = None
    await world.pass_s(60)
    assert [(each.version, each.actor.via) for each in world.asked] == [("1.4.0", "system")]
    assert (await world.one()).wanted is None
    assert (await said(world))[1:] == ["A rollback was started: rollout 91."]
    await world.pass_s(600)
    assert len(world.asked) == 1


async def test_a_restart_in_between_loses_and_repeats_none() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    world.refuses = None
    world.alerts = world.process()
    for _ in range(20):
        await world.pass_s(1)
    assert len(world.asked) == 1


async def test_a_crash_right_after_it_was_recorded_starts_it_in_the_next_process() -> None:
    world = sick()
    world.refuses = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        await world.alerts.hear([errors(rollback=True)])
    world.refuses = None
    world.alerts = world.process()
    await world.pass_s(5)
    assert len(world.asked) == 1


async def test_a_finding_that_was_not_recorded_is_refused_and_asks_when_it_is_told_again() -> None:
    world = sick()
    world.database.fails = frozenset({"alerts.save"})
    with pytest.raises(Unreachable):
        await world.alerts.hear([errors(rollback=True)])
    assert world.asked == []
    world.database.fails = frozenset()
    await world.alerts.hear([errors(rollback=True)])
    assert len(world.asked) == 1


@pytest.mark.parametrize("statement", ["rollouts.answers", "alerts.load"])
async def test_a_database_that_goes_away_right_after_the_finding_delays_it(statement: str) -> None:
    world = sick()
    world.database.fails = frozenset({statement})
    await world.alerts.hear([errors(rollback=True)])
    world.database.away = True
    with pytest.raises(Unreachable):
        await world.pass_s(60)
    world.database.away, world.database.fails = False, frozenset()
    await world.pass_s(1)
    await world.pass_s(60)
    assert len(world.asked) == 1
    assert (await world.one()).wanted is None


async def test_a_rollback_that_was_started_and_could_not_be_noted_is_noted_later_and_not_repeated() -> None:
    world = sick()
    world.database.fails = frozenset({"alerts.load"})
    await world.alerts.hear([errors(rollback=True)])
    assert len(world.asked) == 1
    world.database.fails = frozenset()
    world.deployed(0, "rolled_back")  # the rollback is the newest rollout by now
    world.alerts = world.process()
    await world.pass_s(5)
    assert (await said(world))[-1] == "A rollback was started: rollout 91."
    assert (await world.one()).wanted is None
    await world.pass_s(600)
    assert len(world.asked) == 1


async def test_what_fails_after_the_rollback_does_not_take_the_rollback_back() -> None:
    world = sick()
    await world.alerts.hear([errors(rollback=True)])
    first = (await world.one()).suspect
    world.clock.forward(5)
    world.deployed(0, from_version="1.5.0", to_version="1.4.0", returns=True)
    # Told again with another value, and by a rule that had not fired before.
    await world.alerts.hear([errors(rollback=True, value="30%")])
    await world.alerts.hear([errors(rollback=True, fingerprint="slow")])
    assert [each.version for each in world.asked] == ["1.4.0"]
    alert = await world.one()
    assert (alert.suspect, alert.undone_by, alert.wanted) == (first, 91, None)
    # Another deploy is another suspect.
    world.deployed(0, from_version="1.4.0", to_version="1.5.1")
    await world.alerts.hear([errors(rollback=True, fingerprint="p99")])
    assert [each.version for each in world.asked] == ["1.4.0", "1.4.0"]
    assert (await world.one()).undone_by == 92


async def test_of_two_processes_one_starts_it() -> None:
    world = sick()
    other = world.process()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    world.refuses = None
    world.clock.forward(5)
    await asyncio.gather(world.alerts.once(), other.once(), world.alerts.once(), other.once())
    assert len(world.asked) == 1
    assert (await said(world)).count("A rollback was started: rollout 91.") == 1


async def test_what_was_rolled_out_meanwhile_is_left_alone() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    world.refuses = None
    world.deployed(0, "soaking", ended_at=None)
    await world.pass_s(5)
    assert world.asked == []
    assert (await said(world))[-1] == (
        "No rollback was started: something else was rolled out in checkout/production first."
    )
    assert (await world.one()).wanted is None


async def test_trouble_that_is_over_first_needs_none_and_its_return_asks_again() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    await world.alerts.hear([errors(rollback=True, firing=False, at=world.clock.now())])
    world.refuses = None
    await world.pass_s(60)
    assert world.asked == []
    assert (await said(world))[-1] == "No rollback was started: the trouble was over first."
    await world.alerts.hear([errors(rollback=True, at=world.clock.now())])
    assert len(world.asked) == 1


async def test_what_a_person_resolves_is_not_rolled_back_afterwards() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    over = await world.press(await world.one(), AlertAction.RESOLVE, LEAD)
    world.refuses = None
    await world.pass_s(600)
    assert (world.asked, over.wanted) == ([], None)


async def test_a_person_who_is_first_leaves_nothing_to_start() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    world.refuses = None
    alert, _ = await world.alerts.roll_back(
        AlertRollback((await world.one()).id, LEAD, GUILD, interaction="i1")
    )
    assert alert.wanted is None
    await world.pass_s(600)
    assert [each.actor for each in world.asked] == [LEAD]


async def test_a_refusal_is_said_once_however_often_the_finding_is_told() -> None:
    world = sick()
    world.refuses = Refused("It is irreversible.", rule="irreversible")
    for value in ("30%", "40%", "50%"):
        await world.alerts.hear([errors(rollback=True, value=value)])
    await world.pass_s(600)
    assert await said(world) == ["It could not be rolled back. It is irreversible."]
    assert (await world.one()).wanted is None


async def test_what_time_does_to_the_alert_meanwhile_is_not_delayed() -> None:
    world = sick()
    world.refuses = AWAY
    await world.alerts.hear([errors(rollback=True)])
    for _ in range(90):
        await world.pass_s(10)
    assert [call.text for call in world.calls()] == ["No one has acknowledged this for 15 min."]
