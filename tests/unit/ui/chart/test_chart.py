"""The chart: whatever the data, a picture that says what it shows, and an event loop that never waits for it."""

from __future__ import annotations

import asyncio
import io
import signal
import struct
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ui.chart import chart, worker
from bot.ui.chart.chart import (
    HEIGHT,
    WIDTH,
    ChartData,
    ChartError,
    Charts,
    ChartSeries,
    Panel,
    render,
    render_async,
)
from bot.ui.chart.data import MOST_POINTS, pieces, pooled, thinned
from bot.ui.chart.drawing import shortened
from bot.ui.chart.svg import svg
from tests.support.waiting import PATIENCE_S


def line(*values: float | None) -> ChartSeries:
    return ChartSeries(tuple((number * 5.0, value) for number, value in enumerate(values)))


ERRORS = Panel("Failed requests", line(0.0, 0.08, 0.07), line(0.001, 0.002, 0.001), 0.01)
SLOW = Panel("p99 latency", line(0.3, 0.4, 2.4), line(0.3, 0.3, 0.3), 2.0, "seconds")
CHART = ChartData("1.5.1", "1.4.0", (ERRORS, SLOW), ((0.0, 5.0), (5.0, 25.0)), 0.0, 10.0)


def words(data: ChartData) -> list[str]:
    root = ElementTree.fromstring(svg(data))
    return [node.text or "" for node in root.iter() if node.tag.endswith("text")]


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_picture_has_the_size_that_cards_are_made_for() -> None:
    assert size(render(CHART)) == (WIDTH, HEIGHT)


def test_versions_limits_last_values_and_weights_are_words_on_it() -> None:
    said = words(CHART)
    for expected in (
        "1.5.1",
        "candidate",
        "1.4.0",
        "stable",
        "limit 1%",
        "limit 2 s",
        "7%",
        "0.1%",
        "2.4 s",
        "300 ms",
    ):
        assert expected in said
    assert {"traffic", "5%", "25%"} <= set(said)
    assert {"start", "10 s"} <= set(said)


def test_the_axis_ends_where_the_rollout_ended_and_the_verdict_is_a_word() -> None:
    ended = replace(CHART, ended=True, end=14.0, verdict=(10.0, "FAIL"))
    assert {"FAIL", "end, 14 s", "start"} <= set(words(ended))
    assert "10 s" not in words(replace(ended, end=11.0))  # it would touch the last one
    assert "FAIL" not in words(CHART)
    # The last measurement stands at 10 of 14 s; without an end, at 10 of at least 30 s.
    for data, share in ((ended, 10 / 14), (CHART, 10 / 30)):
        x = 98 + share * (636 - 98)
        assert f'<circle cx="{x:.1f}"' in svg(data)


def test_a_chart_of_one_look_can_be_drawn() -> None:
    one = Panel("Failed requests", line(0.5), ChartSeries(), 0.01)
    data = ChartData("1.5.1", None, (one,), (), 0.0, 0.0, ended=True, verdict=(0.0, "FAIL"))
    assert size(render(data)) == (WIDTH, HEIGHT)
    assert {"50%", "FAIL", "end, 1 s"} <= set(words(data))


def test_a_short_failure_is_not_averaged_away() -> None:
    values = [0.001] * 1000
    values[777] = 0.4
    drawn = [value for _, value in thinned(line(*values), 0.0, 5000.0, 0.01)]
    assert max(value or 0.0 for value in drawn) == 0.4
    assert min(value or 0.0 for value in drawn) == pytest.approx(0.001)


def test_lines_differ_in_dash_and_marker_not_only_in_colour() -> None:
    picture = svg(CHART)
    candidate = [part for part in picture.split("<path") if 'stroke="#5cb8ff"' in part]
    stable = [
        part for part in picture.split("<path") if 'stroke="#c9ccd1"' in part and "stroke-dasharray" in part
    ]
    assert candidate
    assert stable
    assert not any("stroke-dasharray" in part for part in candidate if 'fill="none"' in part)
    assert "<circle" in picture


def test_letters_are_drawn_with_the_shipped_font() -> None:
    blank = ChartData("", None, ())
    lettered = ChartData("1.5.1 and more", None, ())
    assert len(render(lettered)) > len(render(blank)) + 500
    assert (Path(worker.__file__).parent / "fonts" / "LICENSE.dejavu.txt").exists()


