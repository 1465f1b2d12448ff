"""`/report` and the weekly message against the sandbox, with their chart."""

from __future__ import annotations

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Lane
from bot.ports.notifications import Announcement
from bot.ui.chart.chart import ChartError, Charts
from bot.ui.reports.chart import ReportCharts
from tests.support.responder import Stand

BARS = (("2026-11-16", "2026-11-16", 2, 1, 0.999), ("2026-11-17", "2026-11-17", 0, 0, None))


async def served(stand: Stand) -> None:
    """A minute of requests in production, of which one in a hundred failed."""
    at = stand.clock.now()
    tick = ServedTick(at.timestamp() - 60, 60.0, {"errors": Counts(1000, 10)})
    await stand.engine.store.served.append([(Lane("checkout", "production"), tick)])
    await stand.engine.store.reports.count_days(at, 10)


async def test_a_report_says_what_is_known_to_the_person_or_to_everyone(stand: Stand) -> None:
    done = await stand.slash("guest", "report")
    assert done["ephemeral"]
    said = done["message"]["text"]
    assert said.startswith("## Report\n")
    assert "**Deployments** not known: no rollouts are recorded" in said
    assert not done["message"]["attachments"]  # nothing to draw
    await served(stand)
    done = await stand.slash("guest", "report", service="checkout", days=28, public=True)
    assert not done["ephemeral"]
    said = done["message"]["text"]
    assert "Report: checkout" in said and "production" in said
    assert "**Availability** 99%, before: not known. 1,000 requests" in said
    assert stand.seen[-1] == ("report", "ok")
    wrong = await stand.slash("guest", "report", service="chekout")
    assert "`checkout`" in wrong["message"]["text"]
    assert [each["value"] for each in await stand.suggest("guest", "report", "service", "che")] == [
        "checkout"
    ]


async def test_the_chart_is_attached_and_an_answer_without_it_is_whole(stand: Stand) -> None:
    await served(stand)
    charts = Charts()
    stand.responder.chart = ReportCharts(charts)
    try:
        done = await stand.slash("dev", "report")
    finally:
        await charts.close()
    message = done["message"] or done["followups"][-1]
    (picture,) = message["attachments"]
    assert picture["filename"] == "report.png" and picture["size"] > 5000

    async def cannot(_: object) -> bytes | None:
        raise ChartError("no picture today")

    stand.responder.chart = cannot
    done = await stand.slash("dev", "report")
    assert "**Availability** 99%" in done["message"]["text"]
    assert not done["message"]["attachments"]


@pytest.mark.parametrize("drawn", [True, False])
async def test_a_weekly_report_is_posted_once_in_its_channel(stand: Stand, drawn: bool) -> None:
    async def draw(bars: object) -> bytes | None:
        if not drawn:
            raise ChartError("no picture today")
        assert bars == BARS
        return b"\x89PNG\r\n\x1a\n" + bytes(200)

    guild = stand.engine.catalog.guilds[next(iter(stand.engine.catalog.guilds))]
    guild.channels["reports"] = "deploys"  # type: ignore[index]
    stand.announcer._bars = draw
    said = Announcement(
        "r" * 24, guild.id, "Weekly report", "**Deployments:** 3", channel="reports", icon="📊", bars=BARS
    )
    for _ in range(2):
        await stand.announcer.alert(said)
    found = [each for each in await stand.messages("deploys") if "Weekly report" in each["text"]]
    assert len(found) == 1
    assert found[0]["text"].startswith("📊 **Weekly report**\n**Deployments:** 3\n")
    assert [each["filename"] for each in found[0]["attachments"]] == ["report.png"] * drawn
