"""HTTP fetching of text from named hosts only, and never from an address inside the network.

Names are resolved and checked here, and the connection goes to the address that was checked: a name that resolves
differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.adapters.sources.addresses import Address, address, is_loopback, is_public
from bot.ports.errors import ManifestUnavailable

_REDIRECTS = 5


class Fetcher:
    """Fetches text with GET. hosts: the only ones allowed, also in redirects; by default the first URL's own.

    allow_loopback: also http, and this machine, but still nothing else inside the network. Raises
    `ManifestUnavailable` with a sentence for every failure.
    """

    def __init__(
        self,
        *,
        hosts: Iterable[str] | None,
        allow_loopback: bool,
        largest: int,
        timeout_s: float,
    ) -> None:
        self._hosts = frozenset(h.lower() for h in hosts) if hosts else None
        self._allow_loopback = allow_loopback
        self._largest = largest
        self._timeout_s = timeout_s

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> str:
        hosts = self._hosts or frozenset({_host(url)})
        connector = aiohttp.TCPConnector(resolver=_Guard(self._allow_loopback), use_dns_cache=False)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            ):
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
    ) -> str:
        at = url
        for _ in range(_REDIRECTS + 1):
            self._check(at, hosts, first=url)
            async with session.get(at, headers=headers, allow_redirects=False) as answer:
                if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    was, at = at, urljoin(at, answer.headers["Location"])
                    if _host(was) != _host(at):
                        headers.pop("Authorization", None)
                    continue
                if answer.status != 200:
                    raise ManifestUnavailable(f"{at} answered {answer.status} {answer.reason}.")
                return await self._text(answer, at)
        raise ManifestUnavailable(f"{url} redirected more than {_REDIRECTS} times.")

    def _check(self, url: str, hosts: frozenset[str], *, first: str) -> None:
        parts = urlsplit(url)
        said = (
            f"{first} redirects to {url}, which is not allowed" if url != first else f"{url} is not allowed"
        )
        literal = address(parts.hostname or "")
        this_machine = parts.hostname == "localhost" or (literal is not None and is_loopback(literal))
        local = self._allow_loopback and this_machine
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ManifestUnavailable(f"{said}: use https.")
        if parts.username or parts.password:
            raise ManifestUnavailable(f"{said}: remove the user name and password.")
        if (parts.hostname or "") not in hosts:
            raise ManifestUnavailable(f"{said}: allowed hosts are {', '.join(sorted(hosts))}.")
        if literal is not None and not _may_ask(literal, self._allow_loopback):
            raise ManifestUnavailable(f"{said}: {literal} is an address inside the network.")

    async def _text(self, answer: aiohttp.ClientResponse, url: str) -> str:
        found = bytearray()
        async for part in answer.content.iter_chunked(65536):
            found += part
            if len(found) > self._largest:
                raise ManifestUnavailable(f"{url} is larger than {self._largest // 1024} KiB.")
        try:
            return found.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ManifestUnavailable(f"{url} is not UTF-8 text.") from None


class InnerAddressError(OSError):
    """A name that resolves to an address inside the network."""


class _Guard(AbstractResolver):
    """Resolver that returns only allowed addresses; a name with any other address is refused."""

    def __init__(self, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, proto, _, there in found:
            where = address(str(there[0]))
            if where is None or not _may_ask(where, self._allow_loopback):
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
