"""A certificate that is trusted, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import Field

from bot.adapters.checks.kind import (
    CheckContext,
    CheckFailed,
    CheckSubject,
    HostPort,
    check_kind,
    failed_to_connect,
    host_port,
)
from bot.adapters.checks.web import distrusted, trusting
from bot.domain.formatting import counted
from bot.kinds import CheckSettings
from bot.values import RelativePath, Text

_DAY_S = 86_400.0
# Addresses of one host that are tried, and the part of the time limit that they share.
_TRIED, _SHARED = 4, 0.9


class CertificateSettings(CheckSettings):
    """A certificate that is trusted, and does not expire soon."""

    timed = False

    kind: Literal["tls"]
    at: HostPort = Field(description="host:port, such as shop.example.com:443.")
    days: int = Field(default=14, ge=0, description="How many days it must be valid for; 14 by default.")
    name: Text | None = Field(default=None, description="The name that it must be for; the host by default.")
    ca: RelativePath | None = Field(
        default=None, description="File with the authorities to trust instead of the system's."
    )

    @property
    def address(self) -> str:
        return self.at


class TlsCheck:
    """Implements `Check`. The chain and the name are verified by OpenSSL, in the handshake."""

    def __init__(self, settings: CertificateSettings, context: CheckContext) -> None:
        self._settings = settings
        self._resolver = context.resolver

    async def ask(self, subject: CheckSubject) -> None:
        host, port = host_port(self._settings.at)
        try:
            found = await self._resolver.addresses(host, port)
        except OSError as problem:
            raise CheckFailed(f"{host}:{port} cannot be reached: {failed_to_connect(problem)}.") from None
        addresses = tuple(dict.fromkeys(str(there[0]) for _, _, _, _, there in found))
        address, left_s = await self._first_that_answers(host, port, addresses)
        if left_s < self._settings.days * _DAY_S:
            left, wanted = counted(int(left_s // _DAY_S), "day"), counted(self._settings.days, "day")
            of = f"{host} ({address})" if len(addresses) > 1 else host
            raise CheckFailed(
                f"The certificate of {of} should be valid for {wanted} more, but has {left} left."
            )

    async def _first_that_answers(self, host: str, port: int, addresses: Sequence[str]) -> tuple[str, float]:
        """The first address that can be connected to, and for how many seconds its certificate is still valid.

        Each of several has its share of the time, so that one that swallows packets does not use up all of it.
        """
        failures: list[str] = []
        tried, several, now = addresses[:_TRIED], len(addresses) > 1, asyncio.get_running_loop().time
        ends = now() + _SHARED * self._settings.timeout
        for index, address in enumerate(tried):
            at = f"{host}:{port} ({address})" if several else f"{host}:{port}"
            share_s = (ends - now()) / (len(tried) - index) if several else None
            try:
                async with asyncio.timeout(share_s):
                    return address, await self._left_s(address, port, self._settings.name or host)
            except ssl.SSLCertVerificationError as problem:
                raise CheckFailed(f"{at}: {distrusted(problem)}.") from None
            except ssl.SSLError:
                raise CheckFailed(f"{at} should speak TLS, but the handshake failed.") from None
            except TimeoutError:
                if not several:
                    raise
                failures.append(f"{address}: no answer")
            except OSError as problem:
                why = failed_to_connect(problem)
                failures.append(f"{address}: {why}" if several else why)
        failures += [f"{len(addresses) - len(tried)} more were not tried"] if len(addresses) > _TRIED else []
        raise CheckFailed(f"{host}:{port} cannot be reached: {', '.join(failures)}.")

    async def _left_s(self, address: str, port: int, name: str) -> float:
        """Seconds until the certificate expires, counted from now."""
        ca = self._settings.ca
        context = trusting(ca) if ca else _system()
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        try:
            certificate = writer.get_extra_info("peercert")
            return ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@cache
def _system() -> ssl.SSLContext:
    """Made once: reading the system's authorities takes tens of milliseconds."""
    return ssl.create_default_context()


KIND = check_kind(CertificateSettings, TlsCheck)
