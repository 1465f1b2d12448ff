"""The draft of a post-mortem: what it says, and that no text of others becomes a part of the document."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Entry, Owner
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.incident import Incident, IncidentEntry, response_times
from bot.domain.watch.incidents.postmortem import PostmortemFacts, postmortem
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import TimelineLine, merged
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION
from tests.support.virtual_time import EPOCH

MIN = timedelta(minutes=1)
ALERT = begin(7, errors(), (1,), EPOCH, AlertPolicy()).alert
INCIDENT = Incident(
    3,
    1,
    PRODUCTION,
    "Payments fail",
    Severity.CRITICAL,
    EPOCH,
    EPOCH + MIN,
    "dev",
    owner=Owner(5, "ada"),
    acknowledged_at=EPOCH + 6 * MIN,
    restored_at=EPOCH + 31 * MIN,
    closed_at=EPOCH + 40 * MIN,
    closed_by="ada",
)
DEPLOY = RolloutSummary(9, PRODUCTION, "1.4.0", "1.5.0", "rolled_back", "dev", "", "It failed.", EPOCH, EPOCH)
LINES = (
    TimelineLine(EPOCH, "alert", "opened", "Many requests fail", alert_id=7),
    TimelineLine(EPOCH + MIN, "lane", "rolled_back", "errors", "ada"),
)
HEADINGS = [
    "Times against targets",
    "Alerts",
    "Deployed",
    "Timeline",
    "Impact",
    "Cause",
    "What went well, and what did not",
    "Actions",
]


def facts(incident: Incident = INCIDENT, *lines: TimelineLine, **more: object) -> PostmortemFacts:
    times = response_times(incident, IncidentPolicy(), EPOCH + 60 * MIN)
    return replace(PostmortemFacts(incident, lines or LINES, times, (ALERT,), (DEPLOY,)), **more)  # type: ignore[arg-type]


def headings(text: str) -> list[str]:
    return [line[3:] for line in text.splitlines() if line.startswith("## ")]


def test_it_says_what_is_known_and_leaves_headings_for_the_rest() -> None:
    text = postmortem(facts(charts=("alert-7.png",)))
    assert text.startswith("# Post-mortem: Payments fail\n")
    assert headings(text) == HEADINGS
    start = f"{EPOCH:%Y-%m-%d %H:%M:%S}"
    for said in (
        "- Incident 3, critical, of checkout/production",
        "by ada, after 40 min",
        "- Acknowledged after 6 min (target: 15 min).",
        "- Restored after 31 min: later than the target of 30 min.",
        f"- Alert 7, critical, from {start} still open: Many requests fail: 52% (limit 20%)",
        f"- Rollout 9 {start}, ended {start}: 1.4.0 → 1.5.0 by dev, rolled back. It failed.",
        "![Evidence](alert-7.png)",
        f"| {start} | Alert 7 opened: Many requests fail | Slipway |",
        "Rolled back: errors | ada |",
    ):
        assert said in text


def test_what_is_left_out_of_a_timeline_is_said_where_it_is_left_out() -> None:
    lines = merged(
        [IncidentEntry(EPOCH + MIN, "left_out", "3")],
        {7: [Entry(EPOCH, "opened", "Many requests fail"), Entry(EPOCH, "left_out", "1200")]},
        (),
        [
            TimelineLine(
                EPOCH + 2 * MIN, "lane", "left_out", "Lines of the lane's audit log are left out here."
            )
        ],
    )
    assert [line.left_out for line in lines] == [0, 1200, 3, 0]
    rows = [row[24:] for row in postmortem(facts(INCIDENT, *lines)).splitlines() if row.startswith("| 2")]
    assert rows == [
        "Alert 7 opened: Many requests fail | Slipway |",
        "Alert 7: Left out here: 1200 lines. | Slipway |",
        "Left out here: 3 lines. | Slipway |",
        "Lines of the lane's audit log are left out here. | Slipway |",
    ]


def test_an_incident_that_has_nothing_yet_has_a_whole_document() -> None:
    bare = replace(INCIDENT, lane=None, owner=None, closed_at=None, acknowledged_at=None, restored_at=None)
    text = postmortem(facts(bare, alerts=(), deploys=(), lines=()))
    assert headings(text) == HEADINGS
    assert "- Not closed yet" in text
    assert "- Owner: no one" in text
    assert "Not acknowledged yet" in text


HOSTILE = st.text(max_size=300) | st.sampled_from(
    [
        "@team <b>x</b> # no",
        "a | b | c",
        "```\n## Cause",
        "[x](javascript:alert)",
        "-->",
        "- [ ] todo",
        "x\r\n## Impact",
    ]
)


@given(title=HOSTILE, text=HOSTILE, name=HOSTILE, version=HOSTILE)
def test_no_text_of_others_becomes_a_part_of_the_document(
    title: str, text: str, name: str, version: str
) -> None:
    incident = replace(INCIDENT, title=title, owner=Owner(0, name), closed_by=name)
    deploy = replace(DEPLOY, from_version=version, to_version=version, outcome=text, requester=name)
    lines = [TimelineLine(EPOCH, "incident", "marked", text, name) for _ in range(3)]
    made = postmortem(facts(incident, *lines, deploys=(deploy,)))
    assert headings(made) == HEADINGS
    rows = [line for line in made.splitlines() if line.startswith("| 2")]
    assert len(rows) == 3
    assert all(row.replace("\\\\", "").replace("\\|", "").count("|") == 4 for row in rows)
    assert "@team" not in made
    assert "<b>" not in made
    assert made.count("<!--") == made.count("-->") == 4


# ---- the whole document --------------------------------------------------------------------------------------


def test_the_whole_document_of_an_incident() -> None:
    over = replace(ALERT, ended_at=EPOCH + 30 * MIN)
    going_on = replace(DEPLOY, id=10, from_version=None, phase="soaking", outcome="", ended_at=None)
    lines = (
        *LINES,
        TimelineLine(EPOCH + 2 * MIN, "incident", "note", ""),
        TimelineLine(EPOCH + 3 * MIN, "incident", "left_out", "Left out here: 3 lines.", left_out=3),
        TimelineLine(EPOCH + 4 * MIN, "alert", "left_out", "Left out here: 2 lines.", "", 7, 2),
    )
    text = postmortem(
        facts(INCIDENT, *lines, alerts=(ALERT, over), deploys=(DEPLOY, going_on), charts=("a.png", "b.png"))
    )

    def at(minutes: int) -> str:
        return f"{EPOCH + minutes * MIN:%Y-%m-%d %H:%M:%S}"

    alert = f"- Alert 7, critical, from {at(0)}"
    assert (
        text
        == f"""# Post-mortem: Payments fail

