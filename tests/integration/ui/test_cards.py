"""Cards, logs and notices against the sandbox: they are drawn, pressed, moved, deleted and found again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from discord_sandbox.discord.actions import posts
from discord_sandbox.discord.rest import endpoint

from bot.domain.records import Active
from bot.domain.rollout.events import Delayed
from bot.domain.rollout.model import Phase
from bot.engine.api import RolloutView
from bot.ports.errors import Unreachable
from bot.ports.notifications import Notice
from bot.ports.store import CardRef
from bot.ui.cards.scheduler import NUMBERS_EVERY_S
from bot.ui.message_budget import MessageBudget, Priority
from tests.support import rollouts
from tests.support.responder import Json, Stand, standing
from tests.support.waiting import PATIENCE_S


async def gated(stand: Stand, reason: str = "") -> Json:
    """A rollout to production at its gate, with its card."""
    rollout = await rollouts.deployed(stand.engine, reason=reason, who=await person(stand, "dev", "deployer"))
    rollouts.started(stand.engine, rollout.id)
    await stand.speak()
    return await stand.card(rollout.id)


async def person(stand: Stand, name: str, role: str):  # type: ignore[no-untyped-def]
    from bot.domain.rollout.model import Actor

    return Actor(int(stand.sandbox.person_id(name)), name, frozenset({role}))


def labels(message: Json) -> set[str]:
    return {b["label"] for b in message["buttons"] if b["enabled"]}


async def test_a_gate_shows_one_card_with_a_log_and_calls_those_who_may_approve(stand: Stand) -> None:
    card = await gated(stand, reason="the sale")
    assert "Waiting for approval" in card["text"]
    assert "Approvals: 0 of 1" in card["text"]
    assert "Rollback:" in card["text"]
    assert {"Approve", "Reject", "Cancel"} <= labels(card)
    assert card["notified"] == []
    assert card["thread"] is not None
    log = await stand.messages(card["thread"]["id"])
    assert any("Dev" in m["text"] or "dev" in m["text"] for m in log)
    called = [m for m in await stand.messages() if m["notified"]]
    assert len(called) == 1
    assert set(called[0]["notified"]) == {"lead", "lead2"}
    assert "needs approval" in called[0]["text"]
    cards = [m for m in await stand.messages() if m["buttons"]]
    assert len(cards) == 1


async def test_roles_are_looked_at_when_someone_presses(stand: Stand) -> None:
    card = await gated(stand)
    refused = await stand.press("guest", card["id"], "Approve")
    assert refused["ephemeral"]
    assert "release-manager" in refused["message"]["text"]
    own = await stand.press("dev", card["id"], "Approve")
    assert "you cannot approve it" in own["message"]["text"]
    await stand.call("PATCH", "people/lead", {"roles": []})
    gone = await stand.press("lead", card["id"], "Approve")
    assert "release-manager" in gone["message"]["text"]
    assert stand.engine.rollouts[1].phase is Phase.GATED
    done = await stand.press("lead2", card["id"], "Approve")
    assert "approved" in done["message"]["text"]
    assert stand.engine.rollouts[1].phase is Phase.SHIFTING
    await stand.speak()
    assert "Approve" not in labels(await stand.card())


async def test_reject_asks_for_a_reason_and_ends_it(stand: Stand) -> None:
    card = await gated(stand)
    opened = await stand.press("lead", card["id"], "Reject")
    assert opened["state"] == "modal"
    done = await stand.submit("lead", opened["id"], Reason="The **fair** is today @everyone")
    assert "rejected" in done["message"]["text"]
    rollout = stand.engine.rollouts[1]
    assert rollout.phase is Phase.CANCELLED
    assert "fair" in rollout.outcome
    await stand.speak()
    assert labels(await stand.card()) == set()
    assert all("@everyone" not in m["notified"] for m in await stand.messages())


async def test_a_press_on_a_finished_card_is_told_so(stand: Stand) -> None:
    card = await gated(stand)
    custom_id = next(b["custom_id"] for b in card["buttons"] if b["label"] == "Approve")
    opened = await stand.press("lead", card["id"], "Reject")
    await stand.submit("lead", opened["id"], Reason="not today")
    await stand.speak()
    late = await stand.press("lead2", card["id"], raw=custom_id)
    assert late["state"] == "answered"
    assert "has ended" in late["message"]["text"]


async def test_an_interaction_delivered_twice_does_one_thing_once(stand: Stand) -> None:
    card = await gated(stand)
    await stand.fault("duplicate_delivery")
    done = await stand.press("lead", card["id"], "Approve")
    assert "approved" in done["message"]["text"]
    await stand.until(lambda: len([s for s in stand.seen if s[0] == "press:approve"]) == 2)
    assert len(stand.engine.acts) == 1


async def test_two_people_pressing_at_once_do_one_thing_once(stand: Stand) -> None:
    card = await gated(stand)
    both = await asyncio.gather(
        stand.press("lead", card["id"], "Approve"), stand.press("lead2", card["id"], "Approve")
    )
    assert all(b["ephemeral"] for b in both)
    assert stand.engine.rollouts[1].phase is Phase.SHIFTING
    assert len(stand.engine.rollouts[1].grants) == 1


async def test_a_press_while_the_database_is_away_is_refused_visibly(stand: Stand) -> None:
    card = await gated(stand)
    stand.engine.away = True
    done = await stand.press("lead", card["id"], "Approve")
    assert done["answered_ms"] < 3000
    assert "nothing changed" in done["message"]["text"]


async def test_a_press_that_hangs_is_answered_within_three_seconds(stand: Stand) -> None:
    card = await gated(stand)
    stand.engine.stuck_s = 30.0
    done = await stand.press("lead", card["id"], "Approve")
    assert done["answered_ms"] < 3000
    assert "Not confirmed" in done["message"]["text"]


async def test_a_button_of_another_version_is_explained(stand: Stand) -> None:
    card = await gated(stand)
    done = await stand.press("lead", card["id"], raw="slipway:1:1:teleport:")
    assert "another version of Slipway" in done["message"]["text"]


async def test_buttons_outlive_the_client(stand: Stand) -> None:
    card = await gated(stand)
    await stand.fault("op9")
    await stand.until(lambda: not stand.line.connected)
    await stand.until(lambda: stand.line.connected)
    done = await stand.press("lead", card["id"], "Approve")
    assert "approved" in done["message"]["text"]


async def test_an_automatic_rollback_calls_on_call_in_alerts_with_an_embed(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine, version="1.5.1")
    await stand.speak()
    rollouts.measured(stand.engine, rollout.id, 200, 30)
    assert stand.engine.rollouts[rollout.id].phase is Phase.ROLLING_BACK
    await stand.speak()
    alerts = await stand.messages("alerts")
    assert len(alerts) == 1
    assert alerts[0]["notified"] == ["oncall"]
    assert alerts[0]["embeds"]
    assert "1.5.1" in alerts[0]["text"]
    assert "limit" in alerts[0]["text"]
    told = [m for m in await stand.messages() if "is being rolled back" in m["text"]]
    assert len(told) == 1
    assert told[0]["notified"] == []
    rollouts.serving(stand.engine, rollout.id)
    await stand.speak()
    assert "Rolled back" in (await stand.card())["text"]


async def test_numbers_follow_without_holding_up_the_engine(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine)
    await stand.speak()
    rollouts.measured(stand.engine, rollout.id, 777)
    await stand.announcer.draw_card(rollout.id)
    await stand.until(lambda: _says(stand, "977"))


async def test_progress_of_a_slow_start_is_shown_at_the_pace_of_numbers(stand: Stand) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    rollout = await rollouts.deployed(stand.engine)
    await stand.speak()
    for done in range(100):
        why = f"1.5.0 is starting: pulling {done} of 99 MB"
        stand.engine.happen(rollout.id, Delayed(rollout.generation, stand.clock.now(), why))
        await stand.speak()
    await stand.until(lambda: _says(stand, "pulling 99 of 99 MB"))
    edits = await stand.requests("PATCH", "/messages/")
    assert len(edits) * NUMBERS_EVERY_S <= loop.time() - began


async def _says(stand: Stand, word: str) -> bool:
    return word in (await stand.card())["text"]


async def test_equal_cards_are_not_edited_again(stand: Stand) -> None:
    await gated(stand)
    before = len(await stand.requests("PATCH", "/messages/"))
    for _ in range(5):
        await stand.announcer.draw_card(1)
    assert len(await stand.requests("PATCH", "/messages/")) == before


@pytest.mark.parametrize("kind", ["500_after_apply", "503", "reset_after_apply"])
async def test_a_failing_post_does_not_double_the_card(stand: Stand, kind: str) -> None:
    await rollouts.deployed(stand.engine)
    await stand.fault(kind, method="POST", route="/channels/{channel}/messages")
    for _ in range(3):
        try:
            await stand.announcer.draw_card(1)
            break
        except Unreachable:
            continue
    cards = [m for m in await stand.messages() if m["buttons"]]
    assert len(cards) == 1
    assert cards[0]["id"] == str(stand.books.cards[1].message_id)


@pytest.mark.parametrize("kind", ["503", "reset_after_apply"])
async def test_a_card_that_was_posted_before_a_crash_is_found_again(stand: Stand, kind: str) -> None:
    """The answer was lost, the nonce has run out, and the process is another one."""
    await rollouts.deployed(stand.engine)
    await stand.fault(kind, method="POST", route="/channels/{channel}/messages")
    with pytest.raises(Unreachable):
        await stand.announcer.draw_card(1)
    await stand.call("POST", "clock", {"advance": 3600})
    await stand.announcer.draw_card(1)
    assert len([m for m in await stand.messages() if m["buttons"]]) == 1


@pytest.mark.parametrize("kind", ["500_after_apply", "503", "reset_after_apply"])
async def test_a_failing_notice_is_heard_once(stand: Stand, kind: str) -> None:
    rollout = await rollouts.soaking(stand.engine, version="1.5.1")
    await stand.announcer.draw_card(rollout.id)
    rollouts.measured(stand.engine, rollout.id, 200, 30)
    alarm = Notice("n-1", rollout.id, "rolled_back", "It failed.", ("on-call",))
    await stand.fault(kind, method="POST", route="/channels/{channel}/messages", count=2)
    for _ in range(4):
        try:
            await stand.announcer.notify(alarm)
            break
        except Unreachable:
            await stand.call("POST", "clock", {"advance": 900})
    assert len(await stand.messages("alerts")) == 1
    assert len([m for m in await stand.messages() if "is being rolled back" in m["text"]]) == 1


async def test_a_deleted_card_is_made_again(stand: Stand) -> None:
    card = await gated(stand)
    await stand.call("DELETE", f"messages/{card['id']}")
    rollouts.approved(stand.engine, 1)
    await stand.speak()
    fresh = await stand.card()
    assert fresh["id"] != card["id"]
    assert "Moving to 5%" in fresh["text"]


async def test_a_deleted_thread_is_made_again(stand: Stand) -> None:
    card = await gated(stand)
    await stand.call("DELETE", f"channels/{card['thread']['id']}")
    await stand.announcer.log_line(1, "late", "Still going.", stand.clock.now())
    thread = stand.books.cards[1].thread_id
    assert thread is not None
    assert any("Still going" in m["text"] for m in await stand.messages(str(thread)))


async def test_a_closed_channel_is_reported_in_alerts_and_nothing_is_raised(stand: Stand) -> None:
    await rollouts.deployed(stand.engine)
    await stand.call(
        "PATCH", "channels/deploys", {"permissions": {"SEND_MESSAGES": False}, "application": "slipway"}
    )
    await stand.announcer.draw_card(1)
    await stand.announcer.draw_card(1)
    assert stand.books.cards == {}
    reports = await stand.messages("alerts")
    assert len(reports) == 1
    assert "The rollout continues" in reports[0]["text"]
    # Refusals count towards a ban: the channel is left alone for a while.
    assert len(await stand.requests("POST", "/messages")) == 2


async def test_an_alarm_that_alerts_does_not_take_is_heard_in_deploys(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine, version="1.5.1")
    await stand.announcer.draw_card(rollout.id)
    await stand.call("DELETE", "channels/alerts")
    await stand.announcer.notify(Notice("n-1", rollout.id, "rolled_back", "It failed.", ("on-call",)))
    assert any(m["notified"] == ["oncall"] for m in await stand.messages())


async def test_a_card_moves_before_it_is_an_hour_old(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine)
    await stand.announcer.draw_card(rollout.id)
    old = await stand.card()
    stand.clock.forward(3100)
    rollouts.measured(stand.engine, rollout.id, 400)
    await stand.announcer.draw_card(rollout.id)
    await stand.until(lambda: stand.books.cards[rollout.id].message_id != int(old["id"]))
    fresh = await stand.card()
    left = await stand.call("GET", f"messages/{old['id']}?as=dev")
    assert left["buttons"] == []
    assert "moved down" in left["text"]
    assert fresh["id"] in left["text"]
    assert "Roll back" in labels(fresh)
    assert stand.books.cards[rollout.id].thread_id == int(old["id"])
    await stand.announcer.log_line(rollout.id, "l-9", "After the move.", stand.clock.now())
    assert any("After the move" in m["text"] for m in await stand.messages(old["id"]))


async def test_a_card_from_before_a_restart_is_edited_and_keeps_its_chart(tmp_path: Path) -> None:
    png = bytes.fromhex("89504e470d0a1a0a") + b"\0" * 64

    async def chart(seen: object) -> bytes:
        return png

    async with standing(tmp_path, chart=chart) as stand:
        rollout = await rollouts.soaking(stand.engine)
        rollouts.measured(stand.engine, rollout.id)
        await stand.announcer.draw_card(rollout.id)
        await stand.until(lambda: _pictured(stand))
        from bot.ui.announcer import DiscordAnnouncer

        again = DiscordAnnouncer(
            stand.line.rest,
            stand.engine.card,
            stand.books,
            stand.books,
            lambda: stand.engine.catalog,
            stand.clock,
            chart=chart,
            measured=stand.engine.view,
        )
        rollouts.serving(stand.engine, rollout.id)
        rollouts.measured(stand.engine, rollout.id, 200, 60)
        await again.draw_card(rollout.id)
        await again.close()
        card = await stand.card()
        assert "Rolling back" in card["text"]
        assert len(card["attachments"]) == 1


async def test_the_last_card_of_a_quick_rollback_has_a_chart_of_everything_measured(tmp_path: Path) -> None:
    drawn: list[tuple[Phase, int]] = []

    async def chart(seen: RolloutView) -> bytes:
        drawn.append((seen.rollout.phase, len(seen.series)))
        return bytes.fromhex("89504e470d0a1a0a") + bytes([len(drawn)]) * 64

    async with standing(tmp_path, chart=chart) as stand:
        rollout = await rollouts.soaking(stand.engine)
        rollouts.measured(stand.engine, rollout.id)
        await stand.announcer.draw_card(rollout.id)
        await stand.until(lambda: _pictured(stand))
        before = (await stand.card())["attachments"]
        rollouts.serving(stand.engine, rollout.id)
        rollouts.measured(stand.engine, rollout.id, 200, 60)
        rollouts.serving(stand.engine, rollout.id)
        # Well within the ten seconds that charts of running rollouts keep: it is there when the order is done.
        await stand.announcer.draw_card(rollout.id)
        card = await stand.card()
        assert "Rolled back" in card["text"]
        assert drawn[-1] == (Phase.ROLLED_BACK, 3)
        assert len(card["attachments"]) == 1 and card["attachments"] != before


async def test_the_chart_of_half_an_hour_waits_longer_for_the_next_one_until_the_state_changes(
    tmp_path: Path,
) -> None:
    async def chart(seen: RolloutView) -> bytes:
        return bytes.fromhex("89504e470d0a1a0a") + b"\0" * 64

    async with standing(tmp_path, chart=chart) as stand:
        rollout = await rollouts.soaking(stand.engine)
        rollouts.measured(stand.engine, rollout.id, seconds=2000.0)
        await stand.announcer.draw_card(rollout.id)
        await stand.until(lambda: _pictured(stand))
        (entry,) = stand.announcer._scheduler._entries.values()
        assert entry.chart_every_s == 20.0
        rollouts.measured(stand.engine, rollout.id, 200, 60)
        await stand.announcer.draw_card(rollout.id)
        assert "Rolling back" in (await stand.card())["text"]
        assert entry.chart_every_s == 10.0


async def test_a_chart_that_was_slow_does_not_replace_the_last_one(tmp_path: Path) -> None:
    """A soaking rollout's chart is still being drawn when the rollout ends."""
    drawing, go_on = asyncio.Event(), asyncio.Event()
    last = bytes.fromhex("89504e470d0a1a0a") + b"\2" * 80

    async def chart(seen: RolloutView) -> bytes:
        if seen.rollout.phase.final:
            return last
        drawing.set()
        await go_on.wait()
        return bytes.fromhex("89504e470d0a1a0a") + b"\1" * 64

    async with standing(tmp_path, chart=chart) as stand:
        rollout = await rollouts.soaking(stand.engine)
        rollouts.measured(stand.engine, rollout.id)
        await stand.announcer.draw_card(rollout.id)
        await drawing.wait()
        rollouts.serving(stand.engine, rollout.id)
        rollouts.measured(stand.engine, rollout.id, 200, 60)
        rollouts.serving(stand.engine, rollout.id)
        await stand.announcer.draw_card(rollout.id)
        before = await stand.card()
        assert [a["size"] for a in before["attachments"]] == [len(last)]
        go_on.set()
        for _ in range(20):
            await asyncio.sleep(0.02)
            assert (await stand.card())["attachments"] == before["attachments"]


