"""The words that people are called with: who is mentioned where, and no one else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import phrasebook
from bot.ports.notifications import Announcement, Notice
from bot.ui import escaping
from bot.ui.notices import alert_words, nonce, words
from tests.support import rollouts
from tests.support.discord_specs import request_errors


async def test_an_alarm_calls_roles_in_alerts_and_people_in_deploys() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine, version="1.5.1")
    rollouts.measured(engine, rollout.id, 200, 60)
    notice = Notice("n-7", rollout.id, "rolled_back", "It failed.", ("on-call",), (11,))
    alerts, deploys = words(notice, await engine.view(rollout.id), [500], "https://card")
    assert (alerts.channel, alerts.roles, alerts.users) == ("alerts", (500,), ())
    assert alerts.content.startswith("<@&500> ")
    assert alerts.embed is not None
    fields = {f.name: f.value for f in alerts.embed.fields}
    assert "**15%** of 400 requests, limit **1%**" in str(fields["Judge: errors"])
    assert alerts.embed.url == "https://card"
    assert (deploys.channel, deploys.roles, deploys.users) == ("deploys", (), (11,))
    assert "<@11>" in deploys.content and "<@&" not in deploys.content
    assert alerts.nonce != deploys.nonce


async def test_an_account_of_a_machine_is_not_mentioned() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine, version="1.5.1")
    notice = Notice("n-8", rollout.id, "failed", "It failed.", (), (-9, 11))
    (deploys,) = words(notice, await engine.view(rollout.id), [], "")
    assert deploys.users == (11,)
    assert deploys.content.startswith("<@11> ")


def test_an_alert_is_posted_in_its_channel_and_calls_no_one_unless_it_says() -> None:
    told = Announcement(
        "k-1", 1, "Panic stop is on", "oncall switched it on: @everyone smoke.", channel="deploys"
    )
    post = alert_words(told, [])
    assert (post.channel, post.roles, post.users) == ("deploys", (), ())
    assert post.content.startswith("⚠️ **Panic stop is on**\noncall switched it on: ")
    assert "@everyone" not in post.content
    over = alert_words(replace(told, over=True), [])
    assert over.content.startswith("✅ ")
    usual = alert_words(
        Announcement("k-2", 1, "checkout/production: drift", "1.4.0 is gone.", ("on-call",)), [500]
    )
    assert (usual.channel, usual.roles) == ("alerts", (500,))


def test_an_alert_mentions_exactly_the_people_it_names() -> None:
    told = Announcement(
        "k-3", 1, "payments: grace is on call", "<@77> left.", mention_users=(12, 11), icon="📟"
    )
    post = alert_words(told, [])
    assert post.content.startswith("<@12> <@11> 📟 **payments: grace is on call**\n")
    assert (post.roles, post.users) == ((), (12, 11))
    assert "<@77>" not in post.content


async def test_a_gate_calls_those_who_may_approve_and_says_until_when() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine, reason="the sale")
    rollouts.started(engine, rollout.id)
    notice = Notice("n-1", rollout.id, "gate_opened", "whatever", ("release-manager",))
    (post,) = words(notice, await engine.view(rollout.id), [501], "")
    assert post.content.startswith("<@&501>")
    assert "Needs 1 approval from `release-manager`" in post.content
    assert post.content.splitlines()[0].endswith("needs approval**")
    assert "Expires <t:" in post.content
    assert post.content.endswith(post.mark)


@pytest.mark.parametrize(
    "what",
    [
        *("gate_opened", "held", "rolled_back", "halted", "paused", "failed", "succeeded", "expired"),
        *("rejected", "new_kind"),
    ],
)
async def test_every_notice_fits_whatever_it_says(what: str) -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine, reason="x" * 4000)
    seen = await engine.view(rollout.id)
    seen = replace(seen, rollout=replace(seen.rollout, outcome="@everyone " * 500))
    for post in words(
        Notice("k" * 25, rollout.id, what, "@everyone **" * 400, ("a",), (1,)), seen, [1], "https://c"
    ):
        assert escaping.units(post.content) <= 2000
        assert "@everyone" not in post.content
        assert post.content.endswith(post.mark) or post.embed is not None
        assert len(post.nonce) <= 25
        if post.embed is not None:
            assert len(post.embed) <= 6000
            assert len(post.embed.title or "") <= 256


@pytest.mark.parametrize(("weight", "step"), [(5, "ROLLING_BACK_NEXT"), (0, "ROLLED_BACK_NEXT")])
async def test_users_are_only_called_safe_without_candidate_traffic(weight: int, step: str) -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    seen = await engine.view(rollout.id)
    seen = replace(seen, rollout=replace(seen.rollout, observed_weight=weight))
    notice = Notice("n-7", rollout.id, "rolled_back", "It failed.", ("on-call",))
    (alert, *_) = words(notice, seen, [500], "")
    assert alert.embed is not None
    assert {f.name: f.value for f in alert.embed.fields}["Next step"] == getattr(phrasebook, step)


async def test_a_shortened_name_is_followed_by_no_full_stop() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine, who=replace(rollouts.DEV, name="Ada Lovelace " * 9))
    rollouts.started(engine, rollout.id)
    notice = Notice("n-1", rollout.id, "gate_opened", "", ("release-manager",))
    (post,) = words(notice, await engine.view(rollout.id), [501], "")
    assert "Requested by Ada Lovelace" in post.content
    assert "….\n" not in post.content and "…\n" in post.content


def test_nonces_are_short_stable_and_apart() -> None:
    assert nonce("n-1", "a") == "n-1a"
    long = "x" * 40
    assert len(nonce(long, "a")) == 25
    assert nonce(long, "a") == nonce(long, "a") != nonce(long, "d")


async def test_an_alarm_fits_discords_own_description() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    for post in words(
        Notice("n", rollout.id, "halted", "why", ("a",)), await engine.view(rollout.id), [1], "https://c"
    ):
        body = {"content": post.content, "nonce": post.nonce, "enforce_nonce": True}
        if post.embed is not None:
            body["embeds"] = [post.embed.to_dict()]  # type: ignore[list-item]
        assert request_errors("POST", "/channels/1/messages", body) == []