def test_no_data_is_said() -> None:
    empty = ChartData("1.0.0", None, (Panel("Failed requests", limit=0.01), Panel("p99 latency")))
    assert words(empty).count("no measurements yet") == 2
    assert "stable" not in words(empty)
    assert size(render(empty)) == (WIDTH, HEIGHT)


def test_one_point_is_a_marker() -> None:
    single = ChartData("1.0.0", None, (Panel("Failed requests", line(0.02), limit=0.01),))
    assert "2%" in words(single)
    assert svg(single).count("<circle") == 4  # legend, the point, its end, its label


def test_what_could_not_be_measured_is_a_gap() -> None:
    assert [len(piece) for piece in pieces(list(line(1, 2, None, 3, 4, 5).points))] == [2, 3]
    late = [(0.0, 1.0), (5.0, 1.0), (10.0, 1.0), (60.0, 1.0), (65.0, 1.0)]
    assert [len(piece) for piece in pieces(list(late))] == [3, 2]
    assert list(pieces([])) == []


def test_single_failures_in_thin_traffic_are_pooled_not_spikes() -> None:
    looks = [(n * 5.0, (8, 1 if n == 6 else 0)) for n in range(24)]
    found = [value for _, value in pooled(looks, 60.0).points]
    assert found[5] == 0
    assert found[6] == pytest.approx(1 / 56)
    assert found[17] == pytest.approx(1 / 96)
    assert found[18] == 0


def test_looks_without_measurement_or_requests_stay_gaps_when_pooled() -> None:
    looks = [(0.0, (0, 0)), (5.0, (10, 1)), (10.0, None), (15.0, (0, 0)), (90.0, (0, 0))]
    assert [value for _, value in pooled(looks, 60.0).points] == [None, 0.1, None, 0.1, None]


def test_long_lines_are_thinned_and_keep_their_gaps() -> None:
    values = [None if 1000 <= number < 1200 else 1.0 for number in range(3000)]
    found = thinned(line(*values), 0.0, 20_000.0)
    assert len(found) <= MOST_POINTS
    assert [value for _, value in found].count(None) >= 7
    assert {value for _, value in found} == {1.0, None}
    assert thinned(line(1.0, 2.0, 3.0), 4.0, 6.0) == [(5.0, 2.0)]


def test_long_versions_lose_their_middle() -> None:
    assert shortened("1.5.1", 13) == "1.5.1"
    assert shortened("2026.11.20-rc1+build.4711", 13) == "2026.1…d.4711"
    assert len(shortened("v" * 90, 13)) <= 13
    assert shortened("1234.-+_890123456", 13) == "1234…123456"


def test_markup_in_a_version_is_text() -> None:
    assert '<b>&"x' in words(ChartData('<b>&"x', "ok", (ERRORS,)))


def test_labels_that_would_overlap_keep_the_latest() -> None:
    crowded = ChartData("1", "2", (ERRORS,), ((0.0, 1.0), (1.0, 5.0), (2.0, 25.0), (900.0, 3.0)), 0.0, 600.0)
    said = words(crowded)
    assert "25%" in said
    assert "1%" not in said[said.index("traffic") :]
    assert "3%" not in said[said.index("traffic") :]


def test_the_axis_of_time_is_in_round_steps() -> None:
    for span, expected in (
        (30, "10 s"),
        (600, "2 min"),
        (3600, "15 min"),
        (9000, "1.5 h"),
        (36000, "2 h"),
        (1e6, "2 d"),
    ):
        assert expected in words(ChartData("1", None, (ERRORS,), (), 0.0, float(span))), span


def test_all_requests_failing_fits() -> None:
    total = ChartData("1", "2", (Panel("Failed requests", line(1.0, 1.0), line(0.0, 0.0), 0.01),))
    assert {"100%", "0"} <= set(words(total))
    assert size(render(total)) == (WIDTH, HEIGHT)
    nothing = ChartData("1", "2", (Panel("Failed requests", line(0.0, 0.0), line(0.0, 0.0)),))
    assert size(render(nothing)) == (WIDTH, HEIGHT)


value = st.none() | st.floats(0, 1) | st.floats(0, 1e-9)
points = st.lists(st.tuples(st.floats(0, 2e9), value), max_size=40).map(
    lambda p: ChartSeries(tuple(sorted(p, key=lambda q: q[0])))
)
panels = st.builds(
    Panel,
    st.text(max_size=20),
    points,
    points,
    st.none() | st.floats(1e-6, 1),
    st.sampled_from(["proportion", "seconds"]),
)
charts_ = st.builds(
    ChartData,
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60),
    st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60),
    st.lists(panels, max_size=2).map(tuple),
    st.lists(st.tuples(st.floats(0, 2e9), st.floats(0, 100)), max_size=6).map(lambda w: tuple(sorted(w))),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
)


