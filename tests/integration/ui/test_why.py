"""`/why` and the button of that name, against the sandbox."""

from __future__ import annotations

import pytest

from bot.domain.rollout.model import Phase
from bot.ui.chart.chart import ChartError, Charts
from bot.ui.chart.evidence_chart import EvidenceCharts
from bot.ui.interactions import responder
from tests.support import rollouts
from tests.support.responder import Stand


async def failed(stand: Stand) -> int:
    """A rollout that failed in its first soak."""
    rollout = await rollouts.soaking(stand.engine)
    assert rollouts.measured(stand.engine, rollout.id, bad=40).phase is Phase.ROLLING_BACK
    return rollout.id


async def test_why_says_what_decided_and_what_would_have_changed_it(stand: Stand) -> None:
    rollout_id = await failed(stand)
    done = await stand.slash("guest", "why", service="checkout", environment="production")
    said = done["message"]["text"]
    assert done["ephemeral"]
    assert f"Rollout {rollout_id} · " in said
    assert "❌ **FAIL**" in said
    assert "of requests failed" in said
    assert "odds of " in said
    assert (
        said.index("odds of ") < said.index("What would have changed it") < said.index("fewer failed request")
    )
    assert "⟨" not in said
    assert ("why", "ok") in stand.seen
    again = await stand.slash(
        "guest", "why", service="checkout", environment="production", rollout=rollout_id
    )
    assert again["message"]["text"] == said


async def test_the_chart_is_attached_and_an_answer_without_it_is_whole(stand: Stand) -> None:
    await failed(stand)
    responder = stand.responder
    charts = Charts()
    responder.draw = EvidenceCharts(charts)
    try:
        done = await stand.slash("dev", "why", service="checkout", environment="production")
    finally:
        await charts.close()
    message = done["message"] or done["followups"][-1]
    (picture,) = message["attachments"]
    assert picture["filename"] == "evidence.png"
    assert picture["size"] > 5000

    async def cannot(_: object) -> bytes | None:
        raise ChartError("no picture today")

    responder.draw = cannot
    done = await stand.slash("dev", "why", service="checkout", environment="production")
    assert "❌ **FAIL**" in done["message"]["text"]
    assert not done["message"]["attachments"]


async def test_the_button_on_a_card_opens_its_verdict_for_everyone_and_as_often_as_one_likes(
    stand: Stand,
) -> None:
    rollout_id = await failed(stand)
    await stand.speak()
    card = await stand.card()
    assert "Why?" in [b["label"] for b in card["buttons"]]
    first = await stand.press("guest", card["id"], "Why?")
    assert first["ephemeral"]
    assert f"Rollout {rollout_id} · " in first["message"]["text"]
    second = await stand.press("guest", card["id"], "Why?")
    assert second["message"]["text"] == first["message"]["text"]
    assert stand.seen.count(("press:why", "ok")) == 2
    assert stand.engine.acts == []


async def test_a_card_has_no_such_button_before_anything_was_measured(stand: Stand) -> None:
    await rollouts.deployed(stand.engine)
    await stand.speak()
    assert "Why?" not in [b["label"] for b in (await stand.card())["buttons"]]


async def test_refusals_are_sentences(stand: Stand) -> None:
    done = await stand.slash("dev", "why", service="checkout", environment="staging")
    assert "There was no rollout of `checkout/staging` yet." in done["message"]["text"]
    done = await stand.slash("dev", "why", service="chekout", environment="staging")
    assert "Did you mean `checkout`?" in done["message"]["text"]
    rollout_id = await failed(stand)
    done = await stand.slash("dev", "why", service="checkout", environment="staging", rollout=rollout_id)
    assert f"There is no rollout #{rollout_id} on this server." in done["message"]["text"]


async def test_before_the_first_measurement_it_says_so(stand: Stand) -> None:
    await rollouts.deployed(stand.engine)
    done = await stand.slash("dev", "why", service="checkout", environment="production")
    assert "The judge has not measured this rollout: it had no traffic." in done["message"]["text"]


async def test_recent_rollouts_are_offered_newest_first(stand: Stand) -> None:
    rollout_id = await failed(stand)
    staging = await rollouts.deployed(stand.engine, "staging", "1.5.1")
    lane = {"service": "checkout", "environment": "production"}
    offered = await stand.suggest("dev", "why", "rollout", **lane)
    assert [(c["value"], c["name"]) for c in offered] == [
        (rollout_id, f"#{rollout_id} 1.5.0 → production: rolling back, 1 min ago")
    ]
    offered = await stand.suggest("dev", "why", "rollout", service="checkout")
    assert [c["value"] for c in offered] == [staging.id, rollout_id]
    assert [c["value"] for c in await stand.suggest("dev", "why", "environment", service="checkout")] == [
        "staging",
        "production",
    ]


async def test_a_slow_answer_is_deferred_in_time(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "DEFER_S", 0.5)  # long before Discord gives up, for a busy machine
    await failed(stand)
    stand.engine.stuck_s = 0.5  # twice: for the newest rollout, and for its verdict
    done = await stand.slash("dev", "why", service="checkout", environment="production")
    assert (done["state"], done["callback"]) == ("answered", 5)
    assert done["ack_ms"] < 3000
    said = done["message"] or done["followups"][-1]
    assert "❌ **FAIL**" in said["text"]
