"""A TCP port that takes connections."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from pydantic import Field

from bot.adapters.checks.kind import (
    CheckContext,
    CheckFailed,
    CheckSubject,
    HostPort,
    check_kind,
    failed_to_connect,
    target_of,
)
from bot.kinds import CheckSettings


class TcpSettings(CheckSettings):
    """A port that takes connections."""

    of_candidate = True

    kind: Literal["tcp"]
    at: HostPort | None = Field(default=None, description="host:port; where the lane answers by default.")

    @property
    def address(self) -> str:
        return self.at or "its port"

    @property
    def asks_lane(self) -> bool:
        return self.at is None


class TcpCheck:
    """Implements `Check`."""

    def __init__(self, settings: TcpSettings, context: CheckContext) -> None:
        self._settings = settings
        self._resolver = context.resolver

    async def ask(self, subject: CheckSubject) -> None:
        host, port = target_of(self._settings.at, subject)
        asked = f"{host}:{port} should take connections"
        try:
            found = await self._resolver.addresses(host, port)
        except OSError:
            raise CheckFailed(f"{asked}, but {host} could not be resolved.") from None
        problem: OSError | None = None
        for family, _, _, _, there in found:
            try:
                _, writer = await asyncio.open_connection(there[0], there[1], family=family)
            except TimeoutError:
                raise
            except OSError as refused:
                problem = refused
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
        raise CheckFailed(f"{asked}, but {failed_to_connect(problem or OSError())}.")


KIND = check_kind(TcpSettings, TcpCheck)
