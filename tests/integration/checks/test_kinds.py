"""Checks that are no HTTP request, against real servers and programs."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject
from bot.adapters.checks.session import SystemResolver, check_session
from bot.adapters.checks.tls import TlsCheck
from tests.support.checked import (
    LANE,
    Asking,
    Authority,
    answering,
    asking,
    authority,
    check,
    serving,
    talking,
)
from tests.support.host import gone
from tests.support.waiting import until


@pytest.fixture
async def ask() -> AsyncIterator[Asking]:
    async with asking() as found:
        yield found


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


# ---- tcp ----


async def test_a_port_that_takes_connections_passes(ask: Asking) -> None:
    async with talking(silent) as at:
        assert await ask(kind="tcp", at=at) == ""
        assert await ask(kind="tcp", at=at.replace("127.0.0.1", "localhost")) == ""
        ask.where[LANE] = f"http://{at}"
        assert await ask(kind="tcp") == ""
        assert await ask.of_candidate(f"http://{at}", kind="tcp", at="127.0.0.1:1") == ""
    assert await ask(kind="tcp", at=at) == f"{at} should take connections, but the connection was refused."


async def test_a_port_that_swallows_packets_is_left_after_the_time_limit(ask: Asking) -> None:
    """A full backlog: the system neither takes nor refuses the connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        clients = []
        try:
            for _ in range(8):
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex(full.getsockname())
                clients.append(client)
            said = await ask(kind="tcp", at=f"127.0.0.1:{full.getsockname()[1]}", timeout="300ms")
            assert said == "No answer within 300 ms."
        finally:
            for client in clients:
                client.close()


# ---- tls ----


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (14.5, ""),
        (13.5, "The certificate of 127.0.0.1 should be valid for 14 days more, but has 13 days left."),
        (1.5, "The certificate of 127.0.0.1 should be valid for 14 days more, but has 1 day left."),
    ],
)
async def test_a_certificate_must_be_valid_for_some_days_more(
    ask: Asking, tmp_path: Path, days: float, said: str
) -> None:
    trusted = authority(tmp_path)
    async with serving(answering(), trusted.server(valid_days=days)) as url:
        at = url.removeprefix("https://")
        assert await ask(kind="tls", at=at, ca=str(trusted.file)) == said
        assert await ask(kind="tls", at=at, ca=str(trusted.file), days=1) == ""