@settings(deadline=None, max_examples=60)
@given(charts_)
def test_whatever_the_data_the_picture_is_well_formed_and_inside_its_frame(data: ChartData) -> None:
    root = ElementTree.fromstring(svg(data))
    for node in root.iter():
        for key in ("x", "x1", "x2", "cx"):
            assert -1 <= float(node.get(key, 0)) <= WIDTH
        for key in ("y", "y1", "y2", "cy"):
            assert -1 <= float(node.get(key, 0)) <= HEIGHT


async def test_the_event_loop_does_not_wait_for_pictures() -> None:
    charts = Charts(patience_s=PATIENCE_S)
    try:
        await charts.render(CHART)
        assert charts._worker is not None
        charts._worker.send_signal(signal.SIGSTOP)
        task = asyncio.gather(*(charts.render(CHART) for _ in range(6)))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not task.done()
        charts._worker.send_signal(signal.SIGCONT)
        assert [size(png) for png in await task] == [(WIDTH, HEIGHT)] * 6
    finally:
        await charts.close()


async def test_a_process_that_ended_is_replaced() -> None:
    charts = Charts(patience_s=PATIENCE_S)
    try:
        assert await charts.render(CHART)
        assert charts._worker is not None
        charts._worker.kill()
        assert size(await charts.render(CHART)) == (WIDTH, HEIGHT)
        charts._worker.kill()
        await charts._worker.wait()
        assert size(await charts.render(CHART)) == (WIDTH, HEIGHT)
    finally:
        await charts.close()


async def test_a_cancelled_picture_does_not_spoil_the_next() -> None:
    charts = Charts(patience_s=PATIENCE_S)
    try:
        assert await charts.render(CHART)
        assert charts._worker is not None
        charts._worker.send_signal(signal.SIGSTOP)  # it draws nothing before the request is cancelled
        first = asyncio.create_task(charts.render(CHART))
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert size(await charts.render(CHART)) == (WIDTH, HEIGHT)
    finally:
        await charts.close()
        await charts.close()


async def test_too_many_at_once_are_refused_and_too_slow_is_given_up() -> None:
    charts = Charts(longest_queue=1, patience_s=PATIENCE_S)
    try:
        first = asyncio.create_task(charts.render(CHART))
        await asyncio.sleep(0)
        with pytest.raises(ChartError, match="already waiting"):
            await charts.render(CHART)
        assert await first
    finally:
        await charts.close()
    hasty = Charts(patience_s=0.001)
    with pytest.raises(ChartError, match="too long"):
        await hasty.render(CHART)
    await hasty.close()


async def test_what_cannot_be_drawn_is_an_error_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "svg", lambda _data: "<svg")
    with pytest.raises(ChartError):
        render(CHART)
    with pytest.raises(ChartError):
        await render_async(CHART)


async def test_a_missing_interpreter_is_an_error_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ChartError, match="could not be drawn"):
        await render_async(CHART)


async def test_one_picture_can_be_had_alone() -> None:
    assert size(await render_async(CHART)) == (WIDTH, HEIGHT)


def test_the_worker_answers_frame_by_frame_and_ends_when_idle_or_cut_off(tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    good, bad = svg(CHART).encode(), b"<svg"
    requests.write_bytes(b"".join(struct.pack(">I", len(each)) + each for each in (good, bad)))
    answers = io.BytesIO()
    with requests.open("rb", buffering=0) as asked:
        worker.serve(asked, answers)  # type: ignore[arg-type]
    found, frames = answers.getvalue(), []
    while found:
        length = struct.unpack(">I", found[:4])[0]
        frames.append(found[4 : 4 + length])
        found = found[4 + length :]
    assert [frame[:1] for frame in frames] == [b"+", b"-"]
    assert size(frames[0][1:]) == (WIDTH, HEIGHT)


async def test_a_document_longer_than_a_pipe_holds_is_read_whole() -> None:
    charts = Charts(patience_s=PATIENCE_S)
    try:
        padded = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><desc>{"x" * 300_000}</desc></svg>'
        )
        assert size(await charts.draw(padded)) == (8, 8)
        assert size(await charts.render(CHART)) == (WIDTH, HEIGHT)
    finally:
        await charts.close()
