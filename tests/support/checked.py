"""Services to ask checks of: real ones on loopback, well and unwell, with certificates of their own authority."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web
from pydantic import TypeAdapter

from bot.adapters.checks.kind import CheckContext, CheckKind
from bot.adapters.checks.runner import CheckRunner
from bot.adapters.checks.session import SystemResolver, check_session
from bot.composition.registry import KINDS
from bot.domain.config import CheckConfig
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult
from bot.kinds import CheckSettings
from bot.ports.errors import Unreachable

LANE = Lane("checkout", "production")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def check(**written: Any) -> CheckConfig:
    """A check as the catalog would make it of these keys."""
    model: TypeAdapter[CheckSettings] = TypeAdapter(KINDS.checks[written["kind"]].settings)
    settings = model.validate_python({"timeout": "5s", **written})
    assert list(settings.problems()) == []
    return CheckConfig("test", settings, settings.timeout)


@dataclass
class Asking:
    """Asks checks. where: lanes answer. online: how Discord shows users; others are not known."""

    asked: CheckRunner
    where: dict[Lane, str | None] = field(default_factory=dict)
    online: dict[int, str | None] = field(default_factory=dict)

    async def __call__(self, **written: Any) -> str:
        """What the check says; empty when it passed."""
        return (await self.result(**written)).said

    async def result(self, **written: Any) -> CheckResult:
        return await self.asked.ask(check(**written), LANE, 100.0)

    async def of_candidate(self, address: str, **written: Any) -> str:
        return (await self.asked.ask_candidate(check(**written), LANE, address, 100.0)).said


@asynccontextmanager
async def asking() -> AsyncIterator[Asking]:
    resolver = SystemResolver()
    async with check_session(resolver) as session:
        where: dict[Lane, str | None] = {}
        online: dict[int, str | None] = {}

        async def presence(user_id: int) -> str | None:
            if user_id not in online:
                raise Unreachable(f"nothing is known of {user_id}")
            return online[user_id]

        context = CheckContext(session, resolver, presence)

        def make(settings: CheckSettings) -> CheckKind:
            made: CheckKind = KINDS.checks[settings.kind].make(settings, context)
            return made

        async def answers_at(lane: Lane) -> str | None:
            return where.get(lane)

        yield Asking(CheckRunner(make, answers_at), where, online)
    await resolver.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An HTTP server; its address."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http{'s' if tls else ''}://{host}:{port}"
    finally:
        await runner.cleanup()


def answering(status: int = 200, text: str = "ok", headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return handler


@asynccontextmanager
async def talking(talk: Stream) -> AsyncIterator[str]:
    """A TCP server that says whatever `talk` writes; its address as host:port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority of the tests, and contexts with certificates that it signed."""

    ca: trustme.CA
    file: Path

    def server(self, name: str = "127.0.0.1", valid_days: float = 100) -> ssl.SSLContext:
        """A server's side. valid_days: until the certificate expires; negative: it has expired."""
        expires = datetime.now(UTC) + timedelta(days=valid_days)
        issued = self.ca.issue_cert(name, not_before=expires - timedelta(days=200), not_after=expires)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        return context


def authority(folder: Path) -> Authority:
    ca = trustme.CA()
    file = folder / f"ca-{id(ca)}.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)
