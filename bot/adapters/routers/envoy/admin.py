"""Client of Envoy's admin interface: what runs, which configuration was accepted, and the counts."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from bot.adapters.routers.envoy.files import CLUSTERS, LISTENERS, ROUTES
from bot.ports.errors import Unreachable

Json = dict[str, Any]

_ANSWER_S = 5.0
_LONGEST_SOCKET_PATH = 100

_CLOCK_S = 3.0
# How the names of Slipway's own Envoys begin, each of which is used once.
OWN = "slipway-"

# What Envoy says about each kind of discovery begins with:
_SUBSCRIPTION = {
    LISTENERS: "listener_manager.lds.",
    CLUSTERS: "cluster_manager.cds.",
    ROUTES: "http.slipway.rds.slipway.",
}
_REFUSALS = ("update_rejected", "update_failure")


class Subscription:
    """Configuration of one kind as Envoy has it. `version` is None while nothing subscribed to it."""

    def __init__(self, kind: str, lines: str) -> None:
        prefix = _SUBSCRIPTION[kind]
        found = dict(
            line.removeprefix(prefix).split(": ", 1) for line in lines.splitlines() if line.startswith(prefix)
        )
        version = found.get("version_text")
        self.version = version.strip('"') if version is not None else None
        self.refused = sum(int(found.get(name, 0)) for name in _REFUSALS)


class EnvoyAdmin:
    """`address`: path of a Unix socket, or `host:port`. Every call raises `Unreachable`."""

    def __init__(self, address: Path | str) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None
        self._folder: int | None = None
        self._started = (0.0, "")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    async def get(self, path: str, missing: str | None = None) -> str:
        """The text of a page; `missing`, where it is given, for one that is not there."""
        session = self._opened()
        host = self._address if isinstance(self._address, str) else "admin"
        try:
            async with session.get(f"http://{host}{path}") as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            raise Unreachable(
                f"Envoy's admin interface at {self._address} does not answer: {problem}"
            ) from None
        if answer.status == 404 and missing is not None:
            return missing
        if answer.status != 200:
            raise Unreachable(f"Envoy's admin interface answered {answer.status} for {path}: {text.strip()}")
        return text

    async def subscription(self, kind: str) -> Subscription:
        pattern = f"^{_SUBSCRIPTION[kind]}({'|'.join(('version_text', *_REFUSALS))})$".replace(".", r"\.")
        return Subscription(kind, await self.get(f"/stats?filter={quote(pattern)}"))

    async def ready(self) -> bool:
        """Whether it takes requests; it does so also while it has no routes."""
        return (await self.get("/ready")).strip() == "LIVE"

    async def epoch(self) -> str:
        """Changes whenever Envoy starts, with its counters at zero."""
        info = json.loads(await self.get("/server_info"))
        name = str(info.get("node", {}).get("id", ""))
        if name.startswith(OWN):
            return name
        # Another's Envoy has the same name after a restart. Its uptime has whole seconds, its start is exact.
        started = time.time() - float(info["uptime_current_epoch"].removesuffix("s"))
        if abs(started - self._started[0]) > _CLOCK_S:
            dump = json.loads(await self.get("/config_dump?mask=last_updated"))
            begun = next(
                c["last_updated"] for c in dump["configs"] if c["@type"].endswith(".BootstrapConfigDump")
            )
            self._started = started, str(begun)
        return self._started[1]

    async def dump(self, resource: str) -> list[Json]:
        """`dynamic_listeners` or `dynamic_route_configs` as they run; empty when there are none."""
        found: Json = json.loads(await self.get(f"/config_dump?resource={resource}", missing="{}"))
        return list(found.get("configs", ()))

    async def listeners(self) -> list[Json]:
        """Name and address of each listener that accepts connections."""
        found: Json = json.loads(await self.get("/listeners?format=json"))
        return list(found.get("listener_statuses", ()))

    async def counts(self, prefix: str) -> Json:
        pattern = quote(rf"^({prefix}\.|cluster\..*\.upstream_rq_active$)")
        found: Json = json.loads(
            await self.get(f"/stats?format=json&histogram_buckets=cumulative&filter={pattern}")
        )
        return found

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = (
                aiohttp.UnixConnector(str(self._socket(self._address)))
                if isinstance(self._address, Path)
                else aiohttp.TCPConnector()
            )
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(_ANSWER_S), trust_env=False
            )
        return self._session

    def _socket(self, path: Path) -> Path:
        """The path, or a short one to the same socket: addresses of sockets are limited to 108 bytes."""
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        return Path(f"/proc/self/fd/{self._folder}") / path.name
