"""`/health` in the sandbox: a picture of the page's lanes, one lane in full by the list, and its checks asked now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from bot.domain.config import CheckConfig
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult
from bot.domain.watch.rules import WatchState, advance_watch
from bot.ports.errors import Unreachable
from bot.ui.chart.chart import ChartError, Charts
from bot.ui.chart.lanes.charts import LaneCharts
from tests.fakes.settings import KindOnly
from tests.support.catalogs import PRODUCTION
from tests.support.responder import Stand


@dataclass
class Asked:
    """Implements `bot.ports.watch.checks.Checks`."""

    said: str = ""
    away: bool = False

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        if self.away:
            raise Unreachable("the target is away")
        return CheckResult(at, 0.01, self.said)

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        return await self.ask(check, lane, at)


class BrokenCharts(LaneCharts):
    """Draws nothing."""

    def __init__(self) -> None:
        """As `LaneCharts`."""

    async def strips(self, *_: object) -> bytes | None:
        raise ChartError("no renderer")


@pytest.fixture
async def watched(stand: Stand) -> AsyncIterator[Stand]:
    """Half of the requests to production fail, and it has a check."""
    charts, now = Charts(), stand.clock.now().timestamp()
    stand.responder.lane_charts = LaneCharts(charts)
    ticks = [
        ServedTick(now - 3600 + 5 * n, 5.0, {"errors": Counts(10, 5 if n > 650 else 0)}) for n in range(720)
    ]
    state = WatchState()
    for tick in ticks:
        state, _ = advance_watch((), state, tick)
    store, catalog = stand.engine.store, stand.engine.catalog
    await store.served.append([(PRODUCTION, tick) for tick in ticks])
    await store.watched.save({PRODUCTION: state}, stand.clock.now())
    check = CheckConfig("alive", KindOnly("http"), 5.0, critical=True)
    lanes = {**catalog.lanes, PRODUCTION: replace(catalog.lanes[PRODUCTION], checks=(check,))}
    stand.engine.catalog = replace(catalog, lanes=lanes)
    yield stand
    await charts.close()


async def test_a_page_has_a_picture_and_its_list_opens_a_lane(watched: Stand) -> None:
    page = (await watched.slash("guest", "health"))["message"]
    assert "1 lane above the limit on errors" in page["text"]
    assert [each["filename"] for each in page["attachments"]] == ["health.png"]
    one = (await watched.choose("guest", page["id"], "slipway-health-lane", "checkout:production"))["message"]
    assert "**Last 5 minutes** errors 50% (limit 1%)" in one["text"]
    assert [each["filename"] for each in one["attachments"]] == ["health.png"]
    again = (await watched.press("guest", one["id"], "Refresh"))["message"]
    assert "errors 50%" in again["text"]
    back = (await watched.press("guest", one["id"], "All lanes"))["message"]
    assert "## Health" in back["text"]


async def test_checks_are_asked_when_someone_wants_to_know(watched: Stand) -> None:
    asked = watched.responder.checks = Asked()
    options = {"service": "checkout", "environment": "production"}
    said = (await watched.slash("dev", "health", **options, run=True))["message"]["text"]
    assert "1 of 1 check passed" in said
    asked.said = "It answered 503."
    one = (await watched.slash("dev", "health", **options))["message"]
    said = (await watched.press("dev", one["id"], "Run checks"))["message"]["text"]
    assert "❌ **alive** (critical) It answered 503." in said
    asked.away = True
    said = (await watched.press("dev", one["id"], "Run checks"))["message"]["text"]
    assert "It could not be asked: the target is away." in said
    said = (await watched.slash("dev", "health", service="checkout", environment="staging", run=True))[
        "message"
    ]
    assert "has no checks" in said["text"]


async def test_names_that_do_not_exist_are_answered_with_the_nearest(watched: Stand) -> None:
    said = (await watched.slash("guest", "health", service="chekout", environment="production"))["message"]
    assert "checkout" in said["text"] and "✋" in said["text"]


async def test_what_cannot_be_drawn_or_read_is_left_out(watched: Stand) -> None:
    watched.responder.lane_charts = BrokenCharts()
    page = (await watched.slash("guest", "health"))["message"]
    assert "above the limit on errors" in page["text"] and page["attachments"] == []
    watched.engine.away = True
    page = (await watched.slash("guest", "health"))["message"]
    assert "The lanes could not be read" in page["text"]
    one = await watched.slash("guest", "health", service="checkout", environment="production")
    assert "🔌" in one["message"]["text"]
