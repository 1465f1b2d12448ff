"""Forwarding of one request to one instance, streamed both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import aiohttp
from aiohttp import HttpVersion11, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

Outcome = Literal["ok", "error", "refused", "reset", "timeout", "cancelled"]

# RFC 9110 section 7.6.1, with older names that are still in use, and what the router answers itself.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# Below what servers commonly allow (gunicorn closes idle connections after 2 s): a request must not be
# written into a connection that is being closed.
IDLE_CONNECTION_S = 1.5
CONNECT_TIMEOUT_S = 2.0

# One line or field of a head, in bytes, in both directions.
LONGEST_FIELD = 64 * 1024


class Undelivered(Exception):
    """The instance gave no answer. `sent`: whether it may have seen the request."""

    def __init__(self, outcome: Outcome, *, sent: bool) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome
        self.sent = sent


class Broken(Exception):
    """The answer broke off; the client's connection must be cut, so that the client notices."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome


def client_session() -> aiohttp.ClientSession:
    """Keep-alive connections to instances; answers are passed on as they are."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        trust_env=False,
        max_line_size=LONGEST_FIELD,
        max_field_size=LONGEST_FIELD,
    )


async def forward(
    session: aiohttp.ClientSession,
    address: str,
    request: web.BaseRequest,
    timeout_s: float,
    endless: Callable[[], None],
) -> tuple[web.StreamResponse, Outcome]:
    """Send the request to the instance at `address` and stream its answer to the client.

    Calls `endless` when the answer that begins is an event stream. Raises `Undelivered` while the client has
    got nothing yet, `Broken` when the answer had begun.
    """
    answer = await _ask(session, address, request, timeout_s)
    try:
        response = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers)
        )
        try:
            await response.prepare(request)
        except OSError:
            raise Broken("cancelled") from None
        if answer.content_type == "text/event-stream":
            endless()
        await _stream(answer, response)
    finally:
        # Only for answers that were not read to their end; the connection of a complete one goes back to the pool.
        answer.close() if answer.connection is not None else answer.release()
    return response, "error" if answer.status >= 500 else "ok"


async def _ask(
    session: aiohttp.ClientSession, address: str, request: web.BaseRequest, timeout_s: float
) -> aiohttp.ClientResponse:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        return await session.request(
            request.method,
            upstream_url(address, request),
            headers=forwarded_headers(request),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s, connect=CONNECT_TIMEOUT_S * 2
            ),
        )
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise Undelivered("refused", sent=False) from None
    except TimeoutError:
        raise Undelivered("timeout", sent=True) from None
    except (aiohttp.ClientError, OSError):
        gone = request.transport is None or request.transport.is_closing()
        raise Undelivered("cancelled" if gone else "reset", sent=True) from None


async def _stream(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    while True:
        try:
            chunk = await answer.content.readany()
        except TimeoutError:
            raise Broken("timeout") from None
        except (aiohttp.ClientError, OSError):
            raise Broken("reset") from None
        try:
            if not chunk:
                await response.write_eof()
                return
            await response.write(chunk)
        except (aiohttp.ClientError, OSError):
            raise Broken("cancelled") from None


def upstream_url(address: str, request: web.BaseRequest) -> URL:
    """The client's path and query at the instance's address, byte for byte except for a bare `?`."""
    path = request.raw_path
    if not path.startswith("/"):
        path = URL(path).raw_path_qs
    return URL(address + path, encoded=True)


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Headers without those that belong to one connection."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    kept = CIMultiDict[str]()
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP and name.lower() not in named:
            kept.add(name, value)
    return kept


def forwarded_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    """Headers for the instance: the client's, and the client's address."""
    headers = end_to_end(request.headers)
    before = request.headers.get("X-Forwarded-For")
    client = request.remote or "unknown"
    headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
    headers.setdefault("X-Forwarded-Proto", request.scheme)
    headers.setdefault("X-Forwarded-Host", request.host)
    return headers
