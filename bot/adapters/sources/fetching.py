"""HTTP fetching of text from named hosts only, and never from an address inside the network.

Names are resolved and checked here, and the connection goes to the address that was checked: a name that resolves
differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.adapters.sources.addresses import Address, address, is_loopback, is_public
from bot.ports.errors import ManifestUnavailable

_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class FetchedAnswer:
    """What a server answered. headers: compared without case. at: the URL that answered, after redirects."""

    status: int
    headers: Mapping[str, str]
    text: str
    at: str


class Fetcher:
    """Fetches text with GET. hosts: the only ones allowed, also in redirects; by default the first URL's own.

    anywhere: redirects may lead to any host outside the network. inside: hosts that may have addresses within the
    network, because the catalog names them. allow_loopback: also http, and this machine, but still nothing else inside
    the network. tls: what certificates are checked with. Raises `ManifestUnavailable` with a sentence for every
    failure.
    """

    def __init__(
        self,
        *,
        hosts: Iterable[str] | None,
        allow_loopback: bool,
        largest: int,
        timeout_s: float,
        anywhere: bool = False,
        inside: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = frozenset(h.lower() for h in hosts) if hosts else None
        self._anywhere = anywhere
        self._inside = frozenset(h.lower() for h in inside)
        self._allow_loopback = allow_loopback
        self._largest = largest
        self._timeout_s = timeout_s
        self._tls = tls

    def session(self) -> aiohttp.ClientSession:
        """Connections for several calls of `ask`; close it."""
        connector = aiohttp.TCPConnector(
            resolver=_Guard(self._allow_loopback, self._inside), use_dns_cache=False, ssl=self._tls or True
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> str:
        """The text of an answer with status 200."""
        async with self.session() as session:
            answer = await self.ask(session, url, headers)
        if answer.status != 200:
            raise ManifestUnavailable(f"{answer.at} answered {_status(answer.status)}.")
        return answer.text

    async def ask(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None
    ) -> FetchedAnswer:
        """The answer, of any status."""
        hosts = self._hosts or frozenset({_host(url)})
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(session, url, hosts, dict(headers or {}))
        except TimeoutError:
            raise ManifestUnavailable(f"{url} did not answer in full within {self._timeout_s:g} s.") from None
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            inner = _inner(error)
            if inner is not None:
                raise ManifestUnavailable(f"{url}: {inner}") from None
            raise ManifestUnavailable(f"{url} cannot be fetched ({type(error).__name__}).") from None

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, hosts: frozenset[str], headers: dict[str, str]
    ) -> FetchedAnswer:
        at = url
        for _ in range(_REDIRECTS + 1):
            self._check(at, hosts, first=url)
            async with session.get(at, headers=headers, allow_redirects=False) as answer:
                if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    was, at = at, urljoin(at, answer.headers["Location"])
                    if _host(was) != _host(at):
                        headers.pop("Authorization", None)
                    continue
                return FetchedAnswer(answer.status, answer.headers, await self._text(answer, at), at)
        raise ManifestUnavailable(f"{url} redirected more than {_REDIRECTS} times.")

    def _check(self, url: str, hosts: frozenset[str], *, first: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        said = (
            f"{first} redirects to {url}, which is not allowed" if url != first else f"{url} is not allowed"
        )
        literal = address(host)
        this_machine = host == "localhost" or (literal is not None and is_loopback(literal))
        local = self._allow_loopback and this_machine
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ManifestUnavailable(f"{said}: use https.")
        if parts.username or parts.password:
            raise ManifestUnavailable(f"{said}: remove the user name and password.")
        if host not in hosts and not self._anywhere:
            raise ManifestUnavailable(f"{said}: allowed hosts are {', '.join(sorted(hosts))}.")
        if literal is not None and host not in self._inside and not _may_ask(literal, self._allow_loopback):
            raise ManifestUnavailable(f"{said}: {literal} is an address inside the network.")

    async def _text(self, answer: aiohttp.ClientResponse, url: str) -> str:
        found = bytearray()
        async for part in answer.content.iter_chunked(65536):
            found += part
            if len(found) > self._largest and answer.status != 200:
                break
            if len(found) > self._largest:
                raise ManifestUnavailable(f"{url} is larger than {self._largest // 1024} KiB.")
        try:
            return found.decode("utf-8-sig", "strict" if answer.status == 200 else "replace")
        except UnicodeDecodeError:
            raise ManifestUnavailable(f"{url} is not UTF-8 text.") from None


class InnerAddressError(OSError):
    """A name that resolves to an address inside the network."""


class _Guard(AbstractResolver):
    """Resolver that returns only allowed addresses; a name with any other address is refused.

    inside: names that may have any.
    """

    def __init__(self, allow_loopback: bool, inside: frozenset[str]) -> None:
        self._allow_loopback = allow_loopback
        self._inside = inside

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, proto, _, there in found:
            where = address(str(there[0]))
            allowed = host.lower() in self._inside or (where and _may_ask(where, self._allow_loopback))
            if not allowed:
                raise InnerAddressError(f"{host} resolves to {where}, an address inside the network.")
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(there[0]),
                    port=port,
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing to close."""


def _may_ask(where: Address, allow_loopback: bool) -> bool:
    return allow_loopback if is_loopback(where) else is_public(where)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


def _inner(error: BaseException) -> InnerAddressError | None:
    """The guard's error inside the client's, if it is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InnerAddressError):
            return seen
        seen = getattr(seen, "os_error", None) or seen.__cause__ or seen.__context__
    return None
