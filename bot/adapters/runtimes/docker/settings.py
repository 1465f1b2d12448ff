"""Settings of a Docker Engine: an entry of `targets:` in the catalog."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from bot.adapters.targets.hosted.settings import HostedTargetSettings
from bot.kinds import SettingsProblem
from bot.values import Part, RelativePath, Text, shaped

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_ADDRESS = r"^unix:///.|^tcp://[^/:]+:\d+$|^ssh://[^/]+(/.*)?$"


Address = Annotated[str, *shaped(_ADDRESS, "unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]")]


def _is_ip(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


class TlsSettings(Part):
    """Client certificate for an engine at `tcp://`, and the authority that signed the engine's own."""

    ca: RelativePath = Field(description="Certificate of the authority that signed the engine's.")
    cert: RelativePath = Field(description="Certificate of the client.")
    key: RelativePath = Field(description="Private key of the client.")


class EngineAddress(Part):
    """Where a Docker Engine listens, and its logins to registries."""

    engine: Address = Field(
        default=DEFAULT_ENGINE,
        description="Where the engine listens. ssh:// uses the system's ssh and its settings.",
    )
    tls: TlsSettings | None = Field(default=None, description="Certificates for an engine at tcp://.")
    logins: RelativePath | None = Field(
        default=None,
        description="Docker's config.json with logins to registries (`docker login`); read at each pull.",
    )

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this machine."""
        return _local(self.engine)

    @property
    def addresses(self) -> Mapping[tuple[str | int, ...], str]:
        """All addresses, by where they are written; that of `engine` first."""
        return {("engine",): self.engine}

    def problems(self) -> Iterator[SettingsProblem]:
        for written, address in self.addresses.items():
            if urlsplit(address).scheme == "tcp" and self.tls is None and not _local(address):
                sentence = f"{address} without TLS gives the engine's machine to everyone who can reach it."
                yield SettingsProblem(written, sentence, "Add `tls:` with ca, cert and key, or use ssh://.")
        schemes = [urlsplit(address).scheme for address in self.addresses.values()]
        if "tcp" not in schemes and self.tls is not None:
            yield SettingsProblem(("tls",), f"{schemes[0]}:// has no TLS.", "It is for engines at tcp://.")

    @property
    def place_suffix(self) -> str:
        """Distinguishes places: each engine is one of its own."""
        return (
            ""
            if self.engine == DEFAULT_ENGINE
            else f"-{hashlib.sha256(self.engine.encode()).hexdigest()[:8]}"
        )


class EngineSettings(EngineAddress):
    """A Docker Engine, and how releases on it are reached."""

    publish: Text = Field(
        default="127.0.0.1",
        description="IP address of the engine's machine on which ports of releases are published.",
    )
    network: Text | None = Field(
        default=None,
        description="Network that releases join and in which the router reaches them, instead of `publish`.",
    )

    def problems(self) -> Iterator[SettingsProblem]:
        if not _is_ip(self.publish):
            yield SettingsProblem(("publish",), f'"{self.publish}" is not the IP address of one interface.')
        elif not self.is_local and self.network is None and _loopback(self.publish):
            sentence = f"releases on {self.engine} cannot be reached at {self.publish}."
            hint = "Write an address of the engine's machine, or the network that the router shares with releases."
            yield SettingsProblem(("publish",), sentence, hint)
        yield from super().problems()


class DockerSettings(EngineSettings, HostedTargetSettings):
    """Releases as containers of a Docker Engine, behind a router."""

    when_away: ClassVar[str] = "check that the Docker Engine runs, and that Slipway's host may use its socket"

    kind: Literal["docker"]

    @property
    def place(self) -> str:
        return self.kind + self.place_suffix


def _local(address: str) -> bool:
    parts = urlsplit(address)
    host = parts.hostname or ""
    return parts.scheme == "unix" or host == "localhost" or (_is_ip(host) and _loopback(host))


def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
