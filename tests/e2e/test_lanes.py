"""What happens to lanes: holds, locks, ways back, exclusive services, budgets of people, lists, and two servers."""

from __future__ import annotations

import re

from demo.stories.stage import StoryError, said
from tests.support.e2e import acts
from tests.support.e2e.stack import Stack, lanes, marks

pytestmark = marks("lanes")
LANES = (
    *lanes("search/production", "ferry/production", "checkout/staging", "checkout/production", rate=10),
    *lanes("archive/production", rate=10),
    *lanes("cart/production", rate=40),
    *lanes("herald/production", rate=0),
)
CATALOG = acts.CREW
DISCORD = {"guilds": [acts.HARBOR, acts.QUAY]}


# ---- holds and promotion -----------------------------------------------------------------------------------


async def test_too_little_evidence_holds_and_asks_and_a_quorum_may_promote(stack: Stack) -> None:
    id_ = await stack.deploy("archive", "1.5.0", "production")
    await stack.phase(id_, "held")
    asked = await stack.stage.message("deploys", f"rollout {id_} · ref", "is on hold")
    assert asked["notified"] == ["oncall"]
    card = await stack.button(id_, "Promote")
    assert {"Extend", "Promote", "Roll back"} <= {b["label"] for b in card["buttons"]}
    assert "added" in said(await stack.stage.press("oncall", card["id"], "Extend"))
    await held_again(stack, id_)
    card = await stack.button(id_, "Promote")
    form = await stack.stage.press("lead", card["id"], "Promote")
    assert "1 of 2" in said(await stack.stage.submit("lead", form["id"], reason="It is the archive."))
    assert (await stack.rollout(id_))["phase"] == "held"
    await acts.act(stack, "lead2", id_, "promote", reason="No one reads it.")
    await stack.phase(id_, "held", "shifting", "observing")
    # At full weight it cannot be judged either; it is promoted there too.
    await at_hold(stack, id_, 3)
    for who in ("lead", "lead2"):
        await acts.act(stack, who, id_, "promote", reason="As before.")
    await stack.phase(id_, "succeeded")


async def held_again(stack: Stack, id_: int) -> None:
    async def look() -> bool | None:
        return True if (await acts.audited(stack, id_))["held"] >= 2 else None

    await stack.until("the second hold", look)


async def at_hold(stack: Stack, id_: int, step: int) -> None:
    async def look() -> bool | None:
        row = await stack.rollout(id_)
        return True if row["phase"] == "held" and acts.part(row, "state")["step"] >= step else None

    await stack.until(f"a hold at step {step}", look)


# ---- locks, automatic rollbacks, ways back -----------------------------------------------------------------


async def test_an_automatic_rollback_says_why_and_locks_until_a_person_lifts_it(stack: Stack) -> None:
    id_ = await stack.deploy("cart", "1.5.1", "production")
    await stack.phase(id_, "rolled_back")
    alert = await stack.stage.message("alerts", f"rollout {id_} · ref")
    assert alert["notified"] == ["oncall"]
    assert alert["embeds"]
    opened = await stack.stage.press("guest", (await stack.card(id_))["id"], "Why?")
    assert opened["ephemeral"]
    assert "❌ **FAIL** at" in said(opened) and "fewer failed request" in said(opened)
    message = opened["message"] or opened["followups"][-1]
    assert [a["filename"] for a in message["attachments"]] == ["evidence.png"]
    deploy = {"service": "cart", "environment": "production"}
    assert await acts.command(stack, "guest", "why", **deploy) == said(opened)
    refused = await acts.command(stack, "dev", "deploy", version="1.5.0", **deploy)
    assert "cart/production was locked" in refused and "by a rollback" in refused
    assert "/unlock service:cart environment:production" in refused
    assert "quarantined" in await acts.command(stack, "lead", "deploy", version="1.5.1", **deploy)
    assert "✋" in await acts.command(stack, "guest", "unlock", **deploy)
    assert "A reason is required" in await acts.command(stack, "dev2", "unlock", **deploy)
    assert "Unlocked" in await acts.command(stack, "dev2", "unlock", reason="fixed in 1.5.0", **deploy)
    good = await stack.deploy("cart", "1.5.0", "production")
    await acts.promoted_by_all(stack, good)


async def test_a_return_to_any_known_good_release_goes_straight_and_through_a_lock(stack: Stack) -> None:
    lane = {"service": "cart", "environment": "production"}
    if await acts.stable(stack, "cart", "production") == "1.4.0":
        await acts.promoted_by_all(stack, await stack.deploy("cart", "1.5.0", "production"))
    assert "Locked" in await acts.command(stack, "lead", "lock", reason="audit week", **{**lane, "for": "1h"})
    assert "audit week" in await acts.command(stack, "dev", "deploy", version="1.4.0", **lane)
    assert "is not known good" in await acts.command(stack, "oncall", "rollback", version="1.5.3", **lane)
    assert "already runs in production" in await acts.command(
        stack, "oncall", "rollback", version="1.5.0", **lane
    )
    assert "Rolling back" in await acts.command(stack, "oncall", "rollback", version="1.4.0", **lane)
    id_ = await stack.newest("cart", "production")
    await stack.phase(id_, "succeeded")
    await stack.served_by("cart", "production", "1.4.0")
    assert "soaking" not in await acts.audited(stack, id_)
    assert "Unlocked" in await acts.command(stack, "lead", "unlock", reason="audited", **lane)


