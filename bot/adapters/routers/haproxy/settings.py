"""Settings of HAProxy as a target's router, and the router made of them."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.adapters.routers.context import RouterContext, router_kind
from bot.kinds import RouterProgramSettings, SettingsProblem
from bot.ports.data_plane.routers import Router


class HaproxySettings(RouterProgramSettings):
    """The router: HAProxy 2.6 or later, for teams that have it. Slipway runs one for each lane.

    It counts less than Envoy: requests with a body of more than 24 kB are no evidence. A response that pauses for
    longer than `request_timeout` is cut off.
    """

    kind: Literal["haproxy"] = "haproxy"
    program: Path | None = Field(
        default=None, description="Path of HAProxy; by default the one of the machine on which the host runs."
    )
    connections: int = Field(default=4_000, ge=4, description="Connections of clients to one lane at once.")
    trusted_hops: int = Field(
        default=0,
        ge=0,
        description="Proxies in front of HAProxy, the X-Forwarded-Proto of which is believed.",
    )
    keep_connections: bool = Field(
        default=True,
        description="Use a connection to a release for further requests. false: for releases that close connections "
        "without saying so in the response.",
    )

    def examine(self) -> Iterator[SettingsProblem]:
        from bot.adapters.routers.haproxy.process import INSTALL, UnfitProgram, find_program

        # Where it is missing, the catalog may be read on another machine than the host's, which tells when it starts.
        with contextlib.suppress(FileNotFoundError):
            try:
                find_program(self.program)
            except UnfitProgram as problem:
                yield SettingsProblem(("program",) if self.program else ("kind",), str(problem), INSTALL)


def make_haproxy(settings: HaproxySettings, context: RouterContext) -> Router:
    # The host's alone.
    from bot.adapters.routers.haproxy.config import HaproxyLimits
    from bot.adapters.routers.haproxy.router import HaproxyRouter

    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limits = HaproxyLimits(
        settings.connections,
        settings.trusted_hops,
        open_files=open_files,
        keep_connections=settings.keep_connections,
    )
    return HaproxyRouter(context.folder / "lanes", limits, settings.program)


KIND = router_kind(HaproxySettings, make_haproxy)
