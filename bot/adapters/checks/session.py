"""HTTP session and name resolution of checks: nothing that one check does stays for the next one."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

# Names that a dead resolver keeps waiting hold threads: these, and none of those that the rest of the process needs.
_LOOKUPS = 16


class SystemResolver(AbstractResolver):
    """Asks the system's resolver in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="check-dns")

    async def addresses(self, name: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[Any]:
        """What `socket.getaddrinfo` gives. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(name, port, family, socket.SOCK_STREAM)
        )

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(there[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, there in await self.addresses(host, port, family)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def check_session(resolver: SystemResolver) -> aiohttp.ClientSession:
    """A connection for each request, no cookies, and bodies as they come: a small one must not become a large one."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False, resolver=resolver)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(),  # each check has its own, around all that it does
    )
