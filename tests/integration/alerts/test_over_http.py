"""Alerts over real HTTP: who is let in, what is too much, and what is asked for again."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.adapters.telemetry import Telemetry
from bot.catalog import Reloaded
from bot.web import alerts as route
from bot.web.app import Admin, create_app, serve
from tests.fakes.findings import FakeFindings
from tests.support.alert_sources import alertmanager_alert, alertmanager_body, bearer, by_us, receiver
from tests.support.waiting import until


async def reloaded() -> Reloaded:
    return Reloaded(True)


@dataclass
class AlertSender:
    base: str
    port: int
    session: aiohttp.ClientSession

    async def __call__(
        self, source: str, body: Any, headers: Mapping[str, str], method: str = "POST"
    ) -> tuple[int, Any, Mapping[str, str]]:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        async with self.session.request(
            method, f"{self.base}/alerts/{source}", data=data, headers=headers
        ) as answer:
            return answer.status, await answer.json(), answer.headers


@asynccontextmanager
async def serving(folder: Path, findings: FakeFindings) -> AsyncIterator[AlertSender]:
    app = create_app({}, Telemetry(), Admin(None, reloaded), alerts=receiver(folder, findings))
    runner = await serve(app, "127.0.0.1", 0)
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:
            yield AlertSender(f"http://127.0.0.1:{port}", port, session)
    finally:
        await runner.cleanup()


async def test_an_alert_is_taken(tmp_path: Path) -> None:
    findings = FakeFindings()
    async with serving(tmp_path, findings) as call:
        status, body, _ = await call("prometheus", alertmanager_body(), bearer())
    assert (status, body) == (200, {"message": "Taken: 1."})
    assert [str(found.lane) for found in findings.heard] == ["checkout/production"]


async def test_what_is_wrong_is_said_in_the_one_form_of_errors(tmp_path: Path) -> None:
    findings = FakeFindings()
    own = b'{"alerts": [{"fingerprint": "a", "title": "a"}]}'
    async with serving(tmp_path, findings) as call:
        status, body, headers = await call("prometheus", alertmanager_body(), {})
        assert (status, body["error"]["code"]) == (401, "unauthorized")
        assert headers["WWW-Authenticate"].startswith("Bearer")
        assert (await call("own", own, by_us(own, "wrong" * 8)))[0] == 401
        assert (await call("nowhere", own, {}))[0] == 404
        assert (await call("prometheus", alertmanager_body(), bearer(), "PUT"))[0] == 405
        status, body, _ = await call("prometheus", {"version": "4"}, bearer())
        assert (status, body["error"]["message"]) == (
            400,
            "The body is not as expected: alerts: is missing.",
        )
        findings.away = True
        status, body, headers = await call("prometheus", alertmanager_body(), bearer())
        assert (status, body["error"]["code"], headers["Retry-After"]) == (503, "unavailable", "5")
    assert findings.heard == []


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536 + 1):
        yield b"x" * 65536


@pytest.mark.parametrize("chunked", [True, False])
async def test_more_than_a_mebibyte_is_refused(tmp_path: Path, chunked: bool) -> None:
    async with serving(tmp_path, FakeFindings()) as call:
        too_large = pieces(route.LARGEST) if chunked else io.BytesIO(b"x" * (route.LARGEST + 1))
        status, body, _ = await call("prometheus", too_large, bearer())
        assert (status, body["error"]["code"]) == (413, "too_large")
        assert (await call("prometheus", alertmanager_body(), bearer()))[0] == 200


async def test_a_stranger_s_body_is_not_read(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeFindings()) as call:
        reader, writer = await asyncio.open_connection("127.0.0.1", call.port)
        head = "POST /alerts/prometheus HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(head.encode())
        assert b"401" in await reader.readline()
        writer.close()


@asynccontextmanager
async def half_sent(
    call: AlertSender, body: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", call.port)
    named = "".join(f"{name}: {value}\r\n" for name, value in bearer().items())
    head = f"POST /alerts/prometheus HTTP/1.1\r\nHost: x\r\n{named}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[: len(body) // 2])
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_sender_that_stops_half_way_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_READ_WITHIN_S", 0.2)
    async with serving(tmp_path, FakeFindings()) as call, half_sent(call, b"x" * 1000) as (reader, _):
        assert b"408" in await reader.readline()


async def test_what_is_held_at_once_is_bounded_and_let_in_again_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps(alertmanager_body()).encode()
    monkeypatch.setattr(route, "_AT_ONCE", len(body))
    async with serving(tmp_path, FakeFindings()) as call:

        async def status() -> int:
            return (await call("prometheus", body, bearer()))[0]

        async with half_sent(call, body) as (reader, writer):
            await until(status, lambda found: found == 503)
            writer.write(body[len(body) // 2 :])
            assert b"200" in await reader.readline()
        assert await status() == 200


async def test_a_storm_of_ten_thousand_alerts_is_heard_in_full(tmp_path: Path) -> None:
    findings = FakeFindings()

    async def send(call: AlertSender, group: int) -> int:
        alerts = [alertmanager_alert(fingerprint=f"{group}-{n}") for n in range(50)]
        return (await call("prometheus", alertmanager_body(*alerts), bearer()))[0]

    async with serving(tmp_path, findings) as call:
        answers = await asyncio.gather(*(send(call, group) for group in range(200)))
    assert set(answers) == {200}
    assert len({found.fingerprint for found in findings.heard}) == 10_000
