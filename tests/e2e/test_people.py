"""Who may press what, and what their presses do: gates, roles, holds, and the panic stop."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.stories.stage import Json, said
from tests.e2e import acts
from tests.e2e.world import World, lanes, marks

pytestmark = marks("people")
LANES = lanes(
    *(
        "checkout/staging",
        "checkout/production",
        "search/production",
        "hasty/production",
        "archive/production",
    ),
    rate=10,
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
    assert "has not succeeded in staging within the last" in refused
    assert "/deploy service:checkout version:1.5.1 environment:staging" in refused


async def test_two_approve_at_once_and_both_count(world: World) -> None:
    id_ = await gated(world)
    card = await world.button(id_, "Approve")
    opened = await world.stage.message("deploys", f"rollout {id_} · ref", "needs approval")
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
    shown = await world.stage.message("deploys", f"rollout {id_} · requested", "cancelled", "before")
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
    opened = await world.stage.message("deploys", f"rollout {id_} · ref", "needs approval")
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
        assert "On-call switched the panic stop on: DNS" in refused
        assert "/panic off" in refused
        # What a panic stop holds, whoever asked for it cannot let go; going back is always possible.
        await acts.act(world, "oncall", ids[1], "rollback")
        await world.phase(ids[1], "rolled_back")
    finally:
        assert "resumed" in await acts.command(world, "lead", "panic", switch="off")
    assert acts.part(await world.rollout(ids[0]), "state")["pause"] is None
