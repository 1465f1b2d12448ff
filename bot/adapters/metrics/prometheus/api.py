"""Client of the HTTP APIs of Prometheus (v1) and Alertmanager (v2)."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiohttp

from bot.domain.formatting import one_line
from bot.domain.secret import Secret

MAX_BYTES = 20 * 1024 * 1024
_WORDS = 200
_PARSED_WITHIN_S = 3.0


class UnreadableError(Exception):
    """The server could not be read; a sentence without credentials."""


class QueryError(UnreadableError):
    """The server understood the request and cannot carry out the query."""


@dataclass(frozen=True, slots=True)
class PrometheusAccess:
    """How to reach a server. `timeout_s`: how long an answer may take."""

    url: str
    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    ca: Path | None = None
    timeout_s: float = 5.0

    def authorization(self) -> Mapping[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.reveal()}"}
        if self.user is not None and self.password is not None:
            pair = f"{self.user}:{self.password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """A native histogram: `(lower, upper, observations)` of each bucket that has some, in order."""

    buckets: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class PrometheusSeries:
    """One series of an answer: a number, or a native histogram."""

    labels: Mapping[str, str]
    value: float | NativeHistogram


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """A firing alert. `since`: unix seconds."""

    labels: Mapping[str, str]
    since: float


async def query(
    session: aiohttp.ClientSession, access: PrometheusAccess, text: str
) -> tuple[PrometheusSeries, ...]:
    """The instant vector that `text` evaluates to now. Raises `UnreadableError`, `QueryError`.

    An answer that the server calls incomplete (a warning, as of a Thanos store that is away) is unreadable.
    """
    form = {"query": text, "timeout": f"{access.timeout_s:g}s"}
    answer = await _asked(session, access, "POST", "/api/v1/query", data=form)
    try:
        if answer.get("warnings"):
            raise UnreadableError(f"the answer is incomplete: {_words(answer['warnings'][0])}")
        kind, found = answer["data"]["resultType"], answer["data"]["result"]
        if kind != "vector":
            raise QueryError(f"the query gives a {_words(kind)}, not one value for each series")
        return tuple(_series(one) for one in found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise UnreadableError(f"the answer is not an instant vector ({type(problem).__name__})") from None


async def parse(session: aiohttp.ClientSession, access: PrometheusAccess, text: str) -> None:
    """Ask whether the server can parse `text`. Raises `QueryError` with its words, `UnreadableError`."""
    await _asked(session, access, "POST", "/api/v1/format_query", data={"query": text})


async def prometheus_alerts(
    session: aiohttp.ClientSession, access: PrometheusAccess
) -> tuple[FiringAlert, ...]:
    """The firing alerts of a Prometheus' own rules. Raises `UnreadableError`."""
    answer = await _asked(session, access, "GET", "/api/v1/alerts")
    return _alerts(
        lambda: [(a["labels"], a["activeAt"]) for a in answer["data"]["alerts"] if a["state"] == "firing"]
    )


async def alertmanager_alerts(
    session: aiohttp.ClientSession, access: PrometheusAccess
) -> tuple[FiringAlert, ...]:
    """The firing alerts of an Alertmanager, without silenced and inhibited ones. Raises `UnreadableError`."""
    only = {"active": "true", "silenced": "false", "inhibited": "false", "unprocessed": "false"}
    answer = await _asked(session, access, "GET", "/api/v2/alerts", params=only)
    return _alerts(lambda: [(a["labels"], a["startsAt"]) for a in answer])


def examined(access: PrometheusAccess, texts: Mapping[str, str]) -> Mapping[str, str]:
    """What the server says about each text that it cannot parse, by key; nothing when it cannot be asked."""
    # In a thread, since the caller may run in an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _examined(access, texts)).result()


async def _examined(access: PrometheusAccess, texts: Mapping[str, str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(_PARSED_WITHIN_S), aiohttp.ClientSession() as session:
            for key, text in texts.items():
                try:
                    await parse(session, access, text)
                except QueryError as error:
                    found[key] = f"the server at {access.url} cannot parse it: {error}."
    except (UnreadableError, TimeoutError):
        return found
    return found


async def _asked(
    session: aiohttp.ClientSession, access: PrometheusAccess, method: str, path: str, **more: Any
) -> Any:
    """The JSON of an answer. Raises `UnreadableError`; `QueryError` for what the server calls bad data."""
    try:
        async with session.request(
            method,
            access.url + path,
            headers=access.authorization(),
            timeout=aiohttp.ClientTimeout(total=access.timeout_s),
            allow_redirects=False,
            ssl=_trust(access.ca) if access.ca is not None else True,
            **more,
        ) as answer:
            return await _understood(answer)
    except TimeoutError:
        raise UnreadableError(f"no answer within {access.timeout_s:g} s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise UnreadableError("its certificate is not trusted; see `ca`") from None
    except (aiohttp.ClientError, OSError) as problem:
        raise UnreadableError(f"it cannot be reached ({type(problem).__name__})") from None


async def _understood(answer: aiohttp.ClientResponse) -> Any:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_BYTES:
            raise UnreadableError(f"its answer has more than {MAX_BYTES >> 20} MB")
    if answer.status in (401, 403):
        raise UnreadableError(f"it refuses the credentials ({answer.status})")
    try:
        # Megabytes take a while to parse, so this runs in a thread.
        found = await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError):
        raise UnreadableError(f"it answered {answer.status} without JSON") from None
    if answer.status in (400, 422) and isinstance(found, dict):
        raise QueryError(_words(found.get("error")))
    if answer.status != 200:
        said = f": {_words(found.get('error'))}" if isinstance(found, dict) and found.get("error") else ""
        raise UnreadableError(f"it answered {answer.status}{said}")
    return found


def _series(found: Mapping[str, Any]) -> PrometheusSeries:
    labels = {str(name): str(value) for name, value in found["metric"].items()}
    if "histogram" not in found:
        return PrometheusSeries(labels, float(found["value"][1]))
    buckets = ((float(b[1]), float(b[2]), float(b[3])) for b in found["histogram"][1].get("buckets", ()))
    return PrometheusSeries(labels, NativeHistogram(tuple(sorted(buckets))))


def _alerts(read: Any) -> tuple[FiringAlert, ...]:
    try:
        found: Sequence[tuple[Mapping[str, str], str]] = read()
        return tuple(
            FiringAlert(
                {str(n): str(v) for n, v in labels.items()}, datetime.fromisoformat(since).timestamp()
            )
            for labels, since in found
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise UnreadableError(f"the answer is not a list of alerts ({type(problem).__name__})") from None


def _trust(ca: Path) -> ssl.SSLContext:
    try:
        return _context(ca, ca.stat().st_mtime_ns)
    except (OSError, ssl.SSLError):
        raise UnreadableError(f"{ca} is not a readable PEM file") from None


@lru_cache(maxsize=32)
def _context(ca: Path, changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


def _words(text: object) -> str:
    """The server's words on one line, cut."""
    return one_line(str(text), _WORDS)
