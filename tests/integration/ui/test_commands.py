"""Slash commands, end to end against the sandbox: answers, refusals, suggestions, and what an outage looks like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.judge.history.backtest import Backtest, Fault
from bot.engine.requests.calibration import Tried
from bot.ui.interactions import responder
from tests.support import rollouts
from tests.support.responder import Stand


async def test_deploy_starts_a_rollout_and_names_its_card(stand: Stand) -> None:
    done = await stand.slash(
        "dev", "deploy", service="checkout", version="1.5.0", environment="staging", reason="sale"
    )
    assert done["state"] == "answered"
    assert done["ephemeral"]
    assert "Rollout 1" in done["message"]["text"]
    assert "#deploys" in done["message"]["text"] or "<#" in done["message"]["content"]
    rollout = stand.engine.rollouts[1]
    assert (rollout.candidate.version, rollout.reason, rollout.requester.name) == ("1.5.0", "sale", "Dev")
    assert rollout.requester.roles == {"deployer"}


async def test_a_dry_run_shows_the_plan_and_starts_nothing(stand: Stand) -> None:
    done = await stand.slash(
        "dev", "deploy", service="checkout", version="1.5.0", environment="production", dry_run=True
    )
    assert "Dry run" in done["message"]["text"]
    assert "nothing was started" in done["message"]["text"]
    assert stand.engine.rollouts == {}


async def test_a_dry_run_on_known_traffic_has_a_button_for_a_backtest(stand: Stand) -> None:
    options = {"service": "checkout", "version": "1.5.0", "environment": "production", "dry_run": True}
    new = await stand.slash("dev", "deploy", **options)
    assert new["message"]["buttons"] == []
    stand.engine.tried = Tried(Backtest(60, 0, (Fault(0.1, 15.0), Fault(0.02, None)), 0.05, 86_400.0, 600.0))
    dry = await stand.slash("dev", "deploy", **options)
    assert [button["label"] for button in dry["message"]["buttons"]] == ["Backtest"]
    pressed = await stand.press("dev", dry["message"]["id"], "Backtest")
    assert pressed["ephemeral"] and "No trouble found." in pressed["message"]["text"]
    assert "10% in about 15 s" in pressed["message"]["text"]
    stand.engine.tried = Tried(not_replayed="its plan shifts no traffic")
    pressed = await stand.press("dev", dry["message"]["id"], "Backtest")
    assert "cannot be replayed: its plan shifts no traffic." in pressed["message"]["text"]


async def test_unknown_names_offer_the_nearest(stand: Stand) -> None:
    done = await stand.slash("dev", "deploy", service="chekout", version="1.5.0", environment="staging")
    assert done["ephemeral"]
    assert "Did you mean `checkout`?" in done["message"]["text"]
    done = await stand.slash("dev", "deploy", service="checkout", version="1.5.7", environment="staging")
    assert "`1.5.1`" in done["message"]["text"]


async def test_a_guest_is_told_which_role_it_needs(stand: Stand) -> None:
    done = await stand.slash("guest", "deploy", service="checkout", version="1.5.0", environment="staging")
    assert done["ephemeral"]
    assert "You need the role" in done["message"]["text"]


async def test_an_unreachable_database_is_a_visible_refusal(stand: Stand) -> None:
    stand.engine.away = True
    done = await stand.slash("dev", "deploy", service="checkout", version="1.5.0", environment="staging")
    assert done["state"] == "answered"
    assert done["answered_ms"] < 3000
    assert "Nothing was recorded and nothing changed" in done["message"]["text"]
    assert "slipway abort" in done["message"]["text"]


async def test_an_unexpected_error_gives_a_reference(stand: Stand) -> None:
    stand.engine.raises = RuntimeError("a bug")
    done = await stand.slash("dev", "status")
    assert "Give the Slipway operator this reference" in done["message"]["text"]
    assert "a bug" not in done["message"]["text"]


async def test_a_slow_engine_is_deferred_and_answered_all_the_same(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder, "DEFER_S", 0.5)  # long before Discord gives up, for a busy machine
    stand.engine.stuck_s = 1.0
    done = await stand.slash("dev", "status")
    assert done["state"] == "answered"
    assert done["callback"] == 5
    assert done["ack_ms"] < 3000
    said = done["message"] or done["followups"][-1]
    assert "What runs where" in said["text"]


async def test_suggestions_say_what_runs_where(stand: Stand) -> None:
    choices = await stand.suggest("dev", "deploy", "version", service="checkout")
    assert [c["value"] for c in choices] == ["1.5.1", "1.5.0", "1.4.0"]
    assert choices[2]["name"].startswith("1.4.0 — staging now, production now")
    assert "not in staging or production" in choices[0]["name"]
    assert [c["value"] for c in await stand.suggest("dev", "deploy", "service", "chec")] == ["checkout"]
    lanes = await stand.suggest("dev", "deploy", "environment", service="checkout")
    assert lanes[0]["name"] == "staging — runs 1.4.0"


async def test_suggestions_are_empty_but_given_when_the_database_is_away(stand: Stand) -> None:
    stand.engine.away = True
    assert await stand.suggest("dev", "deploy", "version", service="checkout") == []
    assert [c["value"] for c in await stand.suggest("dev", "deploy", "service")] == ["checkout"]


async def test_rate_limits_say_when_to_try_again_and_spare_on_call(stand: Stand) -> None:
    stand.limiter.full["deploy"] = 7.0
    done = await stand.slash("dev", "deploy", service="checkout", version="1.5.0", environment="staging")
    assert "Try again in 7 seconds." in done["message"]["content"]
    await rollouts.soaking(stand.engine)
    done = await stand.slash("oncall", "rollback", service="checkout", environment="production")
    assert "Rolling back" in done["message"]["text"]
    assert stand.engine.rollouts[1].phase == "rolling_back"


async def test_a_rollback_of_what_another_server_started_says_where_its_card_is(stand: Stand) -> None:
    await rollouts.soaking(stand.engine)
    quay = replace(next(iter(stand.engine.catalog.guilds.values())), id=5, name="quay")
    stand.engine.catalog = replace(stand.engine.catalog, guilds={**stand.engine.catalog.guilds, 5: quay})
    stand.engine.edit(1, lambda rollout: replace(rollout, guild_id=5))
    done = await stand.slash("oncall", "rollback", service="checkout", environment="production")
    assert "Its card is in the server quay." in done["message"]["text"]
    assert stand.engine.rollouts[1].phase == "rolling_back"


async def test_lock_with_a_length_and_unlock(stand: Stand) -> None:
    done = await stand.slash(
        "dev", "lock", service="checkout", environment="production", reason="fair", **{"for": "2h"}
    )
    assert "Locked" in done["message"]["text"]
    lock = stand.engine.locks[rollouts.PRODUCTION]
    assert lock.expires is not None
    assert (lock.expires - stand.clock.now()).total_seconds() == 7200
    done = await stand.slash("dev", "unlock", service="checkout", environment="production")
    assert "Unlocked" in done["message"]["text"]
    wrong = await stand.slash(
        "dev", "lock", service="checkout", environment="production", reason="x", **{"for": "soon"}
    )
    assert "not a valid duration" in wrong["message"]["text"]


async def test_panic_holds_everything_and_releases_it(stand: Stand) -> None:
    await rollouts.soaking(stand.engine)
    done = await stand.slash("oncall", "panic", switch="on", reason="the lake is on fire")
    assert "1 rollout paused" in done["message"]["text"]
    assert stand.engine.rollouts[1].pause is not None
    done = await stand.slash("oncall", "panic", switch="off")
    assert stand.engine.rollouts[1].pause is None


async def test_status_history_and_health_answer(stand: Stand) -> None:
    for _ in range(11):
        rollout = await rollouts.deployed(stand.engine, "staging")
        stand.engine.edit(rollout.id, lambda r: _ended(r, stand))
    assert "`1.4.0`" in (await stand.slash("guest", "status"))["message"]["text"]
    first = await stand.slash("guest", "history", service="checkout")
    assert "#11" in first["message"]["text"]
    older = first["message"]["buttons"][0]
    second = await stand.press("guest", first["message"]["id"], older["label"])
    assert "#3 " in second["message"]["text"] and "#4 " not in second["message"]["text"]
    health = await stand.slash("guest", "health")
    assert "Discord gateway" in health["message"]["text"]
    assert "Redis" in health["message"]["text"]


def _ended(rollout, stand):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    from bot.domain.rollout.model import Phase

    return replace(rollout, phase=Phase.SUCCEEDED, ended_at=stand.clock.now())


async def test_rollback_offers_what_is_known_good(stand: Stand) -> None:
    found = await stand.suggest("oncall", "rollback", "version", service="checkout", environment="production")
    assert [c["value"] for c in found] == ["1.4.0"]
    assert await stand.suggest("oncall", "rollback", "version", service="checkout") == []
    assert [c["value"] for c in await stand.suggest("oncall", "rollback", "service")] == ["checkout"]
    lanes = await stand.suggest("oncall", "rollback", "environment", "prod", service="checkout")
    assert [c["value"] for c in lanes] == ["production"]


async def test_every_option_with_suggestions_has_them(stand: Stand) -> None:
    for command in ("lock", "unlock", "status", "history", "health"):
        assert [c["value"] for c in await stand.suggest("dev", command, "service")] == ["checkout"]
        assert len(await stand.suggest("dev", command, "environment", service="checkout")) == 2


async def test_names_that_do_not_exist_are_refused_when_looking_too(stand: Stand) -> None:
    for options in ({"service": "chekout"}, {"service": "checkout", "environment": "prod"}):
        done = await stand.slash("dev", "status", **options)
        assert "Did you mean" in done["message"]["text"]


async def test_a_form_opens_although_the_first_answer_was_lost(stand: Stand) -> None:
    rollout = await rollouts.deployed(stand.engine)
    rollouts.started(stand.engine, rollout.id)
    await stand.announcer.draw_card(rollout.id)
    card = await stand.card()
    await stand.fault("503", method="POST", route="/interactions/*")
    opened = await stand.press("lead", card["id"], "Reject")
    assert opened["state"] == "modal"
    assert opened["modal"]["title"] == "Reject this rollout"


async def test_a_form_outlives_the_client_that_opened_it(stand: Stand) -> None:
    rollout = await rollouts.deployed(stand.engine)
    rollouts.started(stand.engine, rollout.id)
    await stand.announcer.draw_card(rollout.id)
    card = await stand.card()
    opened = await stand.press("lead", card["id"], "Reject")
    client = stand.line.rest()
    client._connection._view_store._modals.clear()  # as after a restart
    done = await stand.submit("lead", opened["id"], Reason="not today")
    assert "rejected" in done["message"]["text"]


async def test_roll_back_by_on_call_is_never_limited_and_others_are(stand: Stand) -> None:
    rollout = await rollouts.soaking(stand.engine)
    await stand.announcer.draw_card(rollout.id)
    stand.limiter.full["deploy"] = 9.0
    card = await stand.card()
    limited = await stand.press("lead", card["id"], "Roll back")
    assert "Try again" in limited["message"]["text"]
    assert stand.engine.rollouts[rollout.id].phase == "soaking"
    done = await stand.press("oncall", card["id"], "Roll back")
    assert "rolled back" in done["message"]["text"]
    assert stand.engine.rollouts[rollout.id].phase == "rolling_back"