async def test_no_chart_is_drawn_before_its_channel_has_room(tmp_path: Path) -> None:
    drawn: list[int] = []

    async def chart(seen: RolloutView) -> bytes:
        drawn.append(len(seen.series))
        return bytes.fromhex("89504e470d0a1a0a") + b"\0" * 64

    # One message of a window is for numbers and charts, and the new card takes it.
    budget = MessageBudget(burst=3, window_s=10 * PATIENCE_S, kept_back=2)
    async with standing(tmp_path, chart=chart, budget=budget) as stand:
        rollout = await rollouts.soaking(stand.engine)
        rollouts.measured(stand.engine, rollout.id)
        await stand.announcer.draw_card(rollout.id)
        rollouts.measured(stand.engine, rollout.id)
        await stand.announcer.refresh(measuring(stand))
        await asyncio.sleep(0.3)
        assert drawn == []

        async def pictured() -> bool:
            window_over(budget)
            await stand.announcer.refresh(measuring(stand))
            return await _pictured(stand)

        await stand.until(pictured)
        assert drawn == [3], "it shows what was measured by the time there was room"


def window_over(budget: MessageBudget) -> None:
    """All channels have room again."""
    for channel in budget._channels.values():
        channel.taken.clear()
        channel.changed.set()


async def _pictured(stand: Stand) -> bool:
    return bool((await stand.card())["attachments"])


