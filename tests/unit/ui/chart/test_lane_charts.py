"""Charts of what lanes serve: what they show, and that hostile values neither break nor enter them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert, AlertState, Suspect
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.health import LaneHealth, Latency, Strip
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.oncall.schedule import Responders
from bot.engine.watch.health import OpenedLane
from bot.ui.chart.chart import Charts
from bot.ui.chart.lanes.alerts import AlertCharts, alert_chart, charted
from bot.ui.chart.lanes.charts import lane_chart
from bot.ui.chart.lanes.served import served_svg
from bot.ui.chart.lanes.strips import strips_svg
from bot.ui.chart.worker import png
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.alerts import errors
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, catalog, policy
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH

NOW = EPOCH.timestamp()
RULES = default_rules(policy().judge)
CATALOG = catalog(watch=LaneWatch(RULES))
CONFIG = CATALOG.lanes[PRODUCTION]
OUTAGE = "error_rate > 20% over 10s with at least 100 requests"
HOSTILE = '</text><script>&"\x00\ud83d 支付 ' * 9


def said(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter() if each.tag.endswith("text")]


def served(begin_s: float = 7200.0, sick_s: float = 60.0) -> list[ServedTick]:
    """Ticks of the time before NOW, of which half fail for the last `sick_s` seconds."""
    ticks = []
    for n in range(round(begin_s / 5)):
        at = NOW - begin_s + 5 * n
        counts = {"errors": Counts(100, 50 if at > NOW - sick_s else 0), "latency>0.8s": Counts(100, 2)}
        ticks.append(ServedTick(at, 5.0, counts))
    return ticks


def alert(rule: str = "outage", text: str = OUTAGE, **more: object) -> Alert:
    finding = errors(fingerprint=f"rule/{PRODUCTION}/{rule}", text=text, at=EPOCH - timedelta(seconds=50))
    return replace(begin(3, finding, (GUILD,), EPOCH, AlertPolicy()).alert, **more)  # type: ignore[arg-type]


def test_an_alert_shows_its_value_against_the_limit_with_the_deploy_before_it() -> None:
    suspect = Suspect(7, "1.4.0", "1.5.0", "Dev", EPOCH - timedelta(minutes=10))
    chart = alert_chart(alert(suspect=suspect), CONFIG, served(), NOW)
    assert chart is not None
    value, beside = chart.panels
    assert (value.title, value.limit) == ("Failed requests in 10 s", 0.2)
    assert (beside.title, beside.limit) == ("Slower than 800 ms", 0.05)
    assert chart.begin == NOW - 50 - 1800
    # What is kept may be older than what the card says.
    assert value.candidate.points[-1] == (NOW, 0.52)
    words = said(served_svg(chart))
    assert {"deploy", "alert", "limit 20%", "52%"} <= {*words}


def test_the_last_chart_has_all_of_it_and_a_long_one_its_last_day() -> None:
    over = alert(state=AlertState.RESOLVED, ended_at=EPOCH + timedelta(hours=1))
    chart = alert_chart(over, CONFIG, served(), NOW + 7200)
    assert chart is not None and chart.end == NOW + 3600 and chart.begin < NOW - 1800
    assert chart.panels[0].candidate.points[-1][1] == 0.5  # nothing is added to what was measured
    long = alert_chart(alert(), CONFIG, [replace(t, at=t.at + 5e5) for t in served()], NOW + 5e5)
    assert long is not None and long.end - long.begin == 86_400 and long.marks == ()
    assert said(served_svg(long))


@pytest.mark.parametrize(
    ("rule", "text", "title"),
    [
        ("slow", "", "Slower than 800 ms in 60 s"),
        ("fast burn", "error_rate > 14% over 1h and error_rate > 14% over 5m", "Failed requests in 5 min"),
        ("burn", "", "Failed requests in 30 min"),
    ],
)
def test_the_condition_with_the_shortest_window_is_shown(rule: str, text: str, title: str) -> None:
    chart = alert_chart(alert(rule, text), CONFIG, served(), NOW)
    assert chart is not None and chart.panels[0].title == title


def test_alerts_of_others_and_of_rules_that_are_gone_show_how_the_lane_did() -> None:
    assert charted(alert("former rule"), CONFIG) is None
    other = begin(
        3, errors(source="sentry", value="31 events", limit=""), (GUILD,), EPOCH, AlertPolicy()
    ).alert
    for found in (other, alert("former rule")):
        chart = alert_chart(found, CONFIG, served(), NOW)
        assert chart is not None
        assert [(each.title, each.limit) for each in chart.panels] == [
            ("Failed requests", 0.01),
            ("Slower than 800 ms", 0.05),
        ]
        # What another program measures is not what the lane counted.
        assert 0.4 < (chart.panels[0].candidate.points[-1][1] or 0.0) < 0.51
        assert "alert" in said(served_svg(chart))
    quick = [replace(tick, counts={"errors": tick.counts["errors"]}) for tick in served()]
    chart = alert_chart(other, CONFIG, quick, NOW)
    assert chart is not None and len(chart.panels) == 1
    assert alert_chart(other, CONFIG, [], NOW) is None
    assert alert_chart(alert(), CONFIG, [], NOW) is not None  # the value that the card says


async def test_charts_are_drawn_from_what_is_kept() -> None:
    clock = FrozenClock(EPOCH)
    store = MemoryStore(MemoryDatabase(clock.now))
    await store.served.append([(PRODUCTION, tick) for tick in served()])
    charts = Charts()
    try:
        draw = AlertCharts(charts, store.served, lambda: CATALOG, clock)
        drawn = await draw(alert())
        assert drawn is not None and drawn.startswith(b"\x89PNG")
        other = begin(4, errors(source="prometheus"), (GUILD,), EPOCH, AlertPolicy()).alert
        elsewhere = await draw(other)
        assert elsewhere is not None and elsewhere.startswith(b"\x89PNG")
        assert await draw(alert(lane=None)) is None
        assert await draw(replace(other, lane=STAGING)) is None  # nothing is kept of it
    finally:
        await charts.close()


def strips(*names: str, share: float = 0.002) -> str | None:
    lanes = [LaneHealth(Lane(name, name), errors=share, limit=0.01) for name in names]
    return strips_svg(lanes, [Strip(lane.lane, 0.0, 300.0, (None, share, share, None)) for lane in lanes])


def test_strips_have_a_row_for_each_lane_and_mark_what_is_above_its_limit() -> None:
    svg = strips("shop", "feed")
    assert svg is not None
    assert said(svg).count("0.2%") == 2
    assert "▲ 50%" in said(strips("shop", share=0.5) or "")
    assert strips_svg([LaneHealth(PRODUCTION)], [Strip(PRODUCTION, 0.0, 300.0, (None,) * 4)]) is None
    assert strips_svg([], []) is None


def test_rows_are_those_of_their_lanes_though_some_have_no_requests() -> None:
    lanes = [LaneHealth(Lane(name, "x"), limit=0.01) for name in ("a", "b")]
    found = [Strip(lanes[0].lane, 0.0, 300.0, (None, None)), Strip(lanes[1].lane, 0.0, 300.0, (0.1, 0.3))]
    words = said(strips_svg(lanes, found) or "")
    assert "b" in words and "a" not in words


def test_a_lane_in_full_shows_errors_and_slow_requests() -> None:
    health = LaneHealth(PRODUCTION, limit=0.01, latency=Latency(0.8, 0.02, 0.05))
    opened = OpenedLane(health, NOW, Responders(), served(), CONFIG)
    chart = lane_chart(opened)
    assert chart is not None
    assert [panel.title for panel in chart.panels] == ["Failed requests", "Slower than 800 ms"]
    assert "now" in said(served_svg(chart))
    assert lane_chart(replace(opened, served=())) is None


def test_hostile_names_are_drawn_as_text() -> None:
    svg = strips(HOSTILE)
    assert svg is not None and "<script" not in svg
    assert png(svg).startswith(b"\x89PNG")
    chart = alert_chart(alert(), CONFIG, served(), NOW)
    assert chart is not None
    svg = served_svg(replace(chart, title=HOSTILE))
    assert not re.search("<script", svg)
    assert png(svg).startswith(b"\x89PNG")
