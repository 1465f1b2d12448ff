"""The picture of an opened verdict: odds on a logarithmic axis, what decides, the moment, and what was left out."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.judge.judge import Outcome
from bot.domain.judge.why import Block, Line, Why
from bot.domain.rollout.model import Phase
from bot.engine.api import OpenedVerdict
from bot.ui.chart.chart import Charts
from bot.ui.chart.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH
from bot.ui.chart.evidence_chart import EvidenceCharts, evidence_chart
from bot.ui.chart.evidence_svg import EvidenceChart, EvidencePanel, evidence_svg, odds, thinned
from tests.support import rollouts

RISING = ((0.0, 1.0), (5.0, 8.0), (10.0, 60.0), (15.0, None), (20.0, 60.0), (25.0, 300.0))
LIMIT = EvidencePanel("errors above 1%", 100.0, RISING, ((10.0, 15.0),))
BESIDE = EvidencePanel(
    "worse than stable", 3.0, tuple((at, o and o**0.5) for at, o in RISING), ((10.0, 15.0),)
)
CHART = EvidenceChart("1.5.1", (LIMIT, BESIDE), 0.0, 25.0, True, (25.0, "FAIL"))


def drawn(data: EvidenceChart) -> ET.Element:
    return ET.fromstring(evidence_svg(data))


def words(data: EvidenceChart) -> list[str]:
    return [each.text or "" for each in drawn(data).iter() if each.tag.endswith("text")]


def of(data: EvidenceChart, tag: str, **style: str) -> list[ET.Element]:
    named = {key.replace("_", "-"): value for key, value in style.items()}
    return [
        each
        for each in drawn(data).iter()
        if each.tag.endswith(tag) and all(each.get(key) == value for key, value in named.items())
    ]


def test_version_tests_what_decides_last_odds_and_verdict_are_words_on_it() -> None:
    said = words(CHART)
    for word in (
        "1.5.1",
        "errors above 1%",
        "decides at 100:1",
        "worse than stable",
        "decides at 3:1",
        "FAIL",
    ):
        assert word in said
    assert {"300:1", "17:1", "left out", "end, 25 s", "1:1"} <= set(said)


def test_the_axis_is_logarithmic_and_the_line_crosses_the_threshold_where_the_odds_do() -> None:
    one = replace(CHART, panels=(LIMIT,))
    (threshold,) = [e for e in of(one, "line", stroke_dasharray="3 5") if e.get("x1") == f"{LEFT:.1f}"]
    edge = float(threshold.get("y1") or 0)
    paths = [re.findall(r"[ML]([\d.]+) ([\d.]+)", e.get("d") or "") for e in of(one, "path")]
    before, after = [[(float(x), float(y)) for x, y in path] for path in paths]
    assert [y > edge for _, y in before] == [True] * 3
    assert [y < edge for _, y in after] == [False, True]
    (_, first), (_, second), (_, third) = before  # 1, 8 and 60: nearly the same steps
    assert (first - second) / (second - third) == pytest.approx(1.03, abs=0.01)


def test_what_was_left_out_is_a_gap_of_the_line_and_a_band_of_its_own_panel() -> None:
    bands = of(CHART, "rect", fill_opacity="0.3")
    width = (RIGHT - LEFT) * 5 / 25
    assert [round(float(e.get("width") or 0), 1) for e in bands] == [28.0, round(width, 1), round(width, 1)]
    assert len(of(CHART, "path")) == 4
    whole = replace(CHART, panels=(replace(LIMIT, points=RISING[:3], left_out=()),))
    assert "left out" not in words(whole)
    assert len(of(whole, "path")) == 1
    second = replace(CHART, panels=(LIMIT, replace(BESIDE, left_out=())))
    assert len(of(second, "rect", fill_opacity="0.3")) == 2


def test_odds_that_no_longer_stand_are_not_written_at_the_end() -> None:
    held = replace(LIMIT, points=(*RISING, (30.0, None)), left_out=((25.0, 30.0),))
    data = replace(CHART, panels=(held,), end=30.0, ended=False, verdict=(30.0, "hold"))
    assert "300:1" not in words(data)
    assert "hold" in words(data)


def test_one_test_alone_has_the_room_of_two() -> None:
    alone = replace(CHART, panels=(LIMIT,))
    moments = of(alone, "line", stroke_width="3")
    assert [float(e.get("y2") or 0) for e in moments] == [BOTTOM]
    assert len(of(CHART, "line", stroke_width="3")) == 2


def test_nothing_counted_is_said() -> None:
    assert "nothing counted" in words(replace(CHART, panels=(replace(LIMIT, points=((5.0, None),)),)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "1:1"),
        (0.05, "1:20"),
        (3.14, "3.1:1"),
        (99.6, "100:1"),
        (1500, "1.5k:1"),
        (2e6, "2M:1"),
        (1e12, ">1G:1"),
    ],
)
def test_odds_are_short(value: float, said: str) -> None:
    assert odds(value) == said


def test_long_lines_keep_their_peaks_gaps_and_end() -> None:
    points = [(float(n), None if 300 <= n < 400 else 50.0 if n == 700 else 1.0) for n in range(1000)]
    found = thinned([*points, (1000.0, 2.0)])
    assert len(found) <= 121
    assert (max(v for _, v in found if v is not None), found[-1]) == (50.0, (1000.0, 2.0))
    assert any(value is None for _, value in found)


@given(
    st.lists(st.tuples(st.floats(0.1, 600), st.none() | st.floats(1e-9, 1e12)), min_size=1, max_size=200),
    st.floats(1.0, 1e9),
    st.integers(1, 2),
)
def test_whatever_the_odds_the_picture_is_well_formed_and_inside_its_frame(
    steps: list[tuple[float, float | None]], needed: float, panels: int
) -> None:
    at, points, left_out = 0.0, [], []
    for seconds, value in steps:
        at += seconds
        points.append((at, value))
        left_out += [(at - seconds, at)] if value is None else []
    panel = EvidencePanel("a <b> & c" * 9, needed, tuple(points), tuple(left_out))
    data = EvidenceChart("v" * 80, (panel,) * panels, 0.0, at, False, (at, "ERROR"))
    for each in drawn(data).iter():
        for name, most in (
            ("x", WIDTH),
            ("y", HEIGHT),
            ("x1", WIDTH),
            ("y1", HEIGHT),
            ("cx", WIDTH),
            ("cy", HEIGHT),
        ):
            if each.get(name) is not None:
                assert 0 <= float(each.get(name) or 0) <= most


async def test_a_verdict_is_drawn_as_png_and_one_without_a_test_is_not() -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    rollouts.measured(made, rollout.id, bad=40)
    opened = await made.why(rollout.id)
    data = evidence_chart(opened)
    assert data is not None
    assert (data.candidate, data.verdict, len(data.panels)) == ("1.5.0", (opened.why.at, "FAIL"), 2)
    charts = Charts()
    try:
        picture = await EvidenceCharts(charts)(opened)
    finally:
        await charts.close()
    assert picture is not None and picture.startswith(b"\x89PNG")
    assert await EvidenceCharts(charts)(replace(opened, why=Why(None, "nothing"))) is None
    empty = Line("errors above 1%", 100.0, ((5.0, None),))
    block = Block(0.0, 5.0, 0, 0, 0, 0, 1.0, "no requests")
    assert evidence_chart(replace(opened, why=replace(opened.why, lines=(empty,), blocks=(block,)))) is None
    assert opened.rollout.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize(
    ("outcome", "hold", "word"),
    [
        (Outcome.INSUFFICIENT, True, "hold"),
        (Outcome.ERROR, False, "ERROR"),
        (Outcome.INSUFFICIENT, False, None),
    ],
)
async def test_only_a_decision_is_marked(outcome: Outcome, hold: bool, word: str | None) -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    opened: OpenedVerdict = await made.why(rollout.id)
    data = evidence_chart(replace(opened, why=replace(opened.why, outcome=outcome, hold=hold)))
    assert data is not None
    assert (data.verdict[1] if data.verdict else None) == word
