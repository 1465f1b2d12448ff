"""Who may press what, and what their presses do: gates, roles, holds, and the panic stop."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.stories.stage import Json, said
from tests.support.e2e import acts
from tests.support.e2e.stack import Stack, lanes, marks

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
DEV_ID = "1456155842276688686"  # in the local Discord, ids follow from names
EVERYBODY = ("guest", "dev", "dev2", "lead", "lead2", "oncall")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(stack: Stack) -> AsyncIterator[None]:
    """Each test begins with nothing under way in the lane that is gated."""
    await acts.cleared(stack, "checkout", "production")
    yield
    await stack.stage.call("DELETE", "faults")


async def gated(stack: Stack, version: str = "1.5.0") -> int:
    """A rollout by `dev` that waits for two approvals; the release has succeeded in staging."""
    if await acts.stable(stack, "checkout", "staging") != version:
        await stack.phase(await stack.deploy("checkout", version, "staging"), "succeeded")
    id_ = await stack.deploy("checkout", version, "production")
    await stack.phase(id_, "gated")
    return id_


# ---- the gate ----------------------------------------------------------------------------------------------


async def test_production_before_staging_is_refused_with_the_way_out(stack: Stack) -> None:
    refused = await acts.command(
        stack, "dev", "deploy", service="checkout", version="1.5.1", environment="production"
    )
    assert "has not succeeded in staging within the last" in refused
    assert "/deploy service:checkout version:1.5.1 environment:staging" in refused


async def test_two_approve_at_once_and_both_count(stack: Stack) -> None:
    id_ = await gated(stack)
    card = await stack.button(id_, "Approve")
    opened = await stack.stage.message("deploys", f"rollout {id_} · ref", "needs approval")
    assert set(opened["notified"]) == {"lead", "lead2"}
    answers = await acts.at_once(
        *(stack.stage.press(who, card["id"], "Approve") for who in ("lead", "lead2"))
    )
    assert all(a["ephemeral"] and a["state"] == "answered" for a in answers)
    await stack.phase(id_, "soaking")
    assert (await acts.audited(stack, id_))["approved"] == 2
    # A press on a button of the step that is over, drawn before the gate was passed.
    late = await acts.act(stack, "lead", id_, "approve", step=1)
    assert late["ephemeral"]
    assert "step 2" in said(late)
    assert (await acts.audited(stack, id_))["approved"] == 2


async def test_approve_and_reject_at_once_never_lets_it_through(stack: Stack) -> None:
    id_ = await gated(stack)
    card = await stack.button(id_, "Reject")
    form = await stack.stage.press("lead2", card["id"], "Reject")
    assert form["state"] == "modal"
    approve = await acts.custom_id(stack, id_, "approve")
    await acts.at_once(
        # By its id: a card that shows the rejection already has no such button.
        acts.pressed_raw(stack, "lead", card["id"], approve),
        stack.stage.submit("lead2", form["id"], reason="Not **before** the sale, @everyone."),
    )
    row = await stack.phase(id_, "cancelled")
    assert "rejected" in row["outcome"]
    shown = await stack.stage.message("deploys", f"rollout {id_} · requested", "cancelled", "before")
    assert shown["notified"] == []
    assert "checkout" not in (await stack.stage.users("checkout", "production"))["shares"]
    late = await acts.act(stack, "lead", id_, "approve")
    assert "has ended" in said(late)


async def test_an_approval_can_be_revoked_until_the_quorum_is_reached(stack: Stack) -> None:
    id_ = await gated(stack)
    assert "approved (1 of 2)" in said(await stack.press("lead", id_, "Approve"))
    again = await acts.act(stack, "lead", id_, "approve")
    assert "Already done" in said(again)
    assert "revoked their approval" in said(await stack.press("lead", id_, "Revoke"))
    assert "have not approved this rollout" in said(await acts.act(stack, "lead", id_, "revoke"))
    await stack.press("lead2", id_, "Approve")
    assert (await stack.rollout(id_))["phase"] == "gated"
    assert "cancelled" in said(await acts.act(stack, "dev", id_, "cancel"))
    await stack.phase(id_, "cancelled")


async def test_a_gate_that_no_one_answers_expires_and_its_asker_is_told(stack: Stack) -> None:
    id_ = await stack.deploy("hasty", "1.5.0", "production")
    opened = await stack.stage.message("deploys", f"rollout {id_} · ref", "needs approval")
    assert re.search(r"<t:\d+:R>", opened["content"])
    await stack.phase(id_, "cancelled")
    told = await stack.stage.message("deploys", f"rollout {id_} · ref", "expired")
    assert told["notified"] == ["dev"]
    assert "has ended" in said(await acts.act(stack, "lead", id_, "approve"))


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


async def test_who_has_no_role_for_a_button_is_refused_and_changes_nothing(stack: Stack) -> None:
    at_gate = await gated(stack)
    soaking = await acts.soaking(stack)
    before = {id_: (await stack.rollout(id_))["version"] for id_ in (at_gate,)}
    for action, refused in NEVER.items():
        id_ = soaking if action == "promote" else at_gate
        for who in sorted(refused):
            answer = await acts.act(stack, who, id_, action)
            assert answer["ephemeral"], (who, action)
            assert "✋" in said(answer), (who, action, said(answer))
            assert "role" in said(answer) or "requested this rollout" in said(answer), (who, action)
    assert {id_: (await stack.rollout(id_))["version"] for id_ in (at_gate,)} == before
    assert not {"promote_vote", "paused", "approved"} & set(await acts.audited(stack, at_gate))


async def test_what_a_role_allows_is_done_under_that_name(stack: Stack) -> None:
    id_ = await acts.soaking(stack)
    for who, action, word in (
        ("dev", "pause", "Dev paused"),
        ("lead", "resume", "Lead resumed"),
        ("oncall", "extend", "On-call added"),
        ("dev2", "pause", "Dev Two paused"),
        ("oncall", "resume", "On-call resumed"),
        ("oncall", "rollback", "On-call rolled back"),
    ):
        assert word in said(await acts.act(stack, who, id_, action))
    await stack.phase(id_, "rolled_back")
    names = [
        row["actor"] for row in await stack.audit(id_) if row["what"] in ("paused", "resumed", "extended")
    ]
    assert names == ["Dev", "Lead", "On-call", "Dev Two", "On-call"]


async def test_a_role_that_was_taken_away_a_second_before_is_gone(stack: Stack) -> None:
    id_ = await gated(stack)
    card = await stack.button(id_, "Approve")
    await stack.stage.call("PATCH", "people/lead", {"roles": []})
    try:
        refused = await stack.stage.press("lead", card["id"], "Approve")
        assert "role" in said(refused)
    finally:
        await stack.stage.call("PATCH", "people/lead", {"roles": ["release-manager"]})
    assert (await acts.audited(stack, id_))["approved"] == 0


@pytest.mark.parametrize(
    ("name", "options", "allowed"),
    [
        ("deploy", {"service": "archive", "version": "1.5.0", "environment": "production"}, "dev lead"),
        ("lock", {"service": "archive", "environment": "production", "reason": "audit"}, "dev lead oncall"),
        ("rollback", {"service": "archive", "environment": "production"}, "dev lead oncall"),
        ("panic", {"switch": "off"}, "lead oncall"),
    ],
)
async def test_commands_look_at_roles(stack: Stack, name: str, options: Json, allowed: str) -> None:
    for who in EVERYBODY:
        if who.rstrip("2") in allowed.split():
            continue
        answer = await in_time(stack, who, name, **options)
        assert answer.startswith("✋"), (who, answer)
        assert "role" in answer or "needs" in answer or "is for" in answer, (who, answer)
    assert await acts.active(stack, "archive", "production") is None
    for name_ in ("status", "history", "health"):
        assert "✋" not in await acts.command(stack, "guest", name_)


async def in_time(stack: Stack, who: str, name: str, **options: object) -> str:
    """What is said once the person's budget allows to ask."""

    async def ask() -> str | None:
        answer = await acts.command(stack, who, name, **options)
        return None if "Try again" in answer else answer

    return await stack.until(f"a budget of {who}", ask)


