"""What every router promises, on the real program."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.judge.evidence.histogram import bounds_of, gained_histogram, read
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, RoutedLane, RouterCounts, Split, Stickiness
from bot.ports.errors import TargetRefused
from tests.support.routers.client import WEBSOCKET, Connection, ask, ask_many, request
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import KINDS, LANE, OTHER, RouterSubject, running
from tests.support.routers.subjects import subject as router_subject
from tests.support.waiting import until

pytestmark = pytest.mark.real

ROUTE = LaneRoute(latency_limits_s=(0.25,), request_timeout_s=2.0)
# Requests that hang are overdue for long enough to be seen, before they time out.
PATIENT = LaneRoute(latency_limits_s=(0.25,), request_timeout_s=10.0)


@pytest.fixture(params=KINDS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterSubject]:
    async with running(router_subject(request.param, tmp_path), {LANE: ROUTE, OTHER: LaneRoute()}) as found:
        yield found


@pytest.fixture
async def stable() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:stable") as release:
        yield release


@pytest.fixture
async def candidate() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:candidate") as release:
        yield release


def bodies(responses: object) -> Counter[str]:
    return Counter(response.body.decode() for response in responses)  # type: ignore[attr-defined]


# ---- weights ----------------------------------------------------------------------------------------------


async def test_router_runs_what_it_says(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(75), candidate.share(25), generation=7, revision=3)
    expected = RoutedLane(7, 3, {stable.digest: 75, candidate.digest: 25}, address)
    observed = await subject.router.observe()
    assert observed[LANE] == expected
    assert observed[OTHER].generation == 0
    assert set(observed) == {LANE, OTHER}


@pytest.mark.parametrize("weight", [1, 20, 50])
async def test_each_release_gets_its_share(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease, weight: int
) -> None:
    address = await subject.split(stable.share(100 - weight), candidate.share(weight))
    number = 2000
    got = bodies(await ask_many(address, number))[candidate.digest]
    expected = number * weight / 100
    # Six standard deviations.
    assert abs(got - expected) <= 6 * (number * weight / 100 * (1 - weight / 100)) ** 0.5


async def test_weight_zero_is_no_request(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(50), candidate.share(50))
    await ask_many(address, 50)
    await subject.split(stable.share(100), candidate.share(0), revision=2)
    seen = len(candidate.heads)
    assert bodies(await ask_many(address, 1000)) == {stable.digest: 1000}
    assert len(candidate.heads) == seen


async def test_no_request_fails_while_weights_change(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(100), candidate.share(0))
    asking = asyncio.create_task(ask_many(address, 1500))
    revision = 1
    while not asking.done():
        revision += 1
        weight = (0, 30, 100, 5)[revision % 4]
        await subject.split(stable.share(100 - weight), candidate.share(weight), revision=revision)
    assert {response.status for response in await asking} == {200}
    assert revision > 5


async def test_without_weights_users_get_503_which_no_release_is_charged_for(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(0))
    assert (await ask(address)).status == 503
    address = await subject.split(lane=OTHER)
    assert (await ask(address)).status == 503
    assert (await subject.counts(stable.digest)).total == 0


async def test_lane_without_a_split_answers_503(subject: RouterSubject) -> None:
    assert (await ask(await subject.address())).status == 503


async def test_release_with_weight_and_no_instance_is_bad(
    subject: RouterSubject, stable: TestRelease
) -> None:
    nothing = stable.share(100)
    address = await subject.split(type(nothing)(stable.digest, "1", 100))
    assert (await ask(address)).status == 503
    counts = await subject.counts(stable.digest, lambda counts: counts.total)
    assert (counts.total, counts.bad) == (1, 1)


async def test_instances_of_a_release_take_turns(subject: RouterSubject, stable: TestRelease) -> None:
    async with TestRelease("sha256:stable") as second:
        address = await subject.split(stable.share(100, stable.backend, second.backend))
        await ask_many(address, 100)
        assert min(len(stable.heads), len(second.heads)) > 20


# ---- stickiness -------------------------------------------------------------------------------------------


async def test_cookie_keeps_users_while_the_share_grows(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    sticky = LaneRoute(sticky=Stickiness("cookie", "slipway_release"))
    await subject.router.configure({LANE: sticky, OTHER: LaneRoute()})
    address = await subject.split(stable.share(90), candidate.share(10))
    users: dict[str, str] = {}
    for response in await ask_many(address, 200):
        (cookie,) = response.values("set-cookie")
        users[cookie.split(";")[0]] = response.body.decode()
    assert len(users) == 200
    for revision, weight in enumerate((10, 35, 80, 100), 2):
        await subject.split(stable.share(100 - weight), candidate.share(weight), revision=revision)
        for cookie, before in users.items():
            response = await ask(address, Cookie=f"theme=dark; {cookie}")
            assert response.values("set-cookie") == []
            after = response.body.decode()
            if weight == 10 or before == candidate.digest:
                assert after == before
            users[cookie] = after
    assert set(users.values()) == {candidate.digest}


async def test_header_keeps_users_while_the_share_grows(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    sticky = LaneRoute(sticky=Stickiness("header", "X-Account"))
    await subject.router.configure({LANE: sticky, OTHER: LaneRoute()})
    users = {f"account-{number}": stable.digest for number in range(150)}
    for revision, weight in enumerate((0, 20, 20, 60, 100), 1):
        address = await subject.split(stable.share(100 - weight), candidate.share(weight), revision=revision)
        for account, before in users.items():
            after = (await ask(address, X_Account=account)).body.decode()
            assert before == stable.digest or after == before
            users[account] = after
        there = sum(digest == candidate.digest for digest in users.values())
        assert abs(there / len(users) - weight / 100) < 0.17
    assert set(users.values()) == {candidate.digest}


# ---- requests in flight -----------------------------------------------------------------------------------


async def test_requests_in_flight_end_where_they_are(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(candidate.share(100), lane=OTHER)
    asking = asyncio.create_task(ask(address, "/held"))
    await subject.counts(candidate.digest, lambda counts: counts.in_flight == 1, OTHER)
    await subject.split(stable.share(100), candidate.share(0), revision=2, lane=OTHER)
    await subject.split(stable.share(100), revision=3, lane=OTHER)
    candidate.over.set()
    response = await asking
    assert (response.status, response.body.decode()) == (200, candidate.digest)


async def test_websocket_lives_on_at_weight_zero_and_is_seen_until_it_ends(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(candidate.share(100))
    socket = await Connection.open(address)
    await socket.send(request("/ws", **WEBSOCKET))
    assert (await socket.receive()).status == 101
    await subject.split(stable.share(100), candidate.share(0), revision=2)
    await socket.send(b"still there")
    assert await socket.reader.readexactly(11) == b"still there"
    assert (await subject.counts(candidate.digest)).in_flight == 1
    socket.close()
    counts = await subject.counts(candidate.digest, lambda counts: counts.in_flight == 0)
    assert counts.bad == 0


async def test_websocket_passes_bytes_that_would_grow_without_looking_into_them(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    socket = await Connection.open(address)
    await socket.send(request("/ws", Sec_WebSocket_Extensions="permessage-deflate", **WEBSOCKET))
    assert (await socket.receive()).status == 101
    bomb = gzip.compress(b"\0" * 50_000_000)
    await socket.send(bomb)
    assert await socket.reader.readexactly(len(bomb)) == bomb
    socket.close()


# ---- what passes ------------------------------------------------------------------------------------------


async def test_bodies_pass_byte_for_byte(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    for body in (gzip.compress(b"hello" * 1000), b"\x1f\x8b is no gzip", bytes(range(256)) * 500):
        response = await ask(address, "/echo", "POST", body, Content_Encoding="gzip")
        assert response.body == body
        assert response.values("content-encoding") == ["gzip"]


async def test_redirects_are_passed_on_also_on_upgrades(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    for headers in ({}, WEBSOCKET):
        response = await ask(address, "/redirect", **headers)
        assert (response.status, response.values("location")) == (302, ["/elsewhere"])
    assert stable.requests("/elsewhere") == []


async def test_nothing_is_asked_twice(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    for path in ("/reset", "/garbage", "/status/503"):
        assert (await ask(address, path, "DELETE")).status >= 500
        assert len(stable.requests(path)) == 1
    with contextlib.suppress(asyncio.IncompleteReadError):
        await ask(address, "/die", "DELETE")
    assert len(stable.requests("/die")) == 1


async def test_addresses_of_clients_are_kept_and_not_believed(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    await connection.send(
        b"GET /head HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 1.1.1.1\r\n"
        b"X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-Proto: https\r\nX-Envoy-Internal: true\r\n\r\n"
    )
    head = (await connection.receive()).body.decode().lower()
    connection.close()
    lines = [line.split(": ", 1) for line in head.split("\r\n") if ": " in line]
    forwarded = (
        ",".join(value for name, value in lines if name == "x-forwarded-for").replace(" ", "").split(",")
    )
    assert forwarded[:3] == ["1.1.1.1", "2.2.2.2", "3.3.3.3"]
    # Its own; for loopback, Envoy gives this machine's.
    assert len(forwarded) == 4
    assert forwarded[3] not in forwarded[:3]
    assert ["x-forwarded-proto", "http"] in lines
    assert ["x-envoy-internal", "true"] not in lines


async def test_no_client_chooses_its_lane(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    await subject.split(candidate.share(100), lane=OTHER)
    for headers in (
        {"X_Slipway_Lane": "search/staging"},
        {"X_Slipway_Lane": "a", "x_slipway_lane": "search/staging"},
    ):
        assert (await ask(address, **headers)).body.decode() == stable.digest
    assert candidate.heads == []
    assert b"x-slipway" not in b"".join(stable.heads).lower()


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT 127.0.0.1:{port}",
        "CONNECT a:@127.0.0.1:{port}",
        "OPTIONS *",
        "GET *",
        "GET @127.0.0.1:{port}/",
    ],
)
async def test_no_request_reaches_what_its_client_names(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease, line: str
) -> None:
    """The candidate is any server of this machine here: it is in no split."""
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    await connection.send(
        f"{line.format(port=candidate.port)} HTTP/1.1\r\nHost: 127.0.0.1:{candidate.port}\r\n\r\n".encode()
    )
    response = await connection.receive()
    connection.close()
    assert 400 <= response.status < 500
    assert candidate.heads == []
    assert stable.heads == []


async def test_absolute_requests_go_to_the_lane(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    response = await ask(address, "http://shop.example/")
    assert response.body.decode() == stable.digest
    # Not what its host says; HAProxy refuses it, and Envoy believes the line.
    response = await ask(address, f"http://127.0.0.1:{candidate.port}/")
    assert response.status == 400 or response.body.decode() == stable.digest
    assert candidate.heads == []


# ---- counts -----------------------------------------------------------------------------------------------


async def test_every_release_of_a_split_has_counts(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    await subject.split(stable.share(100), candidate.share(0))
    counts = (await subject.router.counts())[LANE]
    assert set(counts) == {stable.digest, candidate.digest}
    assert all((found.total, found.bad, dict(found.buckets)[0.25]) == (0, 0, 0) for found in counts.values())


async def test_requests_are_counted_exactly(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(50), candidate.share(50))
    responses = await ask_many(address, 400)
    responses += await ask_many(address, 100, "/status/500")
    responses += await ask_many(address, 50, "/status/404")
    for release in (stable, candidate):
        served = len(release.heads)
        counts = await subject.counts(
            release.digest,
            lambda counts: counts.total == served and not counts.in_flight,  # noqa: B023
        )
        assert counts.bad == len(release.requests("/status/500"))


async def test_latency_is_counted_exactly_at_the_limit(subject: RouterSubject, stable: TestRelease) -> None:
    """With limits that lie around what a release takes, each request is on the right side of each."""
    limits = (0.1, 0.199, 0.45, 0.6)
    await subject.router.configure({LANE: LaneRoute(latency_limits_s=limits), OTHER: LaneRoute()})
    address = await subject.split(stable.share(100))
    took = []
    for pause in (0, 0, 0.2, 0.3, 0.5):
        begun = time.monotonic()
        await ask(address, f"/slow/{pause}")
        took.append((pause, time.monotonic() - begun))
    counts = await subject.counts(stable.digest, lambda counts: counts.total == 5)
    buckets = dict(counts.buckets)
    for limit in limits:
        surely = sum(longest < limit for _, longest in took)
        perhaps = sum(pause < limit for pause, _ in took)
        assert surely <= buckets[limit] <= perhaps
    assert list(buckets.values()) == sorted(buckets.values())
    assert counts.bad == 0


async def test_beside_the_limits_a_histogram_says_how_long_requests_took(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    for pause in (0.3, 0.3, 0.3, 0):
        await ask(address, f"/slow/{pause}")
    counts = await subject.counts(stable.digest, lambda counts: dict(counts.buckets)[10.0] == 4)
    bounds = bounds_of([counts.buckets])
    assert bounds == tuple(bound for bound, _ in counts.buckets)
    found = gained_histogram(bounds, (), read(counts.buckets, bounds))
    assert found is not None
    median = found.quantile(0.6)
    assert median is not None
    assert 0.25 <= median.low < median.value


async def test_other_limits_begin_another_series(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    await ask_many(address, 8)
    before = await subject.counts(stable.digest, lambda counts: counts.total == 8)
    await subject.router.configure({LANE: LaneRoute(latency_limits_s=(0.4,)), OTHER: LaneRoute()})
    after = await subject.counts(stable.digest)
    assert after.epoch != before.epoch
    assert (after.total, dict(after.buckets)[0.4]) == (0, 0)
    await ask_many(await subject.address(), 8)
    after = await subject.counts(stable.digest, lambda counts: counts.total == 8)
    assert dict(after.buckets)[0.4] == 8


async def test_counts_go_on_when_a_lane_moves(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    await ask_many(address, 8)
    before = await subject.counts(stable.digest, lambda counts: counts.total == 8)
    moved = LaneRoute("127.0.0.2", 0, latency_limits_s=(0.25,))
    await subject.router.configure({LANE: moved, OTHER: LaneRoute()})
    await ask(await subject.address())
    after = await subject.counts(stable.digest, lambda counts: counts.total == 9)
    assert after.epoch == before.epoch


FAULTS = ["/status/500", "/reset", "/garbage", "/die", "/cut", "/hang"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_of_a_release_are_bad(subject: RouterSubject, stable: TestRelease, fault: str) -> None:
    address = await subject.split(stable.share(100))
    with contextlib.suppress(asyncio.IncompleteReadError):
        response = await ask(address, fault)
        assert response.status >= 500
    counts = await subject.counts(stable.digest, lambda counts: counts.total and counts.bad)
    assert (counts.total, counts.bad) == (1, 1)


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_bad_also_for_clients_that_keep_their_connection(
    subject: RouterSubject, stable: TestRelease, fault: str
) -> None:
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    await connection.send(request())
    assert (await connection.receive()).status == 200
    await connection.send(request(fault, "DELETE"))
    with contextlib.suppress(asyncio.IncompleteReadError):
        assert (await connection.receive()).status >= 500
    connection.close()
    counts = await subject.counts(stable.digest, lambda counts: counts.total == 2 and counts.bad)
    assert counts.bad == 1
    assert len(stable.requests(fault)) == 1


async def test_refused_connections_are_bad(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    await ask(address)
    await stable.stop()
    assert {response.status for response in await ask_many(address, 10)} == {503}
    counts = await subject.counts(stable.digest, lambda counts: counts.total == 11)
    assert counts.bad == 10


async def test_refused_handshake_is_bad(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    await stable.stop()
    assert (await ask(address, "/ws", **WEBSOCKET)).status == 503
    counts = await subject.counts(stable.digest, lambda counts: counts.total)
    assert (counts.total, counts.bad) == (1, 1)


async def test_hung_requests_are_overdue_before_they_time_out(
    subject: RouterSubject, stable: TestRelease
) -> None:
    await subject.router.configure({LANE: PATIENT, OTHER: LaneRoute()})
    address = await subject.split(stable.share(100))
    continued = {"method": "POST", "body": b"x", "Expect": "100-continue"}
    clients = [await Connection.open(address) for _ in range(5)]
    for number, client in enumerate(clients):
        await client.send(request("/hang", **(continued if number == 4 else {})))
    counts = await subject.counts(stable.digest, lambda counts: counts.overdue == 5)
    assert (counts.overdue, counts.in_flight, counts.total) == (5, 5, 0)
    assert {(await client.receive()).status for client in clients[:4]} == {504}
    assert [(await clients[4].receive()).status for _ in range(2)] == [100, 504]
    for client in clients:
        client.close()
    counts = await subject.counts(stable.digest, lambda counts: counts.total == 5 and not counts.in_flight)
    assert (counts.bad, counts.overdue, counts.in_flight, dict(counts.buckets)[0.25]) == (5, 0, 0, 0)


async def test_clients_that_give_up_on_a_hung_release_are_slow_requests(
    subject: RouterSubject, stable: TestRelease
) -> None:
    await subject.router.configure({LANE: PATIENT, OTHER: LaneRoute()})
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    await connection.send(request("/hang"))
    await subject.counts(stable.digest, lambda counts: counts.overdue == 1)
    connection.abort()
    counts = await subject.counts(stable.digest, lambda counts: counts.total and counts.overdue == 0)
    assert (counts.total, counts.bad, dict(counts.buckets)[0.25]) == (1, 0, 0)


async def test_connections_that_a_release_closes_when_idle_fail_no_request(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    for _ in range(3):
        await connection.send(request())
        assert (await connection.receive()).status == 200
        for writer in list(stable._writers):
            writer.close()
        await asyncio.sleep(0.05)
    connection.close()


async def test_connections_to_a_release_serve_several_requests_and_are_not_kept_for_long(
    subject: RouterSubject, stable: TestRelease
) -> None:
    """Or a request would now and then be written into one that the release just closes."""
    address = await subject.split(stable.share(100))
    await ask_many(address, 200)
    assert stable.connections < 200
    await until(stable.count_open, lambda open_now: open_now == 0)


# ---- instances --------------------------------------------------------------------------------------------


@pytest.fixture
async def twin() -> AsyncIterator[TestRelease]:
    async with TestRelease("sha256:candidate") as release:
        yield release


def told_apart(counts: RouterCounts) -> dict[str, tuple[int, int]]:
    return {name: (total, bad) for name, total, bad in counts.instances}


async def test_instances_are_counted_by_their_address_from_the_start(
    subject: RouterSubject, candidate: TestRelease, twin: TestRelease
) -> None:
    address = await subject.split(candidate.share(100, candidate.backend, twin.backend))
    names = {f"127.0.0.1:{one.port}" for one in (candidate, twin)}
    assert told_apart(await subject.counts(candidate.digest)) == dict.fromkeys(names, (0, 0))
    await ask_many(address, 40)
    await ask_many(address, 10, "/status/500")
    counts = await subject.counts(candidate.digest, lambda counts: counts.total == 50)
    served = {f"127.0.0.1:{one.port}": one for one in (candidate, twin)}
    assert told_apart(counts) == {
        name: (len(one.heads), len(one.requests("/status/500"))) for name, one in served.items()
    }


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_charged_to_the_instance_that_had_them(
    subject: RouterSubject, candidate: TestRelease, twin: TestRelease, fault: str
) -> None:
    address = await subject.split(candidate.share(100, candidate.backend, twin.backend))
    with contextlib.suppress(asyncio.IncompleteReadError):
        await ask(address, fault)
    await ask_many(address, 11)
    counts = await subject.counts(candidate.digest, lambda counts: counts.total == 12 and counts.bad)
    assert counts.bad == 1
    for one in (candidate, twin):
        mine = told_apart(counts)[f"127.0.0.1:{one.port}"]
        assert mine == (len(one.heads), len(one.requests(fault)))


async def test_no_client_makes_an_instance_look_sick(
    subject: RouterSubject, candidate: TestRelease, twin: TestRelease
) -> None:
    """Clients that leave, that send what is no request, and that break off their uploads."""
    address = await subject.split(candidate.share(100, candidate.backend, twin.backend))
    await ask_many(address, 10)
    for number in range(6):
        connection = await Connection.open(address)
        await connection.send(request("/slow/0.1"))
        await asyncio.sleep(0.03)
        connection.abort()
        connection = await Connection.open(address)
        await connection.send(b"GET / HTTP/1.1\r\nHost: shop\r\nContent-Length: 50\r\n\r\nhalf")
        connection.abort()
        connection = await Connection.open(address)
        await connection.send(b"\0 is no request" if number % 2 else b"CONNECT a:1 HTTP/1.1\r\n\r\n")
        connection.close()
    await ask_many(address, 10)
    counts = await subject.counts(candidate.digest, lambda counts: counts.total >= 20)
    assert counts.bad == 0
    assert {bad for _, bad in told_apart(counts).values()} == {0}


async def test_instance_that_left_is_told_apart_no_more(
    subject: RouterSubject, candidate: TestRelease, twin: TestRelease
) -> None:
    address = await subject.split(candidate.share(100, candidate.backend, twin.backend))
    await ask_many(address, 10)
    await subject.split(candidate.share(100), revision=2)
    await ask_many(address, 10)
    counts = await subject.counts(candidate.digest, lambda counts: counts.total == 20)
    assert set(told_apart(counts)) == {f"127.0.0.1:{candidate.port}"}


# ---- faults of the router and of its configuration --------------------------------------------------------


async def test_killed_router_comes_back_with_the_same_weights(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(60), candidate.share(40), generation=3)
    await ask_many(address, 8)
    epoch = (await subject.counts(stable.digest)).epoch
    before = await subject.router.observe()
    subject.kill()

    async def answers() -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            return (await ask(address)).status == 200
        return False

    await until(answers)
    await until(subject.router.observe, lambda found: found == before)
    assert (await subject.counts(stable.digest)).epoch != epoch
    await subject.split(stable.share(100), candidate.share(0), revision=2)
    assert bodies(await ask_many(address, 100)) == {stable.digest: 100}


async def test_taken_address_is_refused_and_the_others_are_served(
    subject: RouterSubject, stable: TestRelease, candidate: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    new = Lane("mail", "production")
    taken = LaneRoute(port=candidate.port)
    with pytest.raises(TargetRefused, match=rf"127\.0\.0\.1:{candidate.port} for mail/production: .*in use"):
        await subject.router.configure({LANE: ROUTE, OTHER: taken, new: taken})
    observed = await subject.router.observe()
    assert observed[LANE].address == address
    assert (await ask(address)).body.decode() == stable.digest
    assert observed[OTHER].address is not None
    await subject.router.configure({LANE: ROUTE, new: LaneRoute()})
    observed = await subject.router.observe()
    assert set(observed) == {LANE, new}
    assert (await ask(await subject.address(new))).status == 503


async def test_refused_split_leaves_what_ran(subject: RouterSubject, stable: TestRelease) -> None:
    address = await subject.split(stable.share(100))
    before = await subject.router.observe()
    impossible = type(stable.backend)("x", "127.0.0.1", 99999)
    with pytest.raises(TargetRefused, match=subject.port_refused):
        await subject.split(stable.share(100, impossible), revision=2)
    assert await subject.router.observe() == before
    assert (await ask(address)).body.decode() == stable.digest
    await subject.split(stable.share(100), revision=3)


async def test_lane_that_is_not_configured_is_refused(subject: RouterSubject, stable: TestRelease) -> None:
    with pytest.raises(TargetRefused, match="mail/production"):
        await subject.router.apply(Lane("mail", "production"), Split(1, 1, (stable.share(100),)))


async def test_lanes_that_stay_the_same_are_not_disturbed(
    subject: RouterSubject, stable: TestRelease
) -> None:
    address = await subject.split(stable.share(100))
    connection = await Connection.open(address)
    await connection.send(request())
    await connection.receive()
    await subject.router.configure({LANE: ROUTE})
    await subject.router.configure({LANE: ROUTE, OTHER: LaneRoute()})
    assert await subject.address() == address
    await connection.send(request())
    response = await connection.receive()
    assert response.values("connection") == []
    connection.close()