async def test_hostile_words_stay_words(stand: Stand) -> None:
    hostile = "@everyone <@&1> **bold** [click](https://evil.example) `code` ||spoiler|| " * 60
    card = await gated(stand, reason=hostile[:4000])
    assert card["notified"] == []
    assert len(card["text"]) < 4000
    for message in await stand.messages():
        assert "dev" not in message["notified"]
        assert set(message["notified"]) <= {"lead", "lead2"}


async def test_a_card_far_in_the_past_is_found_by_its_reference(stand: Stand) -> None:
    """A message that an administrator removed along with the channel is no reason to raise."""
    await rollouts.deployed(stand.engine)
    stand.books.cards[1] = CardRef(1, 1234, 5678, None, stand.clock.now())
    await stand.announcer.draw_card(1)
    assert stand.books.cards[1].channel_id == int(stand.sandbox.channel_id("deploys"))


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_being_limited_delays_a_card_and_doubles_nothing(stand: Stand, scope: str) -> None:
    await rollouts.deployed(stand.engine)
    more = {"retry_after": 0.3, "scope": scope, "count": 2}
    await stand.fault("429", method="POST", route="/channels/{channel}/messages", **more)
    await stand.announcer.draw_card(1)
    assert len([m for m in await stand.messages() if m["buttons"]]) == 1
    rollouts.started(stand.engine, 1)
    await stand.fault("429", method="PATCH", route="/channels/{channel}/messages/{message}", **more)
    await stand.announcer.draw_card(1)
    assert "Waiting for approval" in (await stand.card())["text"]


