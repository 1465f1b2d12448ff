"""Who may do what, and what their presses do: gates, pauses, holds, locks, panic, budgets, and two servers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.scenarios.stage import Json, StoryError, said
from tests.e2e import acts
from tests.e2e.world import World, lanes, marks

pytestmark = marks("people")
LANES = (
    *lanes("checkout/staging", "checkout/production", "search/production", "hasty/production", rate=10),
    *lanes("archive/production", "ferry/production", rate=10),
    *lanes("cart/production", rate=40),
    *lanes("herald/production", rate=0),
)
CATALOG = acts.CREW
DISCORD = {"guilds": [acts.HARBOR, acts.QUAY]}
EVERYBODY = ("guest", "dev", "dev2", "lead", "lead2", "oncall")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(world: World) -> AsyncIterator[None]:
    """Each test begins with nothing under way in the lane that is gated."""
    await acts.cleared(world, "checkout", "production")
    yield
    await world.stage.call("DELETE", "faults")


async def gated(world: World, version: str = "1.5.0") -> int:
    """A rollout by `dev` that waits for two approvals; the release has succeeded in staging."""
    if await acts.stable(world, "checkout", "staging") != version:
        await world.phase(await world.deploy("checkout", version, "staging"), "succeeded")
    id_ = await world.deploy("checkout", version, "production")
    await world.phase(id_, "gated")
    return id_


# ---- the gate ----------------------------------------------------------------------------------------------


async def test_production_before_staging_is_refused_with_the_way_out(world: World) -> None:
    refused = await acts.command(
        world, "dev", "deploy", service="checkout", version="1.5.1", environment="production"
    )
    assert "must have succeeded in staging" in refused
    assert "/deploy service:checkout version:1.5.1 environment:staging" in refused


async def test_two_approve_at_once_and_both_count(world: World) -> None:
    id_ = await gated(world)
    card = await world.button(id_, "Approve")
    opened = await world.stage.message("deploys", f"rollout {id_} · ref", "waits for approval")
    assert set(opened["notified"]) == {"lead", "lead2"}
    answers = await acts.at_once(
        *(world.stage.press(who, card["id"], "Approve") for who in ("lead", "lead2"))
    )
    assert all(a["ephemeral"] and a["state"] == "answered" for a in answers)
    await world.phase(id_, "soaking")
    assert (await acts.audited(world, id_))["approved"] == 2
    # A press on a button of the step that is over, drawn before the gate was passed.
    late = await acts.act(world, "lead", id_, "approve", step=1)
    assert late["ephemeral"]
    assert "step 2" in said(late)
    assert (await acts.audited(world, id_))["approved"] == 2


async def test_approve_and_reject_at_once_never_lets_it_through(world: World) -> None:
    id_ = await gated(world)
    card = await world.button(id_, "Reject")
    form = await world.stage.press("lead2", card["id"], "Reject")
    assert form["state"] == "modal"
    await acts.at_once(
        world.stage.press("lead", card["id"], "Approve"),
        world.stage.submit("lead2", form["id"], reason="Not **before** the sale, @everyone."),
    )
    row = await world.phase(id_, "cancelled")
    assert "rejected" in row["outcome"]
    shown = await world.stage.message("deploys", f"rollout {id_} · asked for", "cancelled", "before")
    assert shown["notified"] == []
    assert "checkout" not in (await world.stage.users("checkout", "production"))["shares"]
    late = await acts.act(world, "lead", id_, "approve")
    assert "over" in said(late)


async def test_an_approval_can_be_revoked_until_the_quorum_is_reached(world: World) -> None:
    id_ = await gated(world)
    assert "approved (1 of 2)" in said(await world.press("lead", id_, "Approve"))
    again = await acts.act(world, "lead", id_, "approve")
    assert "already" in said(again)
    assert "took the approval back" in said(await world.press("lead", id_, "Revoke"))
    assert "nothing to take back" in said(await acts.act(world, "lead", id_, "revoke"))
    await world.press("lead2", id_, "Approve")
    assert (await world.rollout(id_))["phase"] == "gated"
    assert "cancelled" in said(await acts.act(world, "dev", id_, "cancel"))
    await world.phase(id_, "cancelled")


async def test_a_gate_that_nobody_answers_expires_and_its_asker_is_told(world: World) -> None:
    id_ = await world.deploy("hasty", "1.5.0", "production")
    opened = await world.stage.message("deploys", f"rollout {id_} · ref", "waits for approval")
    assert re.search(r"<t:\d+:R>", opened["content"])
    await world.phase(id_, "cancelled")
    told = await world.stage.message("deploys", f"rollout {id_} · ref", "expired")
    assert told["notified"] == ["dev"]
    assert "over" in said(await acts.act(world, "lead", id_, "approve"))


# ---- who may what ------------------------------------------------------------------------------------------

# For a gated rollout that `dev` asked for. What is allowed changes something, so it is asked last, and undone.
NEVER = {
    "approve": {"guest", "dev", "dev2", "oncall"},
    "reject": {"guest", "dev", "dev2", "oncall"},
    "revoke": {"guest", "dev", "dev2", "oncall"},
    "pause": {"guest"},
    "resume": {"guest"},
    "extend": {"guest"},
    "promote": {"guest", "dev", "dev2", "oncall"},
    "cancel": {"guest"},
    "rollback": {"guest", "dev2"},
}


async def test_who_has_no_role_for_a_button_is_refused_and_changes_nothing(world: World) -> None:
    at_gate = await gated(world)
    soaking = await acts.soaking(world)
    before = {id_: (await world.rollout(id_))["version"] for id_ in (at_gate,)}
    for action, refused in NEVER.items():
        id_ = soaking if action == "promote" else at_gate
        for who in sorted(refused):
            answer = await acts.act(world, who, id_, action)
            assert answer["ephemeral"], (who, action)
            assert "✋" in said(answer), (who, action, said(answer))
            assert "role" in said(answer) or "asked for this rollout" in said(answer), (who, action)
    assert {id_: (await world.rollout(id_))["version"] for id_ in (at_gate,)} == before
    assert not {"promote_vote", "paused", "approved"} & set(await acts.audited(world, at_gate))


async def test_what_a_role_allows_is_done_under_that_name(world: World) -> None:
    id_ = await acts.soaking(world)
    for who, action, word in (
        ("dev", "pause", "Dev paused"),
        ("lead", "resume", "Lead resumed"),
        ("oncall", "extend", "On-call gave it"),
        ("dev2", "pause", "Dev Two paused"),
        ("oncall", "resume", "On-call resumed"),
        ("oncall", "rollback", "On-call rolled back"),
    ):
        assert word in said(await acts.act(world, who, id_, action))
    await world.phase(id_, "rolled_back")
    names = [
        row["actor"] for row in await world.audit(id_) if row["what"] in ("paused", "resumed", "extended")
    ]
    assert names == ["Dev", "Lead", "On-call", "Dev Two", "On-call"]


async def test_a_role_that_was_taken_away_a_second_before_is_gone(world: World) -> None:
    id_ = await gated(world)
    card = await world.button(id_, "Approve")
    await world.stage.call("PATCH", "people/lead", {"roles": []})
    try:
        refused = await world.stage.press("lead", card["id"], "Approve")
        assert "role" in said(refused)
    finally:
        await world.stage.call("PATCH", "people/lead", {"roles": ["release-manager"]})
    assert (await acts.audited(world, id_))["approved"] == 0


@pytest.mark.parametrize(
    ("name", "options", "allowed"),
    [
        ("deploy", {"service": "archive", "version": "1.5.0", "environment": "production"}, "dev lead"),
        ("lock", {"service": "archive", "environment": "production", "reason": "audit"}, "dev lead oncall"),
        ("rollback", {"service": "archive", "environment": "production"}, "dev lead oncall"),
        ("panic", {"switch": "off"}, "lead oncall"),
    ],
)
async def test_commands_look_at_roles(world: World, name: str, options: Json, allowed: str) -> None:
    for who in EVERYBODY:
        if who.rstrip("2") in allowed.split():
            continue
        answer = await in_time(world, who, name, **options)
        assert answer.startswith("✋"), (who, answer)
        assert "role" in answer or "needs" in answer or "is for" in answer, (who, answer)
    assert await acts.active(world, "archive", "production") is None
    for name_ in ("status", "history", "health"):
        assert "✋" not in await acts.command(world, "guest", name_)


async def in_time(world: World, who: str, name: str, **options: object) -> str:
    """What is said once the person's budget allows to ask."""

    async def ask() -> str | None:
        answer = await acts.command(world, who, name, **options)
        return None if "Try again" in answer else answer

    return await world.until(f"a budget of {who}", ask)