async def test_a_second_rollout_in_a_lane_is_refused(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    row = await stack.rollout(id_)
    other = "1.5.1"
    refused = await acts.command(
        stack, "dev2", "deploy", service="search", version=other, environment="production"
    )
    assert f"Rollout #{id_} is active" in refused
    assert row["to_version"] in refused


async def test_an_exclusive_service_is_replaced_and_brought_back_when_the_new_one_dies(stack: Stack) -> None:
    good = await stack.deploy("herald", "1.5.0", "production")
    await stack.phase(good, "succeeded")
    greeted = await stack.stage.slash("dev", "greet")
    assert "herald 1.5.0" in said(greeted)
    bad = await stack.deploy("herald", "1.5.3", "production")
    row = await stack.phase(bad, "rolled_back", "failed")
    assert "1.5.3" in row["outcome"]

    async def back() -> bool | None:
        try:
            return True if "herald 1.5.0" in said(await stack.stage.slash("guest", "greet")) else None
        except StoryError:
            return None

    await stack.until("herald 1.5.0 to greet again", back)
    assert await acts.stable(stack, "herald", "production") == "1.5.0"


async def test_what_cannot_go_back_is_halted_and_closed_by_a_person(stack: Stack) -> None:
    id_ = await stack.deploy("newborn", "1.4.0", "production")
    await stack.phase(id_, "soaking")
    await acts.act(stack, "oncall", id_, "rollback")
    await stack.phase(id_, "halted")
    called = await stack.stage.message("alerts", f"rollout {id_} · ref", "halted")
    assert called["notified"] == ["oncall"]
    assert "✋" in said(await acts.act(stack, "dev2", id_, "close", reason="Let it be."))
    card = await stack.button(id_, "Close")
    form = await stack.stage.press("lead", card["id"], "Close")
    await stack.stage.submit("lead", form["id"], reason="It stays as it is.")
    row = await stack.phase(id_, "cancelled")
    assert "It stays as it is" in row["outcome"]


# ---- budgets -----------------------------------------------------------------------------------------------


async def test_the_21st_question_in_a_minute_is_refused_with_when_to_ask_again(stack: Stack) -> None:
    answers = [await acts.command(stack, "guest", "status", service="search") for _ in range(21)]
    refused = [a for a in answers if a.startswith("✋")]
    assert "Try again" in answers[-1]
    assert refused[0] in answers[15:]
    assert "What runs where" in await acts.command(stack, "dev", "status", service="search")


async def test_on_call_is_never_too_fast_to_roll_back(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    presses = [acts.act(stack, "oncall", id_, "pause" if n % 2 else "resume") for n in range(14)]
    answers = [said(a) for a in await acts.at_once(*presses)]
    assert any("Try again" in a for a in answers)
    await acts.rolled_back(stack, id_)


# ---- what people read --------------------------------------------------------------------------------------


async def test_status_health_and_history_with_its_pages(stack: Stack) -> None:
    status = await acts.command(stack, "dev2", "status", service="cart")
    assert "known good" in status
    assert "Database" in await acts.command(stack, "dev2", "health")
    while len(await stack.rows("SELECT 1 FROM rollouts WHERE guild_id = 1459747831315891395")) < 9:
        await acts.rolled_back(stack, await acts.soaking(stack))
    answer = await stack.stage.slash("dev2", "history")
    first = said(answer)
    message = answer["message"]
    assert message["buttons"][0]["label"] == "Older"
    older = said(await stack.stage.press("dev2", message["id"], "Older"))
    numbers = [[int(n) for n in re.findall(r"#(\d+) ·", page)] for page in (first, older)]
    assert len(numbers[0]) == 8
    assert max(numbers[1]) < min(numbers[0])


async def test_suggestions_say_what_runs_where(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    row = await stack.rollout(id_)
    body = {"user": "dev", "channel": "deploys", "command": "deploy", "value": ""}
    versions = await stack.stage.call(
        "POST", "autocomplete", {**body, "option": "version", "options": {"service": "search"}}
    )
    named = {c["value"]: c["name"] for c in versions["choices"]}
    assert "soaking" in named[row["to_version"]]
    assert "production" in named[row["from_version"]]
    places = await stack.stage.call(
        "POST", "autocomplete", {**body, "option": "environment", "options": {"service": "checkout"}}
    )
    assert {c["value"] for c in places["choices"]} == {"staging", "production"}
    assert any("runs" in c["name"] for c in places["choices"])


async def test_each_server_sees_and_presses_its_own_lanes_alone(stack: Stack) -> None:
    ours = await acts.soaking(stack)
    theirs = await acts.command(stack, "skipper", "status", "pier")
    assert "ferry" in theirs
    assert "checkout" not in theirs
    assert "ferry" not in await acts.command(stack, "dev", "status")
    refused = await acts.command(
        stack, "skipper", "deploy", "pier", service="search", version="1.5.0", environment="production"
    )
    assert "There is no service `search`" in refused
    await acts.command(
        stack, "skipper", "deploy", "pier", service="ferry", version="1.5.0", environment="production"
    )
    id_ = await stack.newest("ferry", "production")
    await stack.phase(id_, "soaking")
    # A button of the other server's rollout, pressed on a message of one's own.
    card = await stack.card(id_)
    assert card["channel"] == "pier"
    stolen = await acts.pressed_raw(stack, "mate", card["id"], await acts.custom_id(stack, ours, "rollback"))
    assert "There is no rollout #" in said(stolen)
    assert (await stack.rollout(ours))["phase"] == "soaking"
    assert "**Panic stop is on**" in await acts.command(stack, "lead", "panic", switch="on")
    assert acts.part(await stack.rollout(id_), "state")["pause"] is None
    await acts.command(stack, "lead", "panic", switch="off")
    await acts.rolled_back(stack, id_, "mate")
