"""`/silence`, end to end against the sandbox: answers, refusals and suggestions."""

from __future__ import annotations

import pytest

from tests.support import rollouts
from tests.support.responder import Stand


@pytest.fixture
async def at_five(stand: Stand) -> Stand:
    """A Wednesday, 3:00 UTC."""
    stand.clock.at = rollouts.NOW
    return stand


async def say(stand: Stand, who: str, command: str, **options: str) -> str:
    body = {"user": who, "channel": "deploys", "command": f"silence {command}", "options": options}
    done = await stand.settled((await stand.call("POST", "commands", body))["interaction"])
    assert done["ephemeral"]
    text: str = done["message"]["text"]
    return text


async def test_a_silence_is_added_listed_and_ended(at_five: Stand) -> None:
    assert "Nothing is silenced" in await say(at_five, "guest", "list")
    added = await say(
        at_five, "oncall", "add", service="checkout", until="8h", reason="**new** @everyone disks"
    )
    assert "🔕 **Silence 1:** checkout/* is silent from 2026-07-01T03:00:00" in added
    assert "to 2026-07-01T11:00:00" in added
    await say(at_five, "oncall", "add", **{"labels": "a=`b`", "from": "18:00", "until": "2h", "reason": "x"})
    shown = await say(at_five, "guest", "list")
    assert "🔕 **1** checkout/\\*: now, until 2026-07-01T11:00:00" in shown
    assert "🗓️ **2** a=\\`b\\`: from 2026-07-01T18:00:00" in shown
    assert "@everyone" not in shown.replace("@\u200beveryone", "")
    assert "**Silence 1 is over**" in await say(at_five, "oncall", "end", silence="1", reason="done")
    assert "There is no silence 1 here" in await say(at_five, "oncall", "end", silence="1")


async def test_refusals_say_what_to_do(at_five: Stand) -> None:
    usual = {"service": "checkout", "until": "2h", "reason": "x"}
    assert "to silence alerts" in await say(at_five, "guest", "add", **usual)
    assert "`soon` is not a valid time." in await say(at_five, "oncall", "add", **{**usual, "until": "soon"})
    assert "cannot be read as labels" in await say(at_five, "oncall", "add", **usual, labels="x")
    assert "Did you mean" in await say(at_five, "oncall", "add", **{**usual, "service": "chekout"})
    assert "A reason is required." in await say(at_five, "oncall", "add", **{**usual, "reason": " "})


async def test_suggestions_say_what_a_time_means(at_five: Stand) -> None:
    times = await at_five.suggest("oncall", "silence add", "until", "fri 09:00", service="checkout")
    assert [each["name"] for each in times] == ["fri 09:00 — Fri 2026-07-03 09:00 UTC"]
    services = await at_five.suggest("oncall", "silence add", "service")
    assert [each["value"] for each in services] == ["checkout"]
