"""A service that becomes sick while no rollout is active: people are told, take it, and end it."""

from __future__ import annotations

import asyncio
import time

import pytest

from demo.stories.stage import Json, said
from tests.support.e2e import acts
from tests.support.e2e.stack import Stack, lanes, marks

pytestmark = [*marks("alerts"), pytest.mark.real]
LANES = lanes("checkout/staging", "checkout/production", rate=20)
CATALOG = acts.CREW
LANE = ("checkout", "production")


async def alerted(stack: Stack, *words: str, after: int = 0, button: str | None = None) -> Json:
    """The newest card of an alert with these words."""
    return await stack.stage.message("alerts", *words, after=after, button=button, timeout_s=60)


async def newest(stack: Stack) -> int:
    return await stack.stage.last_message("alerts")


async def test_a_sick_service_is_told_at_once_to_whom_it_concerns_and_once(stack: Stack) -> None:
    before = await newest(stack)
    await stack.behave(*LANE, "1.4.0", error_rate=0.5)
    began = time.monotonic()
    card = await alerted(
        stack, "Many requests fail", "checkout → production", after=before, button="Acknowledge"
    )
    print(f"alerted {time.monotonic() - began:.1f} s after the service became sick")
    assert "Critical" in card["text"]
    assert "None that Slipway knows of." in card["text"]
    assert not any(button["label"].startswith("Roll back") for button in card["buttons"])
    assert "oncall" in str(card["mentions"]), card["mentions"]

    health = await acts.command(stack, "dev", "health")
    assert "1 alert open" in health
    assert "All is well" not in health

    told = said(await stack.stage.press("oncall", card["id"], "Acknowledge"))
    assert "You have alert" in told
    await alerted(stack, "acknowledged by", after=before)

    await stack.behave(*LANE, "1.4.0", error_rate=0.0)
    await alerted(stack, "It is resolved if it stays so", after=before)
    told = said(await stack.stage.press("oncall", card["id"], "Resolve"))
    assert "is resolved" in told
    over = await alerted(stack, "✅ Resolved", after=before)
    assert over["id"] == card["id"]
    assert over["buttons"] == []
    await asyncio.sleep(1)
    cards = [m for m in await stack.stage.messages("alerts") if int(m["id"]) > before]
    assert len(cards) == 1


async def test_the_deploy_shortly_before_is_rolled_back_from_the_card(stack: Stack) -> None:
    await stack.phase(await stack.deploy("checkout", "1.5.0", "staging"), "succeeded")
    id_ = await stack.deploy("checkout", "1.5.0", "production")
    for who in ("lead", "lead2"):
        await stack.approved(id_, who)
    await acts.promoted_by_all(stack, id_)

    before = await newest(stack)
    await stack.behave(*LANE, "1.5.0", error_rate=0.5)
    card = await alerted(stack, "Many requests fail", after=before, button="Roll back to 1.4.0")
    assert "1.4.0 → 1.5.0 by Dev" in card["text"].replace("`", "")
    assert "a plausible cause" in card["text"]
    told = said(await stack.stage.press("guest", card["id"], "Roll back to 1.4.0"))
    assert "You need" in told or "role" in told

    told = said(await stack.stage.press("oncall", card["id"], "Roll back to 1.4.0"))
    assert "Rolling back" in told
    await stack.served_by(*LANE, "1.4.0")
    shown = await alerted(stack, "rollback by", after=before)
    assert shown["id"] == card["id"]
    again = await stack.newest(*LANE)
    assert again > id_
    await stack.phase(again, "succeeded")
    # What the former release served is no trouble of this one.
    await alerted(stack, "It is resolved if it stays so", after=before)
    assert "is resolved" in said(await stack.stage.press("oncall", card["id"], "Resolve"))


async def test_a_bot_killed_in_an_alert_and_its_incident_posts_no_second_card(stack: Stack) -> None:
    before = await newest(stack)
    await stack.behave(*LANE, "1.4.0", error_rate=0.5)
    card = await alerted(stack, "Many requests fail", after=before, button="Open incident")
    assert "is incident" in said(await stack.stage.press("lead", card["id"], "Open incident"))
    await stack.kill_bot()
    await stack.bot_back()
    told = said(await stack.stage.press("oncall", card["id"], "Acknowledge"))
    assert "You have alert" in told
    await alerted(stack, "acknowledged by", after=before)
    cards = [m for m in await stack.stage.messages("alerts") if int(m["id"]) > before]
    assert len(cards) == 1
    await stack.behave(*LANE, "1.4.0", error_rate=0.0)
    words = ("Many requests fail", "Acknowledged after")
    shown = await stack.stage.message("incidents", *words, button="Close", timeout_s=60)
    titled = [m for m in await stack.stage.messages("incidents") if "Who has it" in m["text"]]
    assert [m["id"] for m in titled] == [shown["id"]]
