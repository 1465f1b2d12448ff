"""Client of the API: waits for one that is away, follows no redirect with its token, and knows what is not Slipway."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.cli.client import ApiClient
from bot.cli.exits import ApiRefused
from bot.domain.errors import UserError
from bot.ports.errors import Unreachable

Scripted = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}


@contextmanager
def answering(*script: Scripted) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server that gives these answers in turn; the last one from then on."""
    asked: list[BaseHTTPRequestHandler] = []

    class ScriptedHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = script[min(len(asked), len(script) - 1)]
            asked.append(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return None

    server = HTTPServer(("127.0.0.1", 0), ScriptedHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_busy_api_is_asked_again_with_the_same_key() -> None:
    told: list[str] = []
    script = [(503, {"Retry-After": "0"}, b""), (429, {"Retry-After": "0"}, b""), (201, JSON, b'{"id": 7}')]
    with answering(*script) as (url, asked):
        client = ApiClient(url, "t", tell=told.append)
        assert client.post("/deploys", {"a": 1}, "key-1") == {"id": 7}
    assert [each.headers["Idempotency-Key"] for each in asked] == ["key-1"] * 3
    assert {each.headers["Authorization"] for each in asked} == {"Bearer t"}
    assert len(told) == 1 and "HTTP 503" in told[0]


def test_an_api_that_stays_away_is_unreachable() -> None:
    with answering((503, {}, b"")) as (url, asked), pytest.raises(Unreachable, match="HTTP 503"):
        ApiClient(url, "t", patience_s=1.0).get("/lanes")
    assert len(asked) == 2
    with pytest.raises(Unreachable, match="no answer"):
        ApiClient("http://127.0.0.1:1", "t", patience_s=0.0).get("/lanes")


def test_a_redirect_gets_no_token() -> None:
    with answering((200, JSON, b"{}")) as (elsewhere, other):
        moved = (302, {"Location": f"{elsewhere}/api/v1/lanes"}, b"")
        with answering(moved) as (url, _), pytest.raises(UserError, match="redirects to"):
            ApiClient(url, "t").get("/lanes")
        assert other == []


def test_a_problem_is_its_sentence() -> None:
    body = b'{"detail": "checkout is locked.", "rule": "locked", "status": 409}'
    with answering((409, PROBLEM, body)) as (url, _), pytest.raises(ApiRefused) as refused:
        ApiClient(url, "t").get("/lanes")
    assert (str(refused.value), refused.value.rule) == ("checkout is locked.", "locked")
    assert refused.value.problem["status"] == 409


NOT_SLIPWAY: Sequence[Scripted] = (
    (200, {"Content-Type": "text/html"}, b"<html>"),
    (200, JSON, b"[]"),
    (404, {"Content-Type": "text/html"}, b"<html>"),
    (500, PROBLEM, b"{}"),
)


@pytest.mark.parametrize("answer", NOT_SLIPWAY)
def test_an_answer_of_something_else_is_a_sentence(answer: Scripted) -> None:
    with answering(answer) as (url, _), pytest.raises(UserError, match="Check `SLIPWAY_URL`"):
        ApiClient(url, "t").get("/lanes")