# ---- holds and promotion -----------------------------------------------------------------------------------


async def test_too_little_evidence_holds_and_asks_and_a_quorum_may_promote(world: World) -> None:
    id_ = await world.deploy("archive", "1.5.0", "production")
    await world.phase(id_, "held")
    asked = await world.stage.message("deploys", f"rollout {id_} · ref", "is held")
    assert asked["notified"] == ["oncall"]
    card = await world.button(id_, "Promote")
    assert {"Extend", "Promote", "Roll back"} <= {b["label"] for b in card["buttons"]}
    assert "gave it" in said(await world.stage.press("oncall", card["id"], "Extend"))
    await held_again(world, id_)
    card = await world.button(id_, "Promote")
    form = await world.stage.press("lead", card["id"], "Promote")
    assert "1 of 2" in said(await world.stage.submit("lead", form["id"], reason="It is the archive."))
    assert (await world.rollout(id_))["phase"] == "held"
    await acts.act(world, "lead2", id_, "promote", reason="Nobody reads it.")
    await world.phase(id_, "held", "shifting", "observing")
    # At full weight it cannot be judged either; it is promoted there too.
    await at_hold(world, id_, 3)
    for who in ("lead", "lead2"):
        await acts.act(world, who, id_, "promote", reason="As before.")
    await world.phase(id_, "succeeded")


