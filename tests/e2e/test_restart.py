"""The bot is killed, or told to stop, while rollouts go on: what was begun ends right, and users notice nothing."""

from __future__ import annotations

import contextlib
import json
import random
import signal

from demo.stories.stage import Json, StoryError
from tests.e2e.acts import CALLBACKS, fault, part
from tests.e2e.heard import said_once
from tests.e2e.world import World, lanes, marks

pytestmark = marks("restart")
LANES = lanes("checkout/endurance", "search/endurance", "mail/production")
KILLS = 5


async def test_sigterm_in_a_soak_stops_cleanly_and_the_next_bot_goes_on(world: World) -> None:
    since = await world.cursor("checkout", "endurance")
    id_ = await world.deploy("checkout", "1.6.0", "endurance")
    await world.phase(id_, "soaking")
    assert await world.demo.end_bot(signal.SIGTERM) == 0
    assert (await world.rollout(id_))["phase"] == "soaking"
    await world.demo.start_bot()
    await world.phase(id_, "succeeded")
    await world.served_by("checkout", "endurance", "1.6.0")
    assert await world.foreign_errors("checkout", "endurance", since) == []


async def test_killed_at_random_times_in_a_soak_the_rollout_ends_as_if_nothing_had_been(world: World) -> None:
    rng = random.Random(20260701)
    since = await world.cursor("search", "endurance")
    id_ = await world.deploy("search", "1.6.0", "endurance")
    await world.phase(id_, "soaking")
    for _ in range(KILLS):
        await world.sleep(rng.uniform(0.0, 1.5))
        await world.kill_bot()
        await world.bot_back()
    await world.phase(id_, "succeeded")
    await said_once(world, id_)
    await world.served_by("search", "endurance", "1.6.0")
    assert world.starts("search", "endurance", "1.6.0") == 1
    assert await world.foreign_errors("search", "endurance", since) == []


async def test_a_press_that_was_committed_counts_though_the_bot_died_before_it_answered(world: World) -> None:
    id_ = await world.deploy("mail", "1.6.0", "production")
    await world.phase(id_, "gated")
    card = await world.button(id_, "Approve")
    await fault(world, "slow", method="POST", route=CALLBACKS, delay_ms=2500)
    press = {"user": "lead", "message": card["id"], "button": "Approve"}
    begun = await world.stage.call("POST", "presses", press)

    async def committed() -> bool | None:
        return (
            True
            if await world.rows("SELECT 1 FROM audit WHERE rollout_id = $1 AND what = 'approved'", id_)
            else None
        )

    await world.until("the approval to be committed", committed)
    await world.kill_bot()
    await unanswered(world, begun["interaction"])
    await world.bot_back()
    await world.phase(id_, "succeeded")
    approvals = [a for grant in part(await world.rollout(id_), "state")["grants"] for a in grant["approvals"]]
    assert [a["actor_name"] for a in approvals] == ["Lead"]


async def test_a_press_while_the_bot_is_down_fails_visibly_and_works_afterwards(world: World) -> None:
    id_ = await world.deploy("mail", "1.6.1", "production")
    await world.phase(id_, "gated")
    card = await world.button(id_, "Approve")
    await world.demo.end_bot(signal.SIGKILL)
    press = {"user": "lead", "message": card["id"], "button": "Approve"}
    begun = await world.stage.call("POST", "presses", press)
    await unanswered(world, begun["interaction"])
    assert (await world.rollout(id_))["phase"] == "gated"
    await world.demo.start_bot()
    await world.ready()
    await world.press("lead", id_, "Approve")
    await world.phase(id_, "succeeded")


async def test_a_rollout_that_an_older_version_stored_is_finished(world: World) -> None:
    id_ = await world.deploy("checkout", "1.6.1", "endurance")
    await world.phase(id_, "soaking")
    await world.demo.end_bot(signal.SIGKILL)
    charter = part(await world.rollout(id_), "charter")
    charter["plan"] = as_version_0(charter["plan"])
    await world.rows("UPDATE rollouts SET charter = $2 WHERE id = $1", id_, json.dumps(charter))
    await world.demo.start_bot()
    row = await world.phase(id_, "succeeded")
    assert part(row, "charter")["plan"]["steps"] == charter["plan"]["steps"]
    await world.served_by("checkout", "endurance", "1.6.1")


async def unanswered(world: World, interaction: str) -> None:
    """Waits until the person has been told that the bot did not answer."""
    with contextlib.suppress(StoryError):
        found = await world.stage.answer(interaction)
        raise AssertionError(f"answered: {found}")


def as_version_0(plan: Json) -> Json:
    """The plan as the version before wrote it: a step is its one key."""
    main = {"shift": "weight", "soak": "duration_s", "observe": "duration_s"}
    steps = []
    for step in plan["steps"]:
        kind, rest = step["kind"], {k: v for k, v in step.items() if k != "kind"}
        steps.append({kind: rest[main[kind]] if kind in main else rest})
    return {"name": plan["name"], "steps": steps}
