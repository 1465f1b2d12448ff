"""Cards of incidents: what they say, within Discord's limits, whatever the words of others are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.records import RolloutSummary
from bot.domain.watch.alerts.alert import LEFT_OUT, Alert, Owner
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.actions import postmortem_due
from bot.domain.watch.incidents.incident import Incident, IncidentAction, response_times
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import TimelineLine
from bot.engine.watch.incidents.api import IncidentView
from bot.ui.buttons import IncidentButton
from bot.ui.escaping import clock, relative
from bot.ui.incidents.buttons import IncidentPress, incident_controls
from bot.ui.incidents.card import incident_embed, incident_headline, incident_line
from bot.ui.incidents.evidence import evidence
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION
from tests.support.discord_specs import request_errors
from tests.support.virtual_time import EPOCH

MIN = timedelta(minutes=1)
ALERT = begin(7, errors(), (1,), EPOCH, AlertPolicy()).alert
INCIDENT = Incident(3, 1, PRODUCTION, "Payments fail", Severity.CRITICAL, EPOCH, EPOCH, "dev", alerts=(7,))


def viewed(incident: Incident, *lines: TimelineLine, version: str = "1.5.0", by: str = "dev") -> IncidentView:
    deploy = RolloutSummary(9, PRODUCTION, version, version, "succeeded", by, "", "", EPOCH, EPOCH)
    times = response_times(incident, IncidentPolicy(), EPOCH + 20 * MIN)
    due = postmortem_due(incident, IncidentPolicy())
    return IncidentView(incident, lines, times, [ALERT], [deploy], due)


def shown(incident: Incident, *lines: TimelineLine, thread: int | None = None) -> dict[str, str]:
    made = incident_embed(viewed(incident, *lines), thread)
    return {"": str(made.description), "title": str(made.title)} | {
        str(f.name): str(f.value) for f in made.fields
    }


def labels(incident: Incident) -> list[str]:
    children = incident_controls(incident).children
    return [str(child.label) for child in children if isinstance(child, discord.ui.Button)]


def test_a_new_incident_says_what_where_how_bad_and_that_no_one_has_it() -> None:
    assert incident_headline(INCIDENT) == "🔴 **checkout → production: Payments fail** · incident 3 · open"
    said = shown(INCIDENT, TimelineLine(EPOCH, "alert", "called", "team, on_call", alert_id=7), thread=55)
    assert said["title"] == "🔴 Critical incident, open · checkout → production"
    assert "<#55>" in said[""]
    assert said["Who has it"] == "**No one yet.** Press Take it."
    assert said["Times"].splitlines() == [
        f"❌ Not acknowledged yet. It was due {relative(EPOCH + 15 * MIN)}.",
        f"⏳ Not restored yet. The target is {relative(EPOCH + 30 * MIN)}.",
    ]
    assert said["Alerts"] == r"🔴 7: Many requests fail: 52% \(limit 20%\)"
    assert "`1.5.0` → `1.5.0` by dev: succeeded (rollout 9)" in said["Deployed around it"]
    assert "alert 7 called: the team, the person on call" in said["What happened"]
    assert labels(INCIDENT) == ["Take it", "Restored", "Close"]


def test_each_state_is_said_in_words() -> None:
    taken = replace(INCIDENT, owner=Owner(5, "ada"), acknowledged_at=EPOCH + 6 * MIN)
    said = shown(taken)
    assert said["Times"].splitlines()[0] == "✅ Acknowledged after 6 min (target: 15 min)."
    assert said["Who has it"].startswith("<@5>, taken")
    assert labels(taken) == ["Restored", "Close"]
    given_to = replace(INCIDENT, owner=Owner(5, "ada"))
    assert shown(given_to)["Who has it"] == "<@5>, who has not taken it yet"
    assert labels(given_to)[0] == "Take it"
    calm = replace(taken, restored_at=EPOCH, calm_at=EPOCH)
    assert "**All of its alerts are over.** Close it if users are well." in shown(calm)[""]
    low = replace(viewed(calm), alerts=[replace(ALERT, severity=Severity.LOW)])
    assert "**Of its alerts, only notices are open.**" in str(incident_embed(low, None).description)
    assert labels(calm) == ["Close"]
    closed = replace(calm, closed_at=EPOCH + 40 * MIN, closed_by="ada", postmortem="https://wiki.example/1")
    said = shown(closed)
    assert "for 40 min. Closed by ada." in said[""]
    assert "Post-mortem: https://wiki.example/1" in said[""]
    assert said["Who had it"] == "ada"
    assert "Talk about it" not in said[""]
    undocumented = replace(closed, postmortem="", production=True)
    due = relative(EPOCH + 40 * MIN + timedelta(hours=48))
    assert (
        f"No post-mortem yet: `/incident postmortem` gives a draft. It is due {due}."
        in shown(undocumented)[""]
    )
    assert "post-mortem" not in shown(replace(undocumented, production=False))[""]
    assert said["title"].startswith("✅ Critical incident, closed")
    assert labels(closed) == []
    assert "closed <t:" in incident_line(closed)


def test_a_long_timeline_keeps_its_end_and_says_what_is_left_out() -> None:
    lines = [TimelineLine(EPOCH, "incident", "note", f"line {n}", "ada") for n in range(30)]
    said = shown(INCIDENT, *lines)["What happened"].splitlines()
    assert "line 0" in said[0]
    assert said[1].startswith("-# 10 lines left out")
    assert ("line 11" in said[2], "line 29" in said[-1]) == (True, True)
    gap = TimelineLine(EPOCH, "alert", LEFT_OUT, "Left out here: 300 lines.", alert_id=7, left_out=300)
    said = shown(INCIDENT, lines[0], gap, *lines[1:])["What happened"].splitlines()
    assert said[1].startswith("-# 310 lines left out")
    assert not any("here" in line for line in said)
    long = [TimelineLine(EPOCH, "incident", "note", "x" * 500, "ada") for _ in range(30)]
    assert len(shown(INCIDENT, *long)["What happened"]) <= 1024


def test_a_card_leaves_out_steps_of_rollouts_and_what_is_said_twice_and_goes_on_in_a_second_field() -> None:
    noise = [
        TimelineLine(EPOCH, "lane", "soaking", "Soaking at 25%."),
        TimelineLine(EPOCH, "alert", "better", "Many requests fail", alert_id=7),
        TimelineLine(EPOCH, "alert", "calm", "Nothing is wrong any more.", alert_id=7),
    ]
    told = [
        TimelineLine(EPOCH, "lane", "quarantined", f"1.5.{n} is quarantined. " + "x" * 45) for n in range(15)
    ]
    said = shown(INCIDENT, *noise, *told)
    text = said["What happened"] + said["\u200b"]
    assert all(f"1.5.{n} is quarantined" in text for n in range(15))
    began = TimelineLine(EPOCH, "lane", "began", "ada started deploying 1.5.0.", "ada")
    assert shown(INCIDENT, began)["What happened"] == f"{clock(EPOCH)} ada started deploying 1.5.0."
    assert not any(word in text for word in ("soaking", "Many requests", "Nothing is wrong", "left out"))


def test_presses_are_read_from_their_ids() -> None:
    for press in (
        IncidentPress(3, None),
        IncidentPress(3, IncidentAction.ACKNOWLEDGE),
        IncidentPress(3, IncidentAction.RESTORE),
        IncidentPress(3, IncidentAction.CLOSE),
    ):
        assert IncidentPress.parse(press.custom_id) == press
    for other in ("slipway-incident:3:dance", "slipway-incident:x:close", "slipway-alert:3:resolve", ""):
        assert IncidentPress.parse(other) is None
    assert IncidentPress.parse(str(IncidentButton(7).custom_id)) == IncidentPress(7, None)


async def test_evidence_is_what_can_be_drawn_worst_first_and_never_in_the_way() -> None:
    async def draw(alert: Alert) -> bytes | None:
        return b"png" if alert.id != 9 else None

    async def broken(alert: Alert) -> bytes | None:
        if alert.id == 8:
            raise RuntimeError("no font")
        return b"png"

    mild = [replace(ALERT, id=number, severity=Severity.LOW) for number in (8, 9, 10)]
    assert [each.name for each in await evidence([*mild, ALERT], draw)] == ["alert-7.png", "alert-8.png"]
    assert [each.name for each in await evidence([*mild, ALERT], broken)] == ["alert-7.png"]
    assert await evidence([ALERT], None) == ()


HOSTILE = st.text(max_size=400) | st.sampled_from(
    ["@everyone <@&1> **x**", "a`b" * 100, "\u202e" * 50, "[x](https://evil)", "🔥" * 3000, "# big\n\n- list"]
)


@given(title=HOSTILE, text=HOSTILE, name=HOSTILE, version=HOSTILE, many=st.integers(0, 40))
def test_whatever_others_write_discord_takes_the_card_and_pings_no_one(
    title: str, text: str, name: str, version: str, many: int
) -> None:
    incident = replace(
        INCIDENT, title=title or "-", owner=Owner(0, name), postmortem=text, closed_by=name, closed_at=EPOCH
    )
    lines = [TimelineLine(EPOCH, "incident", "marked", text, name) for _ in range(many)]
    lines.append(TimelineLine(EPOCH, "lane", name, text, name))
    view = viewed(incident, *lines, version=version, by=name)
    body: dict[str, Any] = {
        "content": incident_headline(incident),
        "embeds": [incident_embed(view, 5).to_dict()],
        "components": incident_controls(INCIDENT).to_components(),
    }
    assert request_errors("POST", "/channels/1/messages", body) == []
    assert len(incident_embed(view, 5)) <= 6000
    said = str((body["content"], body["embeds"]))
    assert "@everyone" not in said
    assert "<@&" not in said
