"""Settings of Envoy as a target's router, and the router made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.adapters.routers.context import RouterContext, router_kind
from bot.kinds import RouterProgramSettings, SettingsProblem
from bot.ports.data_plane.routers import Router
from bot.values import RelativePath


class EnvoySettings(RouterProgramSettings):
    """The router: Envoy. With `admin` and `config_dir` one that others run, without them one of Slipway's own."""

    kind: Literal["envoy"] = "envoy"
    admin: str | None = Field(
        default=None, description="Admin interface of your own Envoy: a Unix socket's path, or `host:port`."
    )
    config_dir: RelativePath | None = Field(
        default=None,
        description="Folder with the discovery files that your own Envoy watches.",
    )
    config_dir_in_envoy: Path | None = Field(
        default=None, description="The same folder as Envoy sees it, when it runs in a container."
    )
    connections: int = Field(default=10_000, ge=4, description="Connections of clients to one lane at once.")
    trusted_hops: int = Field(
        default=0,
        ge=0,
        description="Proxies in front of Envoy, the X-Forwarded headers of which are believed.",
    )

    def problems(self) -> Iterator[SettingsProblem]:
        if (self.admin is None) != (self.config_dir is None):
            yield SettingsProblem(
                ("admin" if self.admin else "config_dir",),
                "`admin` and `config_dir` belong together",
                "give both for your own Envoy, none for Slipway's",
            )


def make_envoy(settings: EnvoySettings, context: RouterContext) -> Router:
    # The host's alone.
    from bot.adapters.routers.envoy.admin import EnvoyAdmin
    from bot.adapters.routers.envoy.config import EnvoyLimits
    from bot.adapters.routers.envoy.files import DiscoveryFiles
    from bot.adapters.routers.envoy.process import EnvoyProcess
    from bot.adapters.routers.envoy.router import EnvoyRouter

    limits = EnvoyLimits(settings.connections, settings.trusted_hops)
    if settings.admin is None or settings.config_dir is None:
        process = EnvoyProcess(context.folder)
        return EnvoyRouter(EnvoyAdmin(process.socket), DiscoveryFiles(process.discovery), process, limits)
    admin = Path(settings.admin) if "/" in settings.admin else settings.admin
    files = DiscoveryFiles(settings.config_dir.absolute(), settings.config_dir_in_envoy)
    return EnvoyRouter(EnvoyAdmin(admin), files, None, limits)


KIND = router_kind(EnvoySettings, make_envoy)