@pytest.mark.parametrize("kind", ["500_after_apply", "503", "reset_after_apply"])
async def test_a_failing_edit_is_tried_again(stand: Stand, kind: str) -> None:
    await rollouts.deployed(stand.engine)
    await stand.announcer.draw_card(1)
    rollouts.started(stand.engine, 1)
    await stand.fault(kind, method="PATCH", route="/channels/{channel}/messages/{message}")
    for _ in range(3):
        try:
            await stand.announcer.draw_card(1)
            break
        except Unreachable:
            continue
    assert "Waiting for approval" in (await stand.card())["text"]
    assert len([m for m in await stand.messages() if m["buttons"]]) == 1


@pytest.mark.parametrize("kind", ["500_after_apply", "503", "reset_after_apply"])
async def test_a_failing_answer_still_reaches_the_person_and_acts_once(stand: Stand, kind: str) -> None:
    card = await gated(stand)
    await stand.fault(kind, method="POST", route="/interactions/*")
    done = await stand.press("lead", card["id"], "Approve")
    assert done["state"] == "answered"
    assert "approved" in done["message"]["text"]
    assert len(stand.engine.acts) == 1


async def test_log_lines_of_a_former_life_are_not_said_twice(stand: Stand) -> None:
    await gated(stand)
    at = stand.clock.now()
    await stand.announcer.log_line(1, "k-1", "Something happened.", at)
    await stand.call("POST", "clock", {"advance": 3600})
    stand.clock.forward(60)
    from bot.ui.announcer import DiscordAnnouncer

    catalog = stand.engine.catalog
    again = DiscordAnnouncer(
        stand.line.rest, stand.engine.view, stand.books, stand.books, lambda: catalog, stand.clock
    )
    await again.log_line(1, "k-1", "Something happened.", at)
    await again.close()
    thread = str(stand.books.cards[1].thread_id)
    assert len([m for m in await stand.messages(thread) if "Something happened" in m["text"]]) == 1


