"""The weighted router between real clients and real releases."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter

import aiohttp
import pytest

from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.routers import in_host
from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.domain.judge.evidence import CounterReading
from bot.domain.rollout.model import Desired, Lane
from bot.ports.errors import TargetRefused
from tests.support.host import LANE, Users, process_target, release, settled
from tests.support.waiting import until

ONE, TWO = release("1"), release("2")


async def reading(target: HostedTarget, digest: str) -> CounterReading:
    """The one reading of a release, once all its requests are counted."""
    (sample,) = await RouterMetrics(target).sample(LANE, [digest])
    assert sample.error is None
    (found,) = sample.readings
    return found


async def judged_by(target: HostedTarget, limit_s: float) -> None:
    await target.configure({LANE: HostedLaneSettings(listen_port=0, latency_limits_s=(limit_s,))})


async def test_five_per_cent_is_five_in_a_hundred(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 5))
    await settled(target, {"1": 95, "2": 5})
    await users.ask(1)  # the hundred in which the weight changed
    before = (await reading(target, TWO.digest)).total
    await users.ask(200)

    assert (await reading(target, TWO.digest)).total - before in (9, 10, 11)
    assert sum(users.got.values()) == 201 and set(users.got) == {"1", "2"}


async def test_weight_zero_holds_for_the_very_next_request(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    await users.ask(10)
    users.got.clear()

    await target.apply(LANE, Desired(2, ONE, TWO, 0))
    await users.ask(50)

    assert users.got == {"1": 50}


async def test_counts_tell_good_from_bad_and_slow_from_fast(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await users.ask(6)
    await users.ask(2, "/500")
    await users.ask(1, "/slow?s=0.35")

    found = await reading(target, ONE.digest)

    assert (found.total, found.bad) == (9, 2)
    buckets = dict(found.buckets)
    assert buckets[0.3] == 8 and buckets[10.0] == 9
    assert found.instance == "router"


async def test_request_in_flight_beyond_the_limit_is_overdue(target: HostedTarget, users: Users) -> None:
    await judged_by(target, 0.1)
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    hanging = asyncio.create_task(users.ask(1, "/hang"))

    found = await until(lambda: reading(target, ONE.digest), lambda r: r.overdue)

    assert (found.total, found.overdue) == (0, 1)
    hanging.cancel()


async def test_client_that_gives_up_quickly_is_not_held_against_the_release(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await judged_by(target, 0.05)
    await users.ask(1, "/hang", timeout=aiohttp.ClientTimeout(total=0.2))

    found = await until(lambda: reading(target, ONE.digest), lambda r: not r.overdue)

    assert found.total == 0


async def test_client_that_waited_long_and_gave_up_counts_as_slow(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await users.ask(1, "/hang", timeout=aiohttp.ClientTimeout(total=1.2))

    found = await until(lambda: reading(target, ONE.digest), lambda r: r.total)

    assert (found.total, found.bad, dict(found.buckets)[1.0]) == (1, 0, 0)


async def test_answers_and_bodies_are_streamed_both_ways(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    more = asyncio.Event()

    async def body():  # type: ignore[no-untyped-def]
        yield b"first"
        await more.wait()
        yield b"second"

    # The beginning of the answer is there before the request is complete: nothing was collected on the way.
    async with users.session.post(users.address + "/echo", data=body()) as answer:
        assert await answer.content.readexactly(5) == b"first"
        more.set()
        assert await answer.content.read() == b"second"


async def test_large_body_arrives_unchanged(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    sent = bytes(range(256)) * 4_000

    async with users.session.post(users.address + "/echo", data=sent) as answer:
        assert await answer.read() == sent


async def test_connections_are_kept_alive(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    host, port = users.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    assert (await reading(target, ONE.digest)).total == 3


async def test_headers_pass_except_those_of_one_connection(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    sent = {
        "Host": "shop.example",
        "X-Mine": "yes",
        "X-Hop": "no",
        "Connection": "keep-alive, X-Hop",
        "Proxy-Authorization": "secret",
        "X-Forwarded-For": "192.0.2.7",
        "Cookie": "session=1",
    }
    async with users.session.get(users.address + "/headers", headers=sent) as answer:
        seen = {name.lower(): value for name, value in json.loads(await answer.text())}
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert answer.headers["X-Kept"] == "yes" and "Keep-Alive" not in answer.headers

    assert seen["host"] == "shop.example" and seen["x-forwarded-host"] == "shop.example"
    assert seen["x-mine"] == "yes" and seen["cookie"] == "session=1"
    assert seen["x-forwarded-for"] == "192.0.2.7, 127.0.0.1" and seen["x-forwarded-proto"] == "http"
    assert not {"x-hop", "proxy-authorization"} & set(seen)


@pytest.mark.parametrize("path", ["/a%2Fb?q=%20x&y", "/caf%C3%A9?x=", "/a//b/../c"])
async def test_path_and_query_arrive_byte_for_byte(target: HostedTarget, users: Users, path: str) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    host, port = users.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["path"] == path


async def test_head_request_keeps_its_length_and_has_no_body(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    async with users.session.head(users.address + "/") as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""


async def test_websocket_passes_messages_both_ways(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    async with users.session.ws_connect(users.address + "/ws") as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "1:hello"
        await ws.send_bytes(b"\0\1")
        assert await ws.receive_bytes() == b"\0\1"


async def test_websocket_that_is_declined_says_so(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    with pytest.raises(aiohttp.WSServerHandshakeError) as declined:
        await users.session.ws_connect(users.address + "/500")
    assert declined.value.status == 500
    assert (await reading(target, ONE.digest)).bad == 1


async def test_answer_that_breaks_in_the_middle_is_cut_for_the_client_too(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    with pytest.raises(aiohttp.ClientPayloadError):
        async with users.session.get(users.address + "/half") as answer:
            await answer.read()
    assert (await reading(target, ONE.digest)).bad == 1


async def test_unsafe_request_that_was_sent_is_never_sent_twice(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 100))
    await settled(target, {"2": 100})

    async with users.session.post(users.address + "/die", data=b"x") as answer:
        assert answer.status == 502

    assert (await reading(target, ONE.digest)).total == 0
    assert (await reading(target, TWO.digest)).bad == 1


async def test_metrics_page_has_a_line_for_each_release_and_outcome(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await users.ask(3)
    await users.ask(1, "/500")
    host, port = (await target.describe())["metrics"]

    async with users.session.get(f"http://{host}:{port}/metrics") as answer:
        text = await answer.text()
    async with users.session.get(f"http://{host}:{port}/else") as elsewhere:
        assert elsewhere.status == 404

    labels = 'environment="production",outcome="{}",service="checkout",version="1"'
    lines = {"".join(line.split("{")[0]): line for line in text.splitlines()}
    assert "slipway_router_request_duration_seconds_bucket" in lines
    samples = Counter({line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in _samples(text)})
    named = {
        frozenset(name.rstrip("}").split("{")[1].split(",")): n
        for name, n in samples.items()
        if "requests_total" in name
    }
    assert named[frozenset(labels.format("ok").split(","))] == 3
    assert named[frozenset(labels.format("error").split(","))] == 1


def _samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class TestSticky:
    @pytest.fixture
    def settings(self) -> HostedLaneSettings:
        return HostedLaneSettings(listen_port=0, sticky_header="X-User")

    async def test_user_stays_with_a_release_and_a_higher_weight_never_moves_one_back(
        self, target: HostedTarget, users: Users
    ) -> None:
        async def homes() -> dict[str, str]:
            found = {}
            for user in map(str, range(40)):
                async with users.session.get(users.address + "/", headers={"X-User": user}) as answer:
                    found[user] = answer.headers["X-Version"]
            return found

        await target.apply(LANE, Desired(1, ONE, TWO, 25))
        await settled(target, {"1": 75, "2": 25})
        first = await homes()
        assert await homes() == first and set(first.values()) == {"1", "2"}

        await target.apply(LANE, Desired(2, ONE, TWO, 75))
        second = await homes()

        assert all(second[user] == "2" for user, version in first.items() if version == "2")
        assert list(second.values()).count("2") > list(first.values()).count("2")


class TestNobodyThere:
    @pytest.fixture
    def settings(self) -> HostedLaneSettings:
        return HostedLaneSettings(listen_port=0)

    async def test_request_without_any_release_waits_and_then_gets_a_503(
        self, target: HostedTarget, users: Users, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(in_host, "WAIT_S", 0.2)
        await target.configure({LANE: HostedLaneSettings(listen_port=0, sticky_header="X-User")})
        async with users.session.get(users.address + "/") as answer:
            assert answer.status == 503 and answer.headers["Retry-After"] == "1"


class TestTimeout:
    @pytest.fixture
    def settings(self) -> HostedLaneSettings:
        return HostedLaneSettings(listen_port=0, request_timeout_s=0.3)

    async def test_hung_candidate_is_counted_and_stable_is_asked(
        self, target: HostedTarget, users: Users
    ) -> None:
        await target.apply(LANE, Desired(1, ONE, TWO, 100))
        await settled(target, {"2": 100})
        async with users.session.get(users.address + "/hang") as answer:
            assert answer.status == 504
        found = await reading(target, TWO.digest)
        assert (found.total, found.bad) == (1, 1)

    async def test_hung_release_without_another_one_gets_a_504_once(
        self, target: HostedTarget, users: Users
    ) -> None:
        await target.apply(LANE, Desired(1, ONE))
        await settled(target, {"1": 100})
        async with users.session.get(users.address + "/hang") as answer:
            assert answer.status == 504
        assert (await reading(target, ONE.digest)).total == 1


async def test_address_that_is_taken_is_refused_with_a_sentence(target: HostedTarget) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetRefused, match="cannot listen"):
            await target.configure({LANE: HostedLaneSettings(listen_port=port)})


async def test_lane_that_cannot_listen_does_not_keep_the_others_from_work(
    host: Host, target: HostedTarget
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Lane("other", "production")
        port = taken.getsockname()[1]
        both = process_target(
            host.data_dir,
            {other: HostedLaneSettings(listen_port=port), LANE: HostedLaneSettings(listen_port=0)},
            start_host=False,
        )
        await both.apply(LANE, Desired(1, ONE))
        await settled(both, {"1": 100})
        with pytest.raises(TargetRefused, match="cannot listen"):
            await both.apply(other, Desired(1, ONE))


async def test_client_that_asks_whether_to_send_its_body_is_told_to(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    async with users.session.post(users.address + "/echo", data=b"x" * 100_000, expect100=True) as answer:
        assert await answer.read() == b"x" * 100_000


async def test_long_headers_pass(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    async with users.session.get(users.address + "/", headers={"X-Long": "x" * 7000}) as answer:
        assert answer.status == 200


async def test_event_stream_is_counted_when_it_begins(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await judged_by(target, 0.005)
    async with users.session.get(users.address + "/drip?n=4&s=0.15") as answer:
        assert await answer.content.readline() == b"data: 0\n"
        assert (await reading(target, ONE.digest)).overdue == 0
        await answer.read()
    found = await reading(target, ONE.digest)
    assert (found.total, dict(found.buckets)[0.5]) == (1, 1)


async def test_settings_that_keep_the_address_interrupt_no_request(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    slow = asyncio.create_task(users.ask(1, "/slow?s=1.5"))
    await asyncio.sleep(0.1)
    await target.configure({LANE: HostedLaneSettings(listen_port=0, sticky_header="X-User")})
    await slow
    assert users.got == {"1": 1}
