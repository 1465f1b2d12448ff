"""No client behaviour alone can make a release look bad: whatever it sends, reads, or leaves out."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.ports.data_plane.routers import RouterCounts
from tests.support.routers.client import WEBSOCKET, Address, Connection, ask, request
from tests.support.routers.release import TestRelease
from tests.support.routers.subjects import RouterSubject

pytestmark = pytest.mark.real

CHUNKED = (
    request("/echo", "POST", Transfer_Encoding="chunked") + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
)
BOTH_LENGTHS = (
    request("/echo", "POST", Content_Length="5", Transfer_Encoding="chunked") + b"0\r\n\r\n" + request()
)
REQUESTS = [
    request(),
    request("/large/300000"),
    request("/echo", "POST", b"hello" * 50),
    request("/echo", "POST", gzip.compress(b"hello")[:-7], Content_Encoding="gzip"),
    request("/echo", "POST", b"\xff\0\x1f\x8b", Content_Encoding="br, gzip", Transfer_Encoding="identity"),
    request("/early", "POST", b"x" * 200_000),
    request("/echo", "POST", b"x" * 200_000, Expect="100-continue"),
    request("/echo", "POST", b"hello", Expect="100-continue"),
    request("/ws", **WEBSOCKET) + b"\x81\x85garbage",
    request("/ws", Upgrade="websocket"),
    request("/redirect", **WEBSOCKET),
    request("/", "TRACE"),
    request("/", "HEAD"),
    request("/", "BREW"),
    request("/" + "%00%ff/../" * 20),
    request("*", "OPTIONS"),
    request("127.0.0.1:1", "CONNECT"),
    request("/", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings", HTTP2_Settings="AAA"),
    request("/", Connection="close, upgrade, x-slipway-lane, content-length"),
    request("/", Accept_Encoding="\xff\xfe", Cookie="=;=;;" * 50),
    request("/", X_Large="x" * 70_000),
    CHUNKED,
    CHUNKED.replace(b"0\r\n\r\n", b"zz\r\n"),
    BOTH_LENGTHS,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
]

Ending = Literal["read", "abort", "reset", "close", "half-close", "read a little"]


@dataclass(frozen=True, repr=False)
class Behaviour:
    """What one client does on one connection: send pieces with pauses between them, then end it in some way."""

    pieces: tuple[bytes, ...]
    pause_s: float
    ending: Ending

    def __repr__(self) -> str:
        shown = [piece if len(piece) < 200 else piece[:100] + b"..." + piece[-100:] for piece in self.pieces]
        return f"Behaviour({shown}, {self.pause_s}, {self.ending!r})"


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    sent = b"".join(draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3)))
    if draw(st.booleans()):
        place = draw(st.integers(0, min(len(sent), 400)))
        sent = sent[:place] + draw(st.binary(max_size=4)) + sent[place + draw(st.integers(0, 2)) :]
    if draw(st.booleans()):
        sent = sent[: draw(st.integers(0, len(sent)))]
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    pieces = tuple(sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True))
    endings: tuple[Ending, ...] = ("read", "abort", "reset", "close", "half-close", "read a little")
    return Behaviour(pieces, draw(st.sampled_from([0, 0, 0.01])), draw(st.sampled_from(endings)))


async def behave(address: Address, behaviour: Behaviour) -> None:
    connection = await Connection.open(address)
    with contextlib.suppress(OSError):
        for piece in behaviour.pieces:
            await connection.send(piece)
            await asyncio.sleep(behaviour.pause_s)
        if behaviour.ending == "half-close":
            connection.writer.write_eof()
        if behaviour.ending in ("read", "half-close"):
            async with asyncio.timeout(0.05):
                await connection.reader.read()
        elif behaviour.ending == "read a little":
            async with asyncio.timeout(0.05):
                await connection.reader.read(100)
        if behaviour.ending == "reset":
            connection.reset()
    connection.abort() if behaviour.ending in ("abort", "read a little") else connection.close()


async def settled(router: RouterSubject, release: TestRelease) -> RouterCounts:
    return await router.counts(release.digest, lambda counts: counts.in_flight == 0)


def late(counts: RouterCounts) -> int:
    """Requests that were slower than the limit."""
    return counts.total - dict(counts.buckets)[2.0]


def looks_fine(counts: RouterCounts) -> bool:
    return counts.bad == counts.overdue == late(counts) == 0


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of long requests in its report
# The same ones each time: what a new one finds is a fault of the router, and of no change that happens to run them.
@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(behaviours(), min_size=1, max_size=6))
# Envoy had said 100 Continue, which was taken for a response of the release.
@example([Behaviour((request("/echo", "POST", b"x" * 200_000, Expect="100-continue"),), 0, "half-close")])
# Releases that believe such a header answer 101, which HAProxy refuses to pass on.
@example([Behaviour((request("/ws", Upgrade="websocket"),), 0, "read")])
async def test_no_client_behaviour_makes_a_release_look_bad(
    router: RouterSubject, release: TestRelease, clients: list[Behaviour]
) -> None:
    address = await router.split(release.share(100))
    before = await settled(router, release)
    await asyncio.gather(*(behave(address, client) for client in clients))
    after = await settled(router, release)
    assert (after.bad, after.overdue, late(after)) == (before.bad, before.overdue, late(before)), clients
    assert (await ask(address)).body.decode() == release.digest


async def test_aborts_at_every_byte_are_no_evidence(router: RouterSubject, release: TestRelease) -> None:
    address = await router.split(release.share(100))
    for sent in (request("/echo", "POST", b"hello"), CHUNKED, request("/ws", **WEBSOCKET)):
        cuts = range(len(sent) + 1)
        for start in range(0, len(cuts), 25):
            clients = [Behaviour((sent[:cut],), 0, "abort") for cut in cuts[start : start + 25]]
            await asyncio.gather(*(behave(address, client) for client in clients))
    assert looks_fine(await settled(router, release))


async def test_slow_uploads_and_slow_readers_are_not_slow_releases(
    router: RouterSubject, release: TestRelease
) -> None:
    address = await router.split(release.share(100))

    async def uploads_slowly() -> None:
        connection = await Connection.open(address)
        sent = request("/echo", "POST", b"x" * 5000)
        for place in range(0, len(sent), 1000):
            await connection.send(sent[place : place + 1000])
            await asyncio.sleep(0.5)
        assert (await connection.receive()).status == 200
        connection.close()

    async def reads_slowly() -> None:
        connection = await Connection.open(address)
        await connection.send(request("/large/5000000"))
        for _ in range(5):
            await connection.reader.read(10_000)
            await asyncio.sleep(0.5)
        assert len(await connection.reader.read(1)) == 1
        connection.abort()

    await asyncio.gather(*(uploads_slowly() for _ in range(5)), *(reads_slowly() for _ in range(5)))
    counts = await settled(router, release)
    assert looks_fine(counts)
    assert counts.total >= 5


async def test_uploads_that_never_end_are_not_overdue(router: RouterSubject, release: TestRelease) -> None:
    address = await router.split(release.share(100))
    clients = [await Connection.open(address) for _ in range(5)]
    for client in clients:
        await client.send(request("/echo", "POST", b"x" * 100)[:-50])
    await asyncio.sleep(3.5)
    counts = await router.counts(release.digest)
    assert (counts.in_flight, counts.overdue) == (0 if router.holds_uploads else 5, 0)
    for client in clients:
        client.abort()
    assert looks_fine(await settled(router, release))


async def test_early_answers_to_large_uploads_are_no_faults(
    router: RouterSubject, release: TestRelease
) -> None:
    address = await router.split(release.share(100))
    for _ in range(10):
        connection = await Connection.open(address)
        with contextlib.suppress(ConnectionError):
            await connection.send(request("/early", "POST", b"x" * 2_000_000))
            assert (await connection.receive()).status == 200
        connection.close()
    assert looks_fine(await settled(router, release))


async def test_large_echoes_of_a_client_are_no_faults(router: RouterSubject, release: TestRelease) -> None:
    """A release that answers with what it was sent in its headers must not exceed a limit for responses."""
    address = await router.split(release.share(100))
    size = router.longest_head - 500
    response = await ask(address, "/echo", "POST", b"x", Content_Encoding="y" * size)
    assert (response.status, len(response.values("content-encoding")[0])) == (200, size)
    response = await ask(address, "/echo", "POST", b"x", Content_Encoding="y" * 70_000)
    assert 400 <= response.status < 500
    assert looks_fine(await settled(router, release))
