"""Cards of alerts: what they say, within Discord's limits, whatever the words of others are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.records import RolloutSummary
from bot.domain.watch.alerts.actions import AlertActed, act
from bot.domain.watch.alerts.alert import LEFT_OUT, Alert, AlertAction, Change, Entry, Suspect
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.follow_up import due_at, pass_time
from bot.domain.watch.alerts.lifecycle import begin, hear
from bot.engine.watch.alerts.api import AlertView
from bot.ui.alerts.buttons import AlertPress, controls, question
from bot.ui.alerts.card import embed, headline
from tests.support.actors import ONCALL
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION
from tests.support.discord_specs import request_errors
from tests.support.virtual_time import EPOCH

POLICY = AlertPolicy()
SUSPECT = Suspect(7, "1.4.0", "1.5.0", "dev", EPOCH - timedelta(minutes=4))


def opened(*, suspect: Suspect | None = SUSPECT, **finding: Any) -> Change:
    return begin(3, errors(**finding), (1,), EPOCH, POLICY, suspect=suspect)


def drawn(alert: Alert, *entries: Entry) -> discord.Embed:
    return embed(AlertView(alert, entries), EPOCH, due_at(alert, POLICY))


def fields(alert: Alert, *entries: Entry) -> dict[str, str]:
    return {str(field.name): str(field.value) for field in drawn(alert, *entries).fields}


def labels(alert: Alert) -> list[str]:
    return [str(child.label) for child in controls(alert).children if isinstance(child, discord.ui.Button)]


def body(alert: Alert, *entries: Entry) -> dict[str, Any]:
    return {
        "content": headline(alert),
        "embeds": [drawn(alert, *entries).to_dict()],
        "components": controls(alert).to_components(),
    }


def test_a_new_alert_says_what_where_how_bad_and_who_is_next() -> None:
    change = opened()
    alert = change.alert
    assert headline(alert) == "🔴 **checkout → production: Many requests fail** 52% (limit 20%)"
    shown = drawn(alert)
    assert shown.title == "🔴 Critical · checkout → production"
    assert "**Many requests fail** **52%** (limit 20%)" in str(shown.description)
    said = fields(alert, *change.entries)
    assert said["Last deploy"].startswith("`1.4.0` → `1.5.0` by dev (rollout 7) ended")
    assert said["Last deploy"].endswith("4 min before this: **a plausible cause**.")
    assert said["Who has it"].startswith("**No one yet.** The next people are called <t:")
    assert "called: the team, the person on call" in said["What happened"]


def test_the_buttons_end_the_trouble() -> None:
    alert = opened().alert
    usual = ["Escalate", "Silence 1 h", "Resolve"]
    assert labels(alert) == ["Acknowledge", "Roll back to 1.4.0", *usual, "Open incident"]
    assert labels(opened(suspect=None).alert) == ["Acknowledge", *usual, "Open incident"]
    mild = opened(suspect=None, severity=Severity.MEDIUM).alert
    assert labels(mild) == ["Acknowledge", *usual]
    over = act(alert, AlertActed(AlertAction.RESOLVE, ONCALL, EPOCH), POLICY).alert
    assert labels(over) == []


def test_each_state_is_said_in_words() -> None:
    alert = opened().alert
    mine = act(alert, AlertActed(AlertAction.ACKNOWLEDGE, ONCALL, EPOCH), POLICY).alert
    assert fields(mine)["Who has it"] == f"<@{ONCALL.id}>, since <t:{int(EPOCH.timestamp())}:R>"
    quiet = act(alert, AlertActed(AlertAction.SILENCE, ONCALL, EPOCH), POLICY).alert
    assert "no one is told before" in fields(quiet)["Who has it"]
    assert "End silence" in labels(quiet)
    assert str(drawn(quiet).title).startswith("🔕")
    calm = hear(alert, errors(firing=False), EPOCH, POLICY)
    assert calm is not None
    assert "It is resolved if it stays so." in str(drawn(calm.alert).description)
    over = pass_time(calm.alert, EPOCH + timedelta(minutes=2), POLICY)
    assert over is not None
    assert drawn(over.alert).title == "✅ Resolved · checkout → production"
    assert fields(over.alert)["Who has it"] == "It ended before anyone took it."


def test_without_a_deploy_the_card_does_not_blame_one() -> None:
    alert = opened(suspect=None).alert
    assert fields(alert)["Last deploy"] == "None that Slipway knows of."
    bare = opened(suspect=None, lane=None).alert
    assert fields(bare)["Last deploy"] == "It concerns no service that Slipway deploys."
    going = fields(opened(suspect=replace(SUSPECT, going_on=True)).alert)
    assert "**is going on**: a plausible cause." in going["Last deploy"]


@pytest.mark.parametrize(
    ("hours", "changed", "said"),
    [
        (
            -3,
            {},
            "`1.4.0` → `1.5.0` by dev (rollout 7) ended <t:{at}:R>, 3 h before this: too long for a probable cause.",
        ),
        (1, {}, "ended <t:{at}:R>, after this began."),
        (
            -0.1,
            {"from_version": None},
            "`1.5.0` by dev (rollout 7) ended <t:{at}:R>. It is the first release there",
        ),
        (-0.1, {"returns": True}, "It returned to a known release, so it is not the probable cause."),
        (-0.1, {"phase": "rolled_back"}, "ended <t:{at}:R>: rolled back. It is not the probable cause."),
        (-0.1, {"ended_at": None}, "(rollout 7) is going on. This is about what serves beside it."),
        (-3, {"to_version": "1`@everyone" * 90, "requester": "**x**" * 50}, "too long for a probable cause."),
    ],
)
def test_the_last_deploy_is_named_also_where_it_is_not_the_cause(
    hours: float, changed: dict[str, Any], said: str
) -> None:
    at = EPOCH + timedelta(hours=hours)
    last = replace(
        RolloutSummary(7, PRODUCTION, "1.4.0", "1.5.0", "succeeded", "dev", "", "", at, at), **changed
    )
    card = embed(AlertView(opened(suspect=None).alert, (), last_deploy=last), EPOCH, None)
    (shown,) = [str(field.value) for field in card.fields if field.name == "Last deploy"]
    assert said.format(at=int(at.timestamp())) in shown
    assert len(shown) < 400 and "**x" not in shown


def test_further_troubles_are_listed_worst_first_and_counted() -> None:
    alert = opened().alert
    for number in range(9):
        change = hear(
            alert,
            errors(fingerprint=f"d{number}", title=f"disk {number}", severity=Severity.LOW),
            EPOCH,
            POLICY,
        )
        assert change is not None
        alert = change.alert
    also = fields(alert)["Also"].splitlines()
    assert len(also) == 6
    assert also[-1] == "-# and 4 more"


def test_a_long_timeline_keeps_its_beginning_and_its_end() -> None:
    alert = opened().alert
    entries = [Entry(EPOCH, "trouble", f"line {number}") for number in range(20)]
    shown = fields(alert, *entries)["What happened"].splitlines()
    assert "line 0" in shown[0]
    assert shown[1] == "-# 12 lines left out"
    assert "line 19" in shown[-1]
    gap = Entry(EPOCH, LEFT_OUT, "300")
    shown = fields(alert, entries[0], gap, *entries[1:])["What happened"].splitlines()
    assert (shown[1], len(shown)) == ("-# 312 lines left out", 9)
    assert (
        fields(alert, entries[0], gap, entries[1])["What happened"].splitlines()[1] == "-# 300 lines left out"
    )


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://wiki/run", True),
        ("javascript:alert(1)", False),
        ("https://a b", False),
        ("https://x)(y", False),
    ],
)
def test_only_addresses_become_links(url: str, linked: bool) -> None:
    assert ("[Runbook](" in str(drawn(opened(runbook=url).alert).description)) == linked


def test_presses_are_read_from_their_ids() -> None:
    for press in (
        AlertPress(3, AlertAction.SILENCE),
        AlertPress(3, None),
        AlertPress(3, None, confirmed=True),
        AlertPress(3, None, confirmed=True, rollout_id=7),
        AlertPress(3, AlertAction.ACKNOWLEDGE, guild_id=42),
    ):
        assert AlertPress.parse(press.custom_id) == press
    for other in ("slipway-why:3", "slipway-alert:3:dance", "slipway-alert:x:silence", ""):
        assert AlertPress.parse(other) is None
    asked = str(question("Roll back?", AlertPress(3, None, rollout_id=7)).to_components())
    assert AlertPress(3, None, confirmed=True, rollout_id=7).custom_id in asked


HOSTILE = st.text(max_size=400) | st.sampled_from(
    ["@everyone <@&1> **x**", "a`b" * 100, "\u202e" * 50, "[x](https://evil)", "🔥" * 3000, "# big\n\n- list"]
)


@given(title=HOSTILE, text=HOSTILE, value=HOSTILE, name=HOSTILE, version=HOSTILE)
def test_whatever_others_write_discord_takes_the_card_and_pings_no_one(
    title: str, text: str, value: str, name: str, version: str
) -> None:
    suspect = replace(SUSPECT, from_version=version, to_version=version, by=name)
    change = opened(title=title, text=text, value=value, suspect=suspect, labels={name: text})
    entries = (*change.entries, Entry(EPOCH, "acknowledged", text, name))
    made = body(change.alert, *entries)
    assert request_errors("POST", "/channels/1/messages", made) == []
    assert len(drawn(change.alert, *entries)) <= 6000
    said = str((made["content"], made["embeds"]))  # labels of buttons mention no one
    assert "@everyone" not in said
    assert "<@&" not in said