async def held_again(world: World, id_: int) -> None:
    async def look() -> bool | None:
        return True if (await acts.audited(world, id_))["held"] >= 2 else None

    await world.until("the second hold", look)


async def at_hold(world: World, id_: int, step: int) -> None:
    async def look() -> bool | None:
        row = await world.rollout(id_)
        return True if row["phase"] == "held" and acts.part(row, "state")["step"] >= step else None

    await world.until(f"a hold at step {step}", look)


# ---- panic -------------------------------------------------------------------------------------------------


async def test_a_panic_stop_holds_everything_at_once_and_lets_it_go(world: World) -> None:
    ids = [await gated(world), await acts.soaking(world)]
    assert "**Panic stop is on**" in await acts.command(world, "oncall", "panic", switch="on", reason="DNS")
    try:
        for id_ in ids:
            assert acts.part(await world.rollout(id_), "state")["pause"]["panic"]
        refused = await acts.command(
            world, "dev", "deploy", service="cart", version="1.5.0", environment="production"
        )
        assert "On-call stopped everything: DNS" in refused
        assert "/panic off" in refused
        # What a panic stop holds, whoever asked for it cannot let go; going back is always possible.
        await acts.act(world, "oncall", ids[1], "rollback")
        await world.phase(ids[1], "rolled_back")
    finally:
        assert "let go" in await acts.command(world, "lead", "panic", switch="off")
    assert acts.part(await world.rollout(ids[0]), "state")["pause"] is None


# ---- locks, automatic rollbacks, ways back -----------------------------------------------------------------