- Incident 3, critical, of checkout/production
- Began {at(0)}, became an incident {at(1)}
- Closed {at(40)} by ada, after 40 min
- Owner: ada

## Times against targets

- Acknowledged after 6 min (target: 15 min).
- Restored after 31 min: later than the target of 30 min.

## Alerts

{alert} still open: Many requests fail: 52% (limit 20%)
{alert} until {at(30)}: Many requests fail: 52% (limit 20%)

## Deployed

- Rollout 9 {at(0)}, ended {at(0)}: 1.4.0 → 1.5.0 by dev, rolled back. It failed.
- Rollout 10 {at(0)}: nothing → 1.5.0 by dev, soaking.

![Evidence](a.png)

![Evidence](b.png)

## Timeline

| UTC | What | By |
|---|---|---|
| {at(0)} | Alert 7 opened: Many requests fail | Slipway |
| {at(1)} | Rolled back: errors | ada |
| {at(2)} | Note | Slipway |
| {at(3)} | Left out here: 3 lines. | Slipway |
| {at(4)} | Alert 7: Left out here: 2 lines. | Slipway |

## Impact

<!-- Who was affected, how, and for how long. -->

## Cause

<!-- What led to it, beyond the change that began it. -->

## What went well, and what did not

<!-- How it was found, and how it was ended. -->

## Actions

<!-- What keeps it from happening again: who does it, by when. -->
"""
    )


def test_what_an_incident_without_anything_says_instead() -> None:
    bare = replace(INCIDENT, lane=None, owner=None, closed_at=None)
    text = postmortem(facts(bare, alerts=(), deploys=()))
    for said in (
        "- Incident 3, critical, of no service of Slipway\n",
        "- Not closed yet\n- Owner: no one\n",
        "## Alerts\n\nNone.\n",
        "## Deployed\n\nNothing, from an hour before it until its end.\n\n## Timeline",
    ):
        assert said in text
    early = postmortem(facts(replace(INCIDENT, closed_at=EPOCH - MIN)))
    assert "by ada, after 0 s\n" in early


def test_texts_of_others_are_cut_on_one_line_with_times_that_are_read() -> None:
    def lengths(text: str, *marks: str) -> list[int]:
        return [line.count("x") for line in text.splitlines() for mark in marks if mark in line]

    long, stamped = "x" * 9999, "x" * 600
    incident = replace(INCIDENT, title=long, lane=Lane(long, long), owner=Owner(0, long), closed_by=long)
    deploy = replace(DEPLOY, from_version=long, to_version=long, outcome=long, requester=long)
    alert = begin(7, errors(title=long), (1,), EPOCH, AlertPolicy()).alert
    line = TimelineLine(EPOCH, "incident", stamped, stamped, stamped)
    text = postmortem(facts(incident, line, alerts=(alert,), deploys=(deploy,)))
    assert lengths(text, "# Post-mortem") == [199]
    assert lengths(text, "- Incident 3", "- Closed", "- Owner") == [119, 99, 99]
    assert lengths(text, "- Alert 7") == [299]
    assert lengths(text, "- Rollout 9") == [79 + 79 + 299 + 99]
    assert lengths(text, "| 2") == [79 - 1 + 499 + 99]
    said = postmortem(facts(replace(INCIDENT, title="since ⟨2026-11-20T14:03:20Z⟩ | *@here* ok?")))
    assert said.startswith("# Post-mortem: since 2026-11-20 14:03:20 \\| \\*@\u200bhere\\* ok?\n")
    berlin = replace(INCIDENT, since=EPOCH.astimezone(ZoneInfo("Europe/Berlin")))
    assert postmortem(facts(berlin)) == postmortem(facts())
