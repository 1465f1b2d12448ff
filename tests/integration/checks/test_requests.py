"""Checks over HTTP against real servers: what passes, what fails, and what must not do harm."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.ports.errors import Unreachable
from tests.support.checked import LANE, Asking, answering, asking, authority, serving, talking

HEALTH = '{"status": "ok", "parts": [{"name": "db", "up": true}, {"name": "cache", "up": false}], "lag": 3}'


@pytest.fixture
async def ask() -> AsyncIterator[Asking]:
    async with asking() as found:
        yield found


# ---- what an answer must have ----


async def test_a_good_answer_passes_and_takes_time(ask: Asking) -> None:
    async with serving(answering()) as url:
        result = await ask.result(kind="http", url=f"{url}/healthz")
        assert (result.said, result.passed, result.at) == ("", True, 100.0)
        assert 0 < result.seconds < 5


async def test_another_status_fails_and_several_can_be_right(ask: Asking) -> None:
    async with serving(answering(status=401)) as url:
        said = await ask(kind="http", url=f"{url}/api?key=hush")
        assert said == f"GET {url}/api should answer 200, but answered 401."
        assert await ask(kind="http", url=url, status=[200, 401]) == ""
        assert await ask(kind="http", url=url, status=401) == ""


async def test_method_headers_token_and_body_are_sent(ask: Asking) -> None:
    seen: list[tuple[str, str, str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        headers = request.headers
        seen.append((request.method, headers["Authorization"], headers["X-Team"], await request.text()))
        return web.Response(status=201)

    async with serving(handler) as url:
        said = await ask(
            kind="http",
            url=url,
            method="POST",
            bearer="t0ken",
            headers={"X-Team": "shop"},
            body="hi",
            status=201,
        )
        assert said == ""
    assert seen == [("POST", "Bearer t0ken", "shop", "hi")]


async def test_text_that_the_answer_must_contain(ask: Asking) -> None:
    async with serving(answering(text="# HELP up\nup 1\n")) as url:
        assert await ask(kind="http", url=f"{url}/metrics", contains="# HELP") == ""
        said = await ask(kind="http", url=f"{url}/metrics", contains="# TYPE")
        assert said == f"GET {url}/metrics should contain “# TYPE”, but does not."


async def test_headers_that_the_answer_must_have(ask: Asking) -> None:
    async with serving(answering(headers={"X-Version": "1.5.0"})) as url:
        assert (
            await ask(kind="http", url=url, has_headers={"x-version": "1.5", "Content-Type": "text/"}) == ""
        )
        said = await ask(kind="http", url=url, has_headers={"X-Version": "1.6"})
        assert said == f"GET {url}/ should have “1.6” in X-Version, but has “1.5.0”."
        said = await ask(kind="http", url=url, has_headers={"X-Region": ""})
        assert said == f"GET {url}/ should have the header X-Region, but does not."


@pytest.mark.parametrize(
    ("path", "wanted", "said"),
    [
        ("$.status", "ok", ""),
        ("$.parts[?@.name == 'db'].up", True, ""),
        ("$.parts[0].up", 1, "$.parts[0].up should be 1, but is true."),
        ("$.parts[*].up", True, "$.parts[*].up should be true, but is false."),
        ("$.lag", 3, ""),
        ("$.state", "ok", '$.state should be "ok", but the answer has no such place.'),
    ],
)
async def test_values_at_json_paths(ask: Asking, path: str, wanted: object, said: str) -> None:
    async with serving(answering(text=HEALTH)) as url:
        assert await ask(kind="http", url=url, json_path={path: wanted}) == said


@pytest.mark.parametrize("text", ["<html>", "", "[" * 100_000, '{"a": 1'])
async def test_what_is_not_json_fails(ask: Asking, text: str) -> None:
    async with serving(answering(text=text)) as url:
        assert await ask(kind="http", url=url, json_path={"$.status": "ok"}) == "The answer is not JSON."


# ---- where it asks ----


async def test_a_path_is_asked_where_the_lane_answers(ask: Asking) -> None:
    async with serving(answering(status=404)) as url:
        ask.where[LANE] = url
        assert await ask(kind="http", path="/healthz?full=1", status=404) == ""
    ask.where[LANE] = None
    said = await ask(kind="http", path="/healthz")
    assert said == "checkout/production has no address that it could be asked at."


async def test_a_candidate_is_asked_at_its_own_address_with_the_path_of_the_check(ask: Asking) -> None:
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append(str(request.rel_url))
        return web.Response()

    async with serving(handler) as url:
        said = await ask.of_candidate(url, kind="http", url="https://shop.invalid/healthz?deep=1")
        assert said == ""
    assert asked == ["/healthz?deep=1"]


# ---- what goes wrong ----


async def test_a_refused_connection_and_an_unknown_name_are_said(ask: Asking) -> None:
    async with serving(answering()) as url:
        pass
    assert await ask(kind="http", url=url) == f"GET {url}/ failed: the connection was refused."
    said = await ask(kind="http", url="http://no.such.invalid/")
    assert said == "GET http://no.such.invalid/ failed: no.such.invalid could not be resolved."


async def test_what_is_not_http_is_said(ask: Asking) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()

    async with talking(talk) as at:
        assert (
            await ask(kind="http", url=f"http://{at}") == f"GET http://{at}/ failed: the answer is not HTTP."
        )


async def test_an_answer_that_breaks_off_is_said(ask: Asking) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with talking(talk) as at:
        said = await ask(kind="http", url=f"http://{at}", contains="whole")
        assert said == f"GET http://{at}/ failed: the answer broke off."


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow"]
)
async def test_a_server_that_hangs_is_left_after_the_time_limit(ask: Asking, begun: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()

    async with talking(talk) as at:
        began = time.monotonic()
        said = await ask(kind="http", url=f"http://{at}", contains="fast", timeout="300ms")
        assert said == "No answer within 300 ms."
        assert time.monotonic() - began < 5


async def test_an_answer_without_end_is_read_up_to_a_bound(ask: Asking) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with talking(talk) as at:
        said = await ask(kind="http", url=f"http://{at}", contains="needle")
        assert said == f"GET http://{at}/ should contain “needle”, but does not in its first 1024 KiB."
        assert await ask(kind="http", url=f"http://{at}", json_path={"$": 1}) == (
            "The answer is larger than 256 KiB."
        )
        assert await ask(kind="http", url=f"http://{at}") == ""  # its status is all that was asked
    assert sent < 32 * 1024 * 1024


async def test_headers_without_end_are_left(ask: Asking) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(60)))
            await writer.drain()

    async with talking(talk) as at:
        tracemalloc.start()
        try:
            said = await ask(kind="http", url=f"http://{at}", timeout="2s")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert said
        assert most < 64 * 1024 * 1024


async def test_a_small_answer_does_not_become_a_large_one(ask: Asking) -> None:
    """The sender compresses although it was asked not to."""
    bomb = gzip.compress(b"\0" * 64 * 1024 * 1024)

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(handler) as url:
        tracemalloc.start()
        try:
            said = await ask(kind="http", url=url, contains="needle")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert "should contain" in said
        assert most < 20 * 1024 * 1024


async def test_cookies_of_one_check_are_not_sent_by_another(ask: Asking) -> None:
    seen: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1; Path=/"})

    async with serving(handler) as url:
        assert [await ask(kind="http", url=url) for _ in range(2)] == ["", ""]
    assert seen == [None, None]


# ---- redirects ----


def leading(to: str) -> web.Response:
    return web.Response(status=302, headers={"Location": to})


async def test_a_redirect_is_an_answer_unless_it_may_be_followed(ask: Asking) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text="in") if request.path == "/in" else leading("/in")

    async with serving(handler) as url:
        assert await ask(kind="http", url=url, status=302) == ""
        assert await ask(kind="http", url=url) == f"GET {url}/ should answer 200, but answered 302."
        assert await ask(kind="http", url=url, redirects=1, contains="in") == ""


async def test_redirects_in_circles_end_after_as_many_as_were_allowed(ask: Asking) -> None:
    asked = 0

    async def handler(request: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        return leading(f"/{asked % 2}")

    async with serving(handler) as url:
        said = await ask(kind="http", url=url, redirects=5)
        assert said == f"GET {url}/ should answer after at most 5 redirects, but was redirected again."
    assert asked == 6


async def test_redirects_lead_to_no_other_host_and_no_other_port(ask: Asking) -> None:
    reached: list[str] = []

    async def inner(request: web.BaseRequest) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async with serving(inner) as inside:
        for to in (
            f"{inside}/latest/meta-data",
            inside.replace("127.0.0.1", "localhost"),
            "http://127.0.0.2/",
        ):

            async def handler(request: web.BaseRequest, to: str = to) -> web.Response:
                return leading(to)

            async with serving(handler) as url:
                said = await ask(kind="http", url=url, redirects=5)
                assert said.startswith(f"GET {url}/ redirects to {to.rstrip('/')}")
                assert said.endswith(", another host than its own.")
    assert reached == []


async def test_a_host_that_is_named_may_be_reached_and_gets_no_token(ask: Asking) -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def other(request: web.BaseRequest) -> web.Response:
        seen.append((request.headers.get("Authorization"), request.headers.get("X-Key")))
        return web.Response()

    async with serving(other) as there:
        to = there.replace("127.0.0.1", "localhost")

        async def handler(request: web.BaseRequest) -> web.Response:
            return leading(to)

        async with serving(handler) as url:
            said = await ask(
                kind="http",
                url=url,
                redirects=1,
                hosts="localhost",
                bearer="t0ken",
                headers={"X-Key": "hush"},
            )
            assert said == ""
    assert seen == [(None, None)]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/x"])
async def test_redirects_lead_to_http_only(ask: Asking, to: str) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return leading(to)

    async with serving(handler) as url:
        assert (
            await ask(kind="http", url=url, redirects=1)
            == f"GET {url}/ redirects to {to}, which is not https."
        )


async def test_a_redirect_keeps_a_post_only_where_http_says_so(ask: Asking) -> None:
    seen: list[tuple[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, await request.text()))
        if request.path == "/in":
            return web.Response()
        return web.Response(status=int(request.path[1:]), headers={"Location": "/in"})

    async with serving(handler) as url:
        for status in (302, 303, 307):
            assert await ask(kind="http", url=f"{url}/{status}", method="POST", body="x", redirects=1) == ""
    assert seen[1::2] == [("GET", ""), ("GET", ""), ("POST", "x")]


# ---- certificates ----


@pytest.mark.parametrize(
    ("name", "days", "why"),
    [
        ("127.0.0.1", 30, ""),
        ("127.0.0.1", -1, "certificate has expired"),
        ("shop.example.com", 30, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_bad_certificate_is_a_failure_with_its_reason(
    ask: Asking, tmp_path: Path, name: str, days: int, why: str
) -> None:
    trusted = authority(tmp_path)
    async with serving(answering(), trusted.server(name, days)) as url:
        said = await ask(kind="http", url=url, ca=str(trusted.file))
        assert said == (f"GET {url}/ failed: its certificate is not trusted: {why}." if why else "")


async def test_an_unknown_authority_is_not_trusted(ask: Asking, tmp_path: Path) -> None:
    trusted, other = authority(tmp_path), authority(tmp_path)
    async with serving(answering(), trusted.server()) as url:
        for ca in ({}, {"ca": str(other.file)}):
            said = await ask(kind="http", url=url, **ca)
            assert said.startswith(f"GET {url}/ failed: its certificate is not trusted: ")
    (tmp_path / "empty.pem").write_text("nothing")
    said = await ask(kind="http", url="https://127.0.0.1:1", ca=str(tmp_path / "empty.pem"))
    assert said == "The authorities in empty.pem cannot be read."


async def test_https_on_a_plain_port_is_said(ask: Asking) -> None:
    async with serving(answering()) as url:
        at = url.replace("http://", "https://")
        assert await ask(kind="http", url=at) == f"GET {at}/ failed: TLS could not be set up."


# ---- a Discord bot ----


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, '{"gateway": "connected", "db": "ok", "cache": {"redis": true}}', ""),
        (200, '{"gateway": "CONNECTED", "db": "ready", "cache": {"redis": "up"}}', ""),
        (
            200,
            '{"gateway": "resuming", "db": "ok", "cache": {"redis": false}}',
            "The bot is not well: gateway is resuming, cache.redis is false.",
        ),
        (
            503,
            '{"gateway": "connected", "cache": 1}',
            "The bot is not well: db is missing, cache.redis is missing.",
        ),
        (200, "[]", "The bot is not well: gateway is missing, db is missing, cache.redis is missing."),
        (200, "ok", "The answer is not JSON."),
    ],
)
async def test_the_health_of_a_discord_bot(ask: Asking, status: int, text: str, said: str) -> None:
    async with serving(answering(status, text)) as url:
        keys = ["gateway", "db", "cache.redis"]
        assert await ask(kind="discord", url=f"{url}/health", keys=keys) == said


async def test_a_bot_says_which_of_its_parts_are_not_well(ask: Asking) -> None:
    async with serving(answering(200, '{"discord": {"gateway": "away"}, "db": "ok"}')) as url:
        result = await ask.result(kind="discord", url=url, keys=["discord.gateway", "db"])
        assert result.parts == ("gateway",)
    async with serving(answering(500, "boom")) as url:
        assert (await ask.result(kind="discord", url=url)).parts == ()


async def test_a_bot_that_answers_with_an_error_is_not_well(ask: Asking) -> None:
    async with serving(answering(500, "boom")) as url:
        assert await ask(kind="discord", url=url) == f"GET {url}/ should answer 200, but answered 500."
    async with serving(answering(503, '{"gateway": "connected"}')) as url:
        assert await ask(kind="discord", url=url) == f"GET {url}/ should answer 200, but answered 503."


@pytest.mark.parametrize(
    ("commands", "time", "said"),
    [
        ('{"p95": 2.5}', {"key": "commands.p95", "limit": "2500ms"}, ""),
        (
            '{"p95": 2.501}',
            {"key": "commands.p95", "limit": "2500ms"},
            "commands took 2.5 s to be answered (limit 2.5 s)",
        ),
        ('{"p95_ms": 3000}', {"key": "commands.p95_ms", "unit": "ms"}, ""),
        (
            '{"p95_ms": 3100.5}',
            {"key": "commands.p95_ms", "unit": "ms"},
            "commands took 3.1 s to be answered (limit 3 s)",
        ),
        ('{"p95": 0}', "commands.p95", ""),
        # No command was used lately.
        ('{"p95": null}', "commands.p95", ""),
        ("{}", "commands.p95", "commands.p95 is missing"),
        ("7", "commands.p95", "commands.p95 is missing"),
        ('{"p95": "quick"}', "commands.p95", 'commands.p95 is "quick", not a time'),
        ('{"p95": true}', "commands.p95", "commands.p95 is true, not a time"),
        ('{"p95": -1}', "commands.p95", "commands.p95 is -1, not a time"),
    ],
)
async def test_a_bot_says_how_long_its_commands_take(
    ask: Asking, commands: str, time: Any, said: str
) -> None:
    async with serving(answering(200, f'{{"gateway": "connected", "commands": {commands}}}')) as url:
        result = await ask.result(kind="discord", url=url, answer_time=time)
        assert result.said == (f"The bot is not well: {said}." if said else "")
        # Its gateway is well all the same: rules over it do not hear of slow commands.
        assert "gateway" not in result.parts


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("online", ""),
        ("idle", ""),
        ("dnd", ""),
        ("offline", "Discord shows the bot 7 as offline."),
        (None, "The bot 7 is in none of Slipway's servers."),
    ],
)
async def test_a_bot_is_online_as_discord_shows_it(ask: Asking, status: str | None, said: str) -> None:
    ask.online[7] = status
    result = await ask.result(kind="presence", bot="7")
    assert (result.said, result.parts) == (said, ("gateway",) if status == "offline" else ())
    with pytest.raises(Unreachable, match="nothing is known of 8"):
        await ask.result(kind="presence", bot="8")