async def test_an_automatic_rollback_locks_until_a_person_lifts_it(world: World) -> None:
    id_ = await world.deploy("cart", "1.5.1", "production")
    await world.phase(id_, "rolled_back")
    alert = await world.stage.message("alerts", f"rollout {id_} · ref")
    assert alert["notified"] == ["oncall"]
    assert alert["embeds"]
    deploy = {"service": "cart", "environment": "production"}
    refused = await acts.command(world, "dev", "deploy", version="1.5.0", **deploy)
    assert "cart/production is locked by Slipway" in refused
    assert "/unlock service:cart environment:production" in refused
    assert "quarantined" in await acts.command(world, "lead", "deploy", version="1.5.1", **deploy)
    assert "✋" in await acts.command(world, "guest", "unlock", **deploy)
    assert "Unlocked" in await acts.command(world, "dev2", "unlock", **deploy)
    good = await world.deploy("cart", "1.5.0", "production")
    await acts.promoted_by_all(world, good)


async def test_a_return_to_any_known_good_release_goes_straight_and_through_a_lock(world: World) -> None:
    lane = {"service": "cart", "environment": "production"}
    if await acts.stable(world, "cart", "production") == "1.4.0":
        await acts.promoted_by_all(world, await world.deploy("cart", "1.5.0", "production"))
    assert "Locked" in await acts.command(world, "lead", "lock", reason="audit week", **{**lane, "for": "1h"})
    assert "audit week" in await acts.command(world, "dev", "deploy", version="1.4.0", **lane)
    assert "is not known good" in await acts.command(world, "oncall", "rollback", version="1.5.3", **lane)
    assert "runs in production now" in await acts.command(
        world, "oncall", "rollback", version="1.5.0", **lane
    )
    assert "Rolling back" in await acts.command(world, "oncall", "rollback", version="1.4.0", **lane)
    id_ = await world.newest("cart", "production")
    await world.phase(id_, "succeeded")
    await world.served_by("cart", "production", "1.4.0")
    assert "soaking" not in await acts.audited(world, id_)
    assert "Unlocked" in await acts.command(world, "lead", "unlock", **lane)


async def test_a_second_rollout_in_a_lane_is_refused(world: World) -> None:
    id_ = await acts.soaking(world)
    row = await world.rollout(id_)
    other = "1.5.1"
    refused = await acts.command(
        world, "dev2", "deploy", service="search", version=other, environment="production"
    )
    assert f"Rollout #{id_} is active" in refused
    assert row["to_version"] in refused


async def test_an_exclusive_service_is_replaced_and_brought_back_when_the_new_one_dies(world: World) -> None:
    good = await world.deploy("herald", "1.5.0", "production")
    await world.phase(good, "succeeded")
    greeted = await world.stage.slash("dev", "greet")
    assert "herald 1.5.0" in said(greeted)
    bad = await world.deploy("herald", "1.5.3", "production")
    row = await world.phase(bad, "rolled_back", "failed")
    assert "1.5.3" in row["outcome"]

    async def back() -> bool | None:
        try:
            return True if "herald 1.5.0" in said(await world.stage.slash("guest", "greet")) else None
        except StoryError:
            return None

    await world.until("herald 1.5.0 to greet again", back)
    assert await acts.stable(world, "herald", "production") == "1.5.0"


async def test_what_cannot_go_back_is_halted_and_closed_by_a_person(world: World) -> None:
    id_ = await world.deploy("newborn", "1.4.0", "production")
    await world.phase(id_, "soaking")
    await acts.act(world, "oncall", id_, "rollback")
    await world.phase(id_, "halted")
    called = await world.stage.message("alerts", f"rollout {id_} · ref", "halted")
    assert called["notified"] == ["oncall"]
    assert "✋" in said(await acts.act(world, "dev2", id_, "close", reason="Let it be."))
    card = await world.button(id_, "Close")
    form = await world.stage.press("lead", card["id"], "Close")
    await world.stage.submit("lead", form["id"], reason="It stays as it is.")
    row = await world.phase(id_, "cancelled")
    assert "It stays as it is" in row["outcome"]