async def test_nothing_is_said_while_discord_is_away_and_the_engine_tries_again(stand: Stand) -> None:
    await rollouts.deployed(stand.engine)
    stand.line.hold(None, "reconnecting")
    with pytest.raises(Unreachable):
        await stand.announcer.draw_card(1)
    with pytest.raises(Unreachable):
        await stand.announcer.notify(Notice("n", 1, "held", "why"))


async def test_an_unknown_rollout_or_a_server_that_left_the_catalog_is_no_error(stand: Stand) -> None:
    await stand.announcer.draw_card(99)
    await stand.announcer.log_line(99, "k", "x", stand.clock.now())
    await stand.announcer.notify(Notice("n", 99, "held", "why"))
    await rollouts.deployed(stand.engine)
    stand.engine.edit(1, lambda r: replace(r, guild_id=1))
    await stand.announcer.draw_card(1)
    assert stand.books.cards == {}


async def test_without_thread_permission_the_card_stands_alone(stand: Stand) -> None:
    denied = {"CREATE_PUBLIC_THREADS": False}
    await stand.call("PATCH", "channels/deploys", {"permissions": denied, "application": "slipway"})
    await stand.call("PATCH", "channels/deploys", {"permissions": denied, "role": "@everyone"})
    await rollouts.deployed(stand.engine)
    await stand.announcer.draw_card(1)
    await stand.announcer.log_line(1, "k", "x", stand.clock.now())
    assert stand.books.cards[1].thread_id is None
    assert len(await stand.requests("POST", "/threads")) == 1