async def test_certificates_that_are_not_trusted(ask: Asking, tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    async with serving(answering(), trusted.server("shop.example.com")) as url:
        at = url.removeprefix("https://")
        assert await ask(kind="tls", at=at, ca=str(trusted.file), name="shop.example.com") == ""
        said = await ask(kind="tls", at=at, ca=str(trusted.file), name="shop.example.org")
        assert said == (
            f"{at}: its certificate is not trusted: Hostname mismatch, certificate is not valid for"
            " 'shop.example.org'."
        )
        said = await ask(kind="tls", at=at, name="shop.example.com")
        assert said.startswith(f"{at}: its certificate is not trusted: ")
    async with serving(answering(), trusted.server(valid_days=-1)) as url:
        at = url.removeprefix("https://")
        said = await ask(kind="tls", at=at, ca=str(trusted.file))
        assert said == f"{at}: its certificate is not trusted: certificate has expired."


async def test_what_speaks_no_tls_and_what_hangs(ask: Asking) -> None:
    async with serving(answering()) as url:
        at = url.removeprefix("http://")
        assert await ask(kind="tls", at=at) == f"{at} should speak TLS, but the handshake failed."
    assert await ask(kind="tls", at=at) == f"{at} cannot be reached: the connection was refused."
    async with talking(silent) as at:
        assert await ask(kind="tls", at=at, timeout="300ms") == "No answer within 300 ms."


class Resolver(SystemResolver):
    """Gives these addresses for every name."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.given = addresses

    async def addresses(self, name: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.given]


async def certificate(
    trusted: Authority, port: int, *addresses: str, kind: type[TlsCheck] = TlsCheck, **written: Any
) -> str:
    """What a check of `shop.test` says, which has these addresses; empty when it passed."""
    settings: Any = check(
        kind="tls", at=f"shop.test:{port}", name="127.0.0.1", ca=str(trusted.file), **written
    ).settings
    async with check_session(resolver := Resolver(*addresses)) as session:
        try:
            await kind(settings, CheckContext(session, resolver)).ask(CheckSubject(LANE))
        except CheckFailed as failed:
            return str(failed)
        finally:
            await resolver.close()
    return ""


class Swallowing(TlsCheck):
    """Connects to nothing: one address swallows packets, one refuses the connection, the others answer."""

    async def _left_s(self, address: str, port: int, name: str) -> float:
        if address == "10.0.0.9":
            await asyncio.Event().wait()
        if address == "10.0.0.8":
            raise ConnectionRefusedError
        return 100 * 86_400.0


async def test_the_next_address_of_a_host_is_tried_when_one_cannot_be_connected_to(tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    async with serving(answering(), trusted.server(valid_days=20)) as url:
        port = int(url.rpartition(":")[2])
        assert await certificate(trusted, port, "127.0.0.9", "127.0.0.1") == ""
        said = await certificate(trusted, port, "127.0.0.9", "127.0.0.1", days=30)
        assert said == (
            "The certificate of shop.test (127.0.0.1) should be valid for 30 days more, but has 19 days left."
        )
        # What answers is judged: the next address does not hide it.
        stranger = authority(tmp_path)
        said = await certificate(stranger, port, "127.0.0.1", "127.0.0.9")
        assert said.startswith(f"shop.test:{port} (127.0.0.1): its certificate is not trusted: ")
    refused = "the connection was refused"
    assert await certificate(trusted, port, "127.0.0.8", "127.0.0.9") == (
        f"shop.test:{port} cannot be reached: 127.0.0.8: {refused}, 127.0.0.9: {refused}."
    )
    many = await certificate(trusted, port, *(f"127.0.0.{n}" for n in range(4, 14)))
    assert many.endswith(f"127.0.0.7: {refused}, 6 more were not tried.")
    assert await certificate(trusted, port, "127.0.0.9") == f"shop.test:{port} cannot be reached: {refused}."


@pytest.mark.virtual_time
async def test_an_address_that_does_not_answer_leaves_time_for_the_next(tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    assert await certificate(trusted, 443, "10.0.0.9", "10.0.0.7", kind=Swallowing) == ""
    said = await certificate(trusted, 443, "10.0.0.9", "10.0.0.8", kind=Swallowing)
    assert said == (
        "shop.test:443 cannot be reached: 10.0.0.9: no answer, 10.0.0.8: the connection was refused."
    )


# ---- dns ----


async def test_names_resolve_as_the_system_does(ask: Asking) -> None:
    assert await ask(kind="dns", name="localhost") == ""
    assert await ask(kind="dns", name="localhost", addresses="127.0.0.1") == ""
    said = await ask(kind="dns", name="localhost", addresses=["127.0.0.1", "192.0.2.7"])
    assert said.startswith("localhost should resolve to 192.0.2.7, but resolves to ")
    assert await ask(kind="dns", name="no.such.invalid") == "no.such.invalid should resolve, but does not."


async def test_a_resolver_that_hangs_holds_neither_the_check_nor_other_threads(
    ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    hanging = True

    def slow(name: Any, *more: Any, **named: Any) -> Any:
        while name == "slow.invalid" and hanging:
            time.sleep(0.01)
        return real("127.0.0.1" if name == "slow.invalid" else name, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        asked = [ask(kind="dns", name="slow.invalid", timeout="300ms") for _ in range(64)]
        assert set(await asyncio.gather(*asked)) == {"No answer within 300 ms."}
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        hanging = False


async def test_a_resolver_gives_every_address_of_a_name() -> None:
    resolver = SystemResolver()
    found = await resolver.resolve("127.0.0.1", 80)
    assert [(each["host"], each["port"]) for each in found] == [("127.0.0.1", 80)]
    await resolver.close()


# ---- websocket ----


async def test_a_websocket_that_connects_and_closes_passes(ask: Asking) -> None:
    seen: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        accepted = web.WebSocketResponse()
        await accepted.prepare(request)
        async for _ in accepted:
            pass
        return accepted

    async with serving(handler) as url:
        at = url.replace("http://", "ws://")
        assert await ask(kind="websocket", url=f"{at}/feed", bearer="t0ken") == ""
        ask.where[LANE] = url
        assert await ask(kind="websocket", path="/feed") == ""
        assert await ask.of_candidate(url, kind="websocket", url="wss://shop.invalid/feed") == ""
    assert seen == ["Bearer t0ken", None, None]


async def test_websockets_that_do_not_connect(ask: Asking) -> None:
    async with serving(answering(status=403)) as url:
        at = url.replace("http://", "ws://")
        said = await ask(kind="websocket", url=at)
        assert said == f"WebSocket {at}/ should connect, but answered 403."
    said = await ask(kind="websocket", url=at)
    assert said == f"WebSocket {at}/ should connect, but failed: the connection was refused."
    async with talking(silent) as there:
        said = await ask(kind="websocket", url=f"ws://{there}", timeout="300ms")
        assert said == "No answer within 300 ms."


async def test_a_websocket_that_does_not_close_in_turn_fails(ask: Asking) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        accepted = web.WebSocketResponse(autoclose=False)
        await accepted.prepare(request)
        await asyncio.sleep(0.1)
        assert request.transport is not None
        request.transport.abort()
        return accepted

    async with serving(handler) as url:
        at = url.replace("http://", "ws://")
        said = await ask(kind="websocket", url=at)
        assert said == f"WebSocket {at}/ should close when it is asked to, but ended with code 1006."


async def test_a_websocket_that_sends_for_ever_is_left(ask: Asking) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        accepted = web.WebSocketResponse(autoclose=False)
        await accepted.prepare(request)
        while True:
            await accepted.send_bytes(b"x" * 10_000)

    async with serving(handler) as url:
        began = time.monotonic()
        said = await ask(kind="websocket", url=url.replace("http://", "ws://"), timeout="500ms")
        assert said
        assert time.monotonic() - began < 10


# ---- command ----


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_a_program_that_exits_with_zero_passes(ask: Asking, tmp_path: Path) -> None:
    ask.where[LANE] = "http://127.0.0.1:8401"
    code = "import sys; assert sys.argv[1:] == ['checkout/production', 'http://127.0.0.1:8401/x'], sys.argv"
    words = [*python(code), "{service}/{environment}", "{address}/x"]
    assert await ask(kind="command", command=words, cwd=str(tmp_path)) == ""


async def test_a_program_that_fails_says_why_without_its_secrets(ask: Asking, tmp_path: Path) -> None:
    code = "import os, sys; sys.exit('no luck with ' + os.environ['TOKEN'])"
    said = await ask(kind="command", command=python(code), cwd=str(tmp_path), env={"TOKEN": "hush-hush-hush"})
    assert said == f"{sys.executable} exited with code 1: no luck with ***"
    said = await ask(kind="command", command=["/no/such/program"], cwd=str(tmp_path))
    assert said == "/no/such/program cannot be started: No such file or directory."


async def test_a_program_gets_nothing_of_slipways_own(
    ask: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD_TOKEN", "secret")
    code = "import os, sys; sys.exit(1 if 'SLIPWAY_DISCORD_TOKEN' in os.environ else 0)"
    assert await ask(kind="command", command=python(code), cwd=str(tmp_path)) == ""


async def test_a_program_that_hangs_is_ended_with_what_it_started(ask: Asking, tmp_path: Path) -> None:
    # A shell, which has begun long before the time is up.
    code = "sleep 600 & echo $! > pid; while :; do echo xxxxxxxxxx; done"
    said = await ask(kind="command", command=["sh", "-c", code], cwd=str(tmp_path), timeout="2s")
    assert said == "No answer within 2 s."
    child = int((tmp_path / "pid").read_text())

    await until(lambda: gone(child))


# ---- all of them ----


async def test_a_check_that_breaks_is_a_failure_and_not_an_exception(ask: Asking) -> None:
    class BrokenCheck:
        async def ask(self, subject: object) -> None:
            raise KeyError("oops")

    ask.asked._make = lambda settings: BrokenCheck()
    assert await ask(kind="dns", name="localhost") == "The check itself failed: KeyError."


async def test_what_a_check_says_is_short_and_redacted(ask: Asking) -> None:
    ask.asked._redact = lambda text: text.replace("db-password", "***")
    async with serving(answering(text='{"gateway": "db-password\\n' + "x" * 1000 + '"}')) as url:
        said = await ask(kind="discord", url=url)
        assert said.startswith("The bot is not well: gateway is ***")
        assert "\n" not in said
        assert len(said) <= 300


def test_what_is_shown_of_an_address_has_no_secrets() -> None:
    shown = check(kind="http", url="https://shop.example.com/healthz?key=hush#x").settings
    assert getattr(shown, "address") == "https://shop.example.com/healthz"  # noqa: B009
