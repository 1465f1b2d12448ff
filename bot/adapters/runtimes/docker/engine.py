"""Client of a Docker Engine's HTTP API: requests, event stream, and errors as sentences.

The dozen requests that Slipway makes go through aiohttp. The asyncio library for Docker has no
`/distribution`, needs a second SSH implementation for ssh://, and does not resume an event stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.adapters.runtimes.docker.forwarding import ForwardedSocket
from bot.adapters.runtimes.docker.settings import EngineAddress
from bot.ports.errors import Unreachable

Json = Any
# The newest version of the API that this was written for; an older engine is spoken to in its own.
_NEWEST = (1, 44)
_CONNECT_S = 5.0
_ANSWER_S = 30.0


class EngineError(Exception):
    """The engine refused a request. `status`: of HTTP; 200 when it failed while the answer was under way."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class EngineApi(ABC):
    """The Engine's API, which one engine or several answer.

    `outages` counts how often a connection failed: what ran before may be gone since.
    Requests raise `EngineError`, and `Unreachable` while no engine answers.
    """

    outages = 0

    @property
    @abstractmethod
    def name(self) -> str:
        """What answers, for people."""

    @abstractmethod
    def request(
        self, method: str, path: str, **more: Any
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The answer, with a status below 400; any other raises `EngineError`."""

    @abstractmethod
    async def probe(self) -> None:
        """Count an outage unless the engine takes a new connection."""

    @abstractmethod
    async def close(self) -> None: ...

    async def get(self, path: str, **more: Any) -> Json:
        """The answer's JSON."""
        async with self.request("GET", path, **more) as answer:
            return await answer.json(content_type=None)

    async def post(self, path: str, **more: Any) -> Json:
        """The answer's JSON; None when it has none."""
        async with self.request("POST", path, **more) as answer:
            text = await answer.text()
            return json.loads(text) if text.strip() else None

    async def delete(self, path: str, **more: Any) -> None:
        async with self.request("DELETE", path, **more):
            pass

    async def put(self, path: str, data: bytes, **more: Any) -> None:
        async with self.request("PUT", path, data=data, **more):
            pass

    async def stream(
        self, method: str, path: str, *, silence_s: float | None, **more: Any
    ) -> AsyncGenerator[Json, None]:
        """JSON objects as they come. Raises TimeoutError when none came for `silence_s`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
        async with self.request(method, path, timeout=timeout, **more) as answer:
            lines = aiter(answer.content)
            while True:
                async with asyncio.timeout(silence_s):
                    line = await anext(lines, b"")
                if not line:
                    return
                if line.strip():
                    yield json.loads(line)


class DockerApi(EngineApi):
    """One engine. folder: private, for the socket that an ssh connection forwards."""

    def __init__(self, settings: EngineAddress, folder: Path) -> None:
        self.address = settings.engine
        self._settings = settings
        self._forwarded: ForwardedSocket | None = None
        self._base, self._path = "http://engine", ""
        parts = urlsplit(self.address)
        if parts.scheme == "tcp":
            self._base = f"{'https' if settings.tls else 'http'}://{parts.netloc}"
        elif parts.scheme == "ssh":
            self._forwarded = ForwardedSocket(self.address, folder)
            self._path = str(self._forwarded.path)
        else:
            self._path = parts.path
        self._tls = self._context()
        self._session: aiohttp.ClientSession | None = None
        self._version = ""

    def _connect(self) -> aiohttp.BaseConnector:
        if self._path:
            return aiohttp.UnixConnector(self._path, limit=0)
        return aiohttp.TCPConnector(ssl=self._tls or True, limit=0)

    def _context(self) -> ssl.SSLContext | None:
        tls = self._settings.tls
        if tls is None:
            return None
        try:
            context = ssl.create_default_context(cafile=str(tls.ca))
            context.load_cert_chain(str(tls.cert), str(tls.key))
        except (OSError, ssl.SSLError) as problem:
            raise OSError(f"The certificates for {self.address} cannot be read: {problem}") from None
        return context

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._forwarded is not None:
            await self._forwarded.close()

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float = _ANSWER_S,
        timeout: aiohttp.ClientTimeout | None = None,
        params: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """params: values that are no text are sent as JSON."""
        said = {
            key: each if isinstance(each, str) else json.dumps(each) for key, each in (params or {}).items()
        }
        timeout = timeout or aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        try:
            session = await self._ready()
            url = f"{self._base}/{self._version}{path}"
            async with session.request(method, url, params=said, timeout=timeout, **more) as answer:
                if answer.status >= 400:
                    raise EngineError(answer.status, _message(await answer.text()))
                yield answer
        except TimeoutError as late:
            if timeout.total is None:
                raise
            self.outages += 1
            raise Unreachable(f"{self.name} did not answer within {timeout.total:g} s") from late
        except (aiohttp.ClientError, OSError) as problem:
            self.outages += 1
            self._version = ""  # it may be another one when it is back
            raise Unreachable(f"{self.name} cannot be reached: {self._why(problem)}") from problem

    async def probe(self) -> None:
        """Count an outage unless the engine takes a new connection.

        An engine that stops refuses those first, then ends its containers, and answers on old connections meanwhile.
        """
        timeout = aiohttp.ClientTimeout(total=_CONNECT_S)
        try:
            async with (
                aiohttp.ClientSession(connector=self._connect(), timeout=timeout) as session,
                session.get(f"{self._base}/_ping") as answer,
            ):
                await answer.read()
        except (aiohttp.ClientError, OSError):
            self.outages += 1

    @property
    def name(self) -> str:
        return f"The Docker Engine at {self.address}"

    async def _ready(self) -> aiohttp.ClientSession:
        if self._forwarded is not None:
            await self._forwarded.open()
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=self._connect())
        if not self._version:
            timeout = aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S)
            async with self._session.get(f"{self._base}/version", timeout=timeout) as answer:
                told = await answer.json(content_type=None)
            newest, oldest = (_numbers(told.get(key, "")) for key in ("ApiVersion", "MinAPIVersion"))
            major, minor = max(min(newest, _NEWEST), oldest)
            self._version = f"v{major}.{minor}"
        return self._session

    def _why(self, problem: Exception) -> str:
        if isinstance(problem, aiohttp.ClientConnectorError):
            return problem.strerror or str(problem)
        return str(problem) or type(problem).__name__


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else _NEWEST


def _message(text: str) -> str:
    """The engine's own words."""
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(text).get("message") or text).strip()
    return text.strip()
