"""Configuration, splits and counts of the HAProxy adapter, which need no HAProxy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.routers.context import RouterContext
from bot.adapters.routers.haproxy import counting, splits
from bot.adapters.routers.haproxy.config import (
    SLOTS,
    HaproxyLimits,
    HaproxyListening,
    address,
    configuration,
    connections,
    parse_runs,
    release_key,
    runs,
    without_servers,
    written_for,
)
from bot.adapters.routers.haproxy.counting import End, Found, Tally
from bot.adapters.routers.haproxy.router import HaproxyRouter, folder_name
from bot.adapters.routers.haproxy.settings import HaproxySettings, make_haproxy
from bot.adapters.routers.haproxy.splits import Placed, Slot
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, LaneRoute, Share, Split, Stickiness
from bot.ports.errors import TargetRefused

LANE = Lane("checkout", "production")
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
lanes = st.builds(Lane, texts, texts)
routes = st.builds(
    LaneRoute,
    port=st.integers(0, 65535),
    sticky=st.none() | st.builds(Stickiness, st.sampled_from(["cookie", "header"]), st.just("x-user")),
    latency_limits_s=st.lists(st.floats(0.001, 60), max_size=3).map(tuple),
)
END = End(7, "plain0", "r", "plain", "answered", "SD", 200, 10)


# ---- configuration ----------------------------------------------------------------------------------------


@given(lanes, routes)
def test_what_a_file_was_made_for_is_read_back(lane: Lane, route: LaneRoute) -> None:
    listening = HaproxyListening(lane, route)
    text = configuration(listening, HaproxyLimits(), {"plain0": [("s1", "127.0.0.1:1")]})
    assert written_for(text) == parse_runs(runs(listening)) == listening
    assert "    server s1 127.0.0.1:1\n" in text
    assert without_servers(text) == configuration(listening, HaproxyLimits(), {})


@given(lanes)
def test_folders_of_lanes_are_their_own(lane: Lane) -> None:
    name = folder_name(lane)
    assert "/" not in name and name not in (".", "..")
    assert name == folder_name(Lane(lane.service, lane.environment))
    assert name != folder_name(Lane(lane.service + "@", lane.environment))


@pytest.mark.parametrize("name", ['x"', "x y", "x)", "x'", "x\\", "", "x\nglobal"])
def test_names_that_would_be_configuration_are_refused(name: str) -> None:
    for sticky in (Stickiness("cookie", name), Stickiness("header", name)):
        with pytest.raises(TargetRefused, match="cannot use"):
            configuration(HaproxyListening(LANE, LaneRoute(sticky=sticky)), HaproxyLimits(), {})


def test_connections_leave_descriptors_for_haproxy_itself() -> None:
    assert connections(HaproxyLimits(connections=4000, open_files=1024)) == 482
    assert connections(HaproxyLimits(connections=100, open_files=1024)) == 100
    assert connections(HaproxyLimits(connections=100, open_files=10)) == 4


@pytest.mark.parametrize("keep", [True, False])
def test_connections_to_releases_are_kept_as_the_catalog_says(keep: bool, tmp_path: Path) -> None:
    made = make_haproxy(HaproxySettings(keep_connections=keep), RouterContext(tmp_path))
    assert isinstance(made, HaproxyRouter)
    text = configuration(HaproxyListening(LANE, LaneRoute()), made._limits, {})
    assert ("http-reuse safe" in text, "option http-server-close" in text) == (keep, not keep)


@pytest.mark.parametrize(
    ("host", "written"), [("::1", "[::1]:80"), ("127.0.0.1", "127.0.0.1:80"), ("web", "web:80")]
)
def test_addresses_are_written_as_haproxy_reads_them(host: str, written: str) -> None:
    assert address(host, 80) == written


# ---- splits -----------------------------------------------------------------------------------------------


def placed(split: Split) -> Placed:
    return Placed(split, {n: Slot(release_key(share.digest), n) for n, share in enumerate(split.shares)})


@given(st.integers(0, 100), texts)
def test_maps_are_read_back(weight: int, version: str) -> None:
    backends = (Backend("b#1", "127.0.0.1", 1), Backend("b#2", "b.internal", 2))
    split = Split(3, 4, (Share("sha256:b", version, weight, backends), Share("sha256:a", "1", 100 - weight)))
    found = splits.parse(splits.lines(placed(split)))
    assert (found.split, found.slots) == (split, placed(split).slots)
    assert found.weights == {"sha256:a": 100 - weight, "sha256:b": weight}
    assert {slot.lost_before for slot in splits.restarted(found).slots.values()} == {0}


@given(st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_growing_share_keeps_everyone_that_it_had(first: int, second: int, candidate_is_first: bool) -> None:
    low, high = sorted((first, second))
    stable, candidate = ("b", "a") if candidate_is_first else ("a", "b")

    def users(weight: int) -> set[str]:
        split = Split(1, 1, (Share(stable, "1", 100 - weight), Share(candidate, "2", weight)))
        ours = f" {release_key(candidate)}"
        return {
            line.split(" ")[0]
            for line in splits.lines(placed(split))
            if line[0].isdecimal() and line.endswith(ours)
        }

    assert len(users(low)) == low
    assert users(low) <= users(high)


def test_slots_are_kept_then_taken_from_releases_that_left() -> None:
    before = Placed(None, {n: Slot(release_key(f"old{n}")) for n in range(SLOTS)})
    split = Split(1, 1, (Share("old3", "1", 50), Share("new", "2", 50)))
    assert splits.taken(before, split, busy={0, 1}) == {2: release_key("new")}
    assert splits.taken(Placed(), split, set()) == {0: release_key("old3"), 1: release_key("new")}
    with pytest.raises(TargetRefused, match="12 slots"):
        splits.taken(before, split, busy=set(range(SLOTS)))


# ---- counts -----------------------------------------------------------------------------------------------


def line(end: End) -> str:
    fields = (end.number, end.backend, end.release, end.kind, end.ended, end.flags, end.status, end.age_us)
    return " ".join(map(str, fields))


def test_lines_of_the_ring_are_read_once() -> None:
    shown = "\n".join(line(End(n, "plain0", "r", "plain", "answered", "SD", 200, 5)) for n in (9, 4, 6))
    found = Found()
    assert found.take(counting.ends(shown), 10) == {"r", "position"}
    assert (found.broken["r"], found.position) == (3, 6)
    assert found.take(counting.ends(shown), 10) == set()
    later = f"{shown}\n{line(END)}\nnot a line\n"
    found.take(counting.ends(later), 10)
    assert (found.broken["r"], found.position) == (4, 7)
    # After so many others that the ring has lost the last one that was read.
    found.take([End(99, "plain0", "r", "plain", "answered", "SD", 200, 5)], 10)
    assert found.broken["r"] == 5


@pytest.mark.parametrize(
    ("kind", "ended", "flags", "status", "age_us", "what"),
    [
        ("plain", "answered", "SD", 200, 1, "broken"),
        ("plain", "answered", "CD", 200, 1, ""),
        ("plain", "answered", "sD", 200, 1, ""),
        ("plain", "answered", "SD", 500, 1, ""),
        ("upgrade", "answered", "SD", 101, 1, ""),
        ("upload", "-", "SD", 0, 1, ""),
        ("plain", "-", "SC", 503, 1, "unanswered"),
        ("plain", "failed", "SH", 502, 1, ""),
        ("plain", "left", "CH", 400, 99, ""),
        ("plain", "-", "CD", -1, 1, ""),
        ("plain", "-", "CD", -1, 99, "gave_up"),
        ("plain", "-", "CD", 0, 1, "explained"),
    ],
)
def test_ends_of_requests_are_told_apart(
    kind: str, ended: str, flags: str, status: int, age_us: int, what: str
) -> None:
    found = Found()
    found.take([End(1, "plain0", "r", kind, ended, flags, status, age_us)], 50)
    numbers = {
        "broken": found.broken["r"],
        "unanswered": found.unanswered["r"],
        "gave_up": found.gave_up["r"],
        "explained": found.explained["plain0"],
    }
    assert numbers == {name: int(name == what) for name in numbers}


def test_what_the_ring_told_is_kept_in_a_table() -> None:
    found = Found()
    found.take([END, End(8, "plain1", "q", "plain", "-", "CD", 0, 99)], 50)
    rows = {}
    for command in found.commands({"r", "q", "plain1", "position"}):
        key, *pairs = command.removeprefix("set table found key ").split()
        values = dict(zip(pairs[::2], map(int, pairs[1::2]), strict=True))
        rows[key] = {"gpc0": 0, "gpc1": 0, "gpt0": 0} | {
            k.removeprefix("data."): v for k, v in values.items()
        }
    again = Found.read(rows)
    assert (again.position, again.broken["r"], again.gave_up["q"], again.explained["plain1"]) == (8, 1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "ended", "flags", "status", "what"),
    [
        ("plain", "answered", "SD", 200, "broken"),
        ("plain", "answered", "CD", 200, ""),
        ("plain", "answered", "SD", 500, ""),  # among the responses of the server
        ("plain", "failed", "SH", 502, "unanswered"),
        ("plain", "-", "SC", 503, "unanswered"),
        ("plain", "left", "CH", 400, ""),
        ("plain", "-", "CD", -1, ""),
        ("upgrade", "failed", "SH", 503, ""),
        ("upload", "-", "SD", 0, ""),
    ],
)
def test_ends_of_requests_are_charged_to_their_server(
    kind: str, ended: str, flags: str, status: int, what: str
) -> None:
    found = Found()
    end = End(1, "plain0", "r", kind, ended, flags, status, 1, "c1")
    (read,) = counting.ends(f"{line(end)} c1")
    assert read == end
    assert found.take([read], 50) - {"position", "r"} == ({"@c1"} if what else set())
    numbers = {"broken": found.broken["@c1"], "unanswered": found.unanswered["@c1"]}
    assert numbers == {name: int(name == what) for name in numbers}


def test_instances_are_the_servers_that_take_requests() -> None:
    found = Found()
    found.broken["@c1"], found.unanswered["@t2"] = 1, 2
    head = "# pxname,svname,status,addr,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx"
    shown = "\n".join(
        [
            head,
            "plain0,c1,UP,10.0.0.3:80,5,1,2,3",
            "plain0,s2,no check,10.0.0.4:80,4,0,0,0",
            "plain0,t2,no check,10.0.0.4:80,3,0,0,1",
            "plain0,c3,MAINT,10.0.0.5:80,9,0,0,9",
            "plain0,BACKEND,UP,,9,9,9,9",
            "other0,c1,UP,10.0.0.3:80,0,0,0,7",
        ]
    )
    rows = counting.servers(shown)["plain0"]
    assert counting.instances(rows, found) == (("10.0.0.3:80", 11, 4), ("10.0.0.4:80", 10, 3))
    assert set(counting.statistics(shown)) == {"plain0"}


def test_lost_requests_are_those_of_which_nothing_tells() -> None:
    found = Found()
    found.explained["plain0"] = 2
    stats = {"plain0": {"stot": "10", "scur": "3", "req_tot": "4"}}
    assert counting.lost("plain0", stats, found) == 1


def test_tallies_add_up_and_are_carried_as_text() -> None:
    one, two = Tally(3, 1, (1, 2)), Tally(10, 0, (5, 5))
    assert one + two == Tally(13, 1, (6, 7))
    assert one + Tally() == Tally() + one == one
    assert counting.tallies_from_text(counting.tallies_to_text({"r": one})) == {"r": one}
    assert counting.tallies_from_text("") == {}


def test_requests_are_overdue_only_when_they_surely_are() -> None:
    listening = HaproxyListening(LANE, LaneRoute(latency_limits_s=(2.0,)))
    waiting = {"50/r": {"conn_cur": 3}, "80/r": {"conn_cur": 1}}
    answered = {"50/r": {"conn_cur": 2}}
    assert counting.overdue(answered, waiting, listening, 7099) == {}
    assert counting.overdue(answered, waiting, listening, 7100) == {"r": 1}
    assert counting.overdue(answered, waiting, listening, 10_100) == {"r": 2}