async def test_a_message_too_old_to_edit_moves(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord's clock ran ahead of ours: the cap on edits of old messages is met, and the card moves."""
    monkeypatch.setattr(posts, "OLD_EDITS", 3)
    monkeypatch.setattr(endpoint, "RETRY_AFTER_S", 0.05)  # discord.py tries five times
    rollout = await rollouts.soaking(stand.engine)
    await stand.announcer.draw_card(rollout.id)
    old = await stand.card()
    await stand.call("POST", "clock", {"advance": 3700})
    for word in range(6):
        stand.engine.edit(
            rollout.id, lambda r, word=word: replace(r, reason=f"edit {word}", observed_weight=word)
        )
        await stand.announcer.draw_card(rollout.id)
        if stand.books.cards[rollout.id].message_id != int(old["id"]):
            break
    fresh = await stand.card()
    assert fresh["id"] != old["id"]
    assert "Roll back" in labels(fresh)


async def test_an_archived_log_goes_on(stand: Stand) -> None:
    card = await gated(stand)
    await stand.call("PATCH", f"channels/{card['thread']['id']}", {"archived": True})
    await stand.announcer.log_line(1, "k-9", "Woken up.", stand.clock.now())
    assert any("Woken up" in m["text"] for m in await stand.messages(card["thread"]["id"]))


async def test_a_halt_calls_on_call_even_if_no_one_is_named(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine)
    await stand.announcer.notify(Notice("n-1", rollout.id, "halted", "Stable is gone."))
    (alert,) = await stand.messages("alerts")
    assert alert["notified"] == ["oncall"]
    assert "manual action required" in alert["text"]


async def test_a_rollback_does_not_stand_behind_the_numbers_of_its_own_rollout(tmp_path: Path) -> None:
    budget = MessageBudget(burst=4, window_s=10 * PATIENCE_S, kept_back=3)
    async with standing(tmp_path, budget=budget) as stand:
        rollout = await rollouts.soaking(stand.engine)
        await stand.announcer.draw_card(rollout.id)
        rollouts.measured(stand.engine, rollout.id, 777)
        await stand.announcer.draw_card(rollout.id)
        await asyncio.sleep(2.3)  # the numbers wait for a turn that does not come
        rollouts.measured(stand.engine, rollout.id, 200, 90)
        async with asyncio.timeout(PATIENCE_S):
            await stand.announcer.draw_card(rollout.id)
        assert "Rolling back" in (await stand.card())["text"]


async def test_a_rollout_with_the_number_of_one_that_the_database_lost_has_a_card_of_its_own(
    stand: Stand,
) -> None:
    lost = await rollouts.deployed(stand.engine)
    await stand.announcer.draw_card(lost.id)
    old = await stand.card()
    stand.books.cards.clear()
    stand.books.notes.clear()
    later = lost.created_at + timedelta(seconds=5)
    stand.engine.edit(lost.id, lambda r: replace(r, created_at=later, reason="the one after the failover"))
    await stand.announcer.draw_card(lost.id)
    assert stand.books.cards[lost.id].message_id != int(old["id"])
    cards = [m for m in await stand.messages() if m["buttons"]]
    assert len(cards) == 2
    assert (
        "the one after the failover" in cards[-1]["text"] or "the one after the failover" in cards[0]["text"]
    )


# ---- measurements of many ----------------------------------------------------------------------------------


def measuring(stand: Stand) -> list[Active]:
    return [
        Active(r.id, r.guild_id, r.lane, r.phase, judged=True, version=r.version, created_at=r.created_at)
        for r in stand.engine.rollouts.values()
        if not r.phase.final
    ]


async def test_new_measurements_are_shown_and_the_same_ones_are_not_drawn_again(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine)
    await stand.announcer.draw_card(rollout.id)
    stand.engine.views = 0
    await stand.announcer.refresh(measuring(stand))
    await asyncio.sleep(0.1)
    assert stand.engine.views == 0, "nothing was measured since the card was drawn"
    rollouts.measured(stand.engine, rollout.id, 777)

    async def shown() -> bool:
        await stand.announcer.refresh(measuring(stand))
        return "977" in (await stand.card())["text"]

    await stand.until(shown)


async def test_new_measurements_of_a_known_card_take_one_look_and_one_turn_in_its_channel(
    tmp_path: Path,
) -> None:
    budget = MessageBudget(burst=10, window_s=60.0, kept_back=0)
    async with standing(tmp_path, budget=budget) as stand:
        rollout = await rollouts.soaking(stand.engine)
        await stand.announcer.draw_card(rollout.id)
        channel = stand.books.cards[rollout.id].channel_id
        room = budget.room(channel, Priority.NUMBERS)
        rollouts.measured(stand.engine, rollout.id, 777)
        stand.engine.views = 0

        async def shown() -> bool:
            await stand.announcer.refresh(measuring(stand))
            return "977" in (await stand.card())["text"]

        await stand.until(shown)
        assert stand.engine.views == 1
        assert budget.room(channel, Priority.NUMBERS) == room - 1


async def test_of_many_cards_only_those_are_read_for_which_there_is_room(tmp_path: Path) -> None:
    """A thousand rollouts in a channel, of which five messages in five seconds can tell."""
    async with standing(tmp_path, budget=MessageBudget(burst=3, window_s=60.0, kept_back=1)) as stand:
        one = await rollouts.soaking(stand.engine)
        for number in range(1000, 2000):
            stand.engine.rollouts[number] = replace(one, id=number)
        stand.engine.views = 0
        for _ in range(20):
            await stand.announcer.refresh(measuring(stand))
            await asyncio.sleep(0.1)
        # Two messages are for numbers; each is read before and after it waits for its turn.
        assert len(stand.books.cards) == 2
        assert stand.engine.views <= 8