# ---- budgets -----------------------------------------------------------------------------------------------


async def test_the_21st_question_in_a_minute_is_refused_with_when_to_ask_again(world: World) -> None:
    answers = [await acts.command(world, "guest", "status", service="search") for _ in range(21)]
    refused = [a for a in answers if a.startswith("✋")]
    assert "Try again" in answers[-1]
    assert refused[0] in answers[15:]
    assert "What runs where" in await acts.command(world, "dev", "status", service="search")


async def test_on_call_is_never_too_fast_to_roll_back(world: World) -> None:
    id_ = await acts.soaking(world)
    presses = [acts.act(world, "oncall", id_, "pause" if n % 2 else "resume") for n in range(14)]
    answers = [said(a) for a in await acts.at_once(*presses)]
    assert any("Try again" in a for a in answers)
    await acts.rolled_back(world, id_)


# ---- what people read --------------------------------------------------------------------------------------


async def test_status_health_and_history_with_its_pages(world: World) -> None:
    status = await acts.command(world, "dev2", "status", service="cart")
    assert "known good" in status
    assert "Database" in await acts.command(world, "dev2", "health")
    answer = await world.stage.slash("dev2", "history")
    first = said(answer)
    message = answer["message"]
    assert message["buttons"][0]["label"] == "Older"
    older = said(await world.stage.press("dev2", message["id"], "Older"))
    numbers = [[int(n) for n in re.findall(r"#(\d+) ·", page)] for page in (first, older)]
    assert len(numbers[0]) == 8
    assert max(numbers[1]) < min(numbers[0])


async def test_suggestions_say_what_runs_where(world: World) -> None:
    id_ = await acts.soaking(world)
    row = await world.rollout(id_)
    body = {"user": "dev", "channel": "deploys", "command": "deploy", "value": ""}
    versions = await world.stage.call(
        "POST", "autocomplete", {**body, "option": "version", "options": {"service": "search"}}
    )
    named = {c["value"]: c["name"] for c in versions["choices"]}
    assert "soaking" in named[row["to_version"]]
    assert "production" in named[row["from_version"]]
    places = await world.stage.call(
        "POST", "autocomplete", {**body, "option": "environment", "options": {"service": "checkout"}}
    )
    assert {c["value"] for c in places["choices"]} == {"staging", "production"}
    assert any("runs" in c["name"] for c in places["choices"])


async def test_each_server_sees_and_presses_its_own_lanes_alone(world: World) -> None:
    ours = await acts.soaking(world)
    theirs = await acts.command(world, "skipper", "status", "pier")
    assert "ferry" in theirs
    assert "checkout" not in theirs
    assert "ferry" not in await acts.command(world, "dev", "status")
    refused = await acts.command(
        world, "skipper", "deploy", "pier", service="search", version="1.5.0", environment="production"
    )
    assert "There is no service `search`" in refused
    await acts.command(
        world, "skipper", "deploy", "pier", service="ferry", version="1.5.0", environment="production"
    )
    id_ = await world.newest("ferry", "production")
    await world.phase(id_, "soaking")
    # A button of the other server's rollout, pressed on a message of one's own.
    card = await world.card(id_)
    assert card["channel"] == "pier"
    stolen = await acts.pressed_raw(world, "mate", card["id"], await acts.custom_id(world, ours, "rollback"))
    assert "no such rollout" in said(stolen)
    assert (await world.rollout(ours))["phase"] == "soaking"
    assert "**Panic stop is on**" in await acts.command(world, "lead", "panic", switch="on")
    assert acts.part(await world.rollout(id_), "state")["pause"] is None
    await acts.command(world, "lead", "panic", switch="off")
    await acts.rolled_back(world, id_, "mate")
