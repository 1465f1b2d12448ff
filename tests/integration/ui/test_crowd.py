"""Many people at the buttons at the same moment."""

from __future__ import annotations

import asyncio

import pytest
from discord_sandbox.discord.actions import interactions

from bot.engine.api import ActRequest, ActResult
from bot.ui.interactions import responder
from tests.support.responder import Stand


async def test_a_queue_is_no_outage_everybody_is_answered(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Discord's three seconds and what follows from them take twice as long, for machines that are as slow.
    monkeypatch.setattr(interactions, "FIRST_ANSWER", 2 * interactions.FIRST_ANSWER)
    for name in ("DEFER_S", "PRESS_S", "OLDEST_S"):
        monkeypatch.setattr(responder, name, 2 * getattr(responder, name))
    monkeypatch.setattr(responder, "QUEUE_S", 0.2)
    await stand.slash("dev", "deploy", service="checkout", version="1.5.0", environment="production")
    await stand.speak()
    card = await stand.card()
    stand.engine.stuck_s = 1.0  # so that forty take longer than Discord waits for a first answer
    line, act = asyncio.Semaphore(6), stand.engine.act

    async def in_line(request: ActRequest) -> ActResult:
        """As the stepper has it: so many are saved side by side, and the others wait."""
        async with line:
            return await act(request)

    stand.engine.act = in_line  # type: ignore[method-assign]
    press = {"user": "dev", "message": card["id"], "button": "Pause"}
    begun = await stand.call("POST", "presses", {"presses": [press] * 40})
    found = [await stand.settled(each) for each in begun["interactions"]]
    assert {one["state"] for one in found} == {"answered"}
    assert {one["callback"] for one in found} == {4, 5}  # some at once, who waited for long after a deferral
    said = [one["message"]["text"] for one in found]
    assert all(text.startswith(("✅", "☑️")) for text in said), set(said)
    assert stand.engine.rollouts[1].pause is not None