# ---- panic -------------------------------------------------------------------------------------------------


async def test_a_panic_stop_holds_everything_at_once_and_releases_it(stack: Stack) -> None:
    ids = [await gated(stack), await acts.soaking(stack)]
    assert "**Panic stop is on**" in await acts.command(stack, "oncall", "panic", switch="on", reason="DNS")
    try:
        for id_ in ids:
            assert acts.part(await stack.rollout(id_), "state")["pause"]["panic"]
        refused = await acts.command(
            stack, "dev", "deploy", service="cart", version="1.5.0", environment="production"
        )
        assert "On-call switched the panic stop on: DNS" in refused
        assert "/panic switch:off" in refused
        # The requester cannot resume what a panic stop holds; rolling back is always possible.
        await acts.act(stack, "oncall", ids[1], "rollback")
        await stack.phase(ids[1], "rolled_back")
    finally:
        assert "resumed" in await acts.command(stack, "lead", "panic", switch="off")
    assert acts.part(await stack.rollout(ids[0]), "state")["pause"] is None


# ---- on call -----------------------------------------------------------------------------------------------


async def test_someone_takes_over_and_those_concerned_are_told(stack: Stack) -> None:
    who = await acts.command(stack, "guest", "oncall who", schedule="harbor")
    assert "📟 **@oncall**" in who
    assert "ghost is not in this server and cannot be called." in who
    options = {"schedule": "harbor", "user": DEV_ID, "from": "now", "until": "1h", "reason": "a dentist"}
    body = {"user": "oncall", "channel": "deploys", "command": "oncall override", "options": options}
    begun = await stack.stage.call("POST", "commands", body)
    answer = said(await stack.stage.answer(begun["interaction"]))
    assert "**@dev** is on call for `harbor` from" in answer and "instead of @oncall." in answer
    told = await stack.stage.message("alerts", "harbor: Dev is on call", "hands over to oncall")
    assert set(told["notified"]) == {"dev", "oncall"}
    assert "📟 **@dev**" in await acts.command(stack, "guest", "oncall who", schedule="harbor")
