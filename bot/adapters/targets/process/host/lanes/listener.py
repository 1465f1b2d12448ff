"""Listening socket and router of a lane, opened again when the settings change."""

from __future__ import annotations

from collections.abc import Callable

from bot.adapters.routers.weighted import Split, WeightedRouter
from bot.adapters.targets.process.host.sockets import Sockets
from bot.adapters.targets.process.settings import ProcessLaneSettings


class Listener:
    """Listener of a lane. `port`: the last one used; a lane that asked for any port keeps it."""

    def __init__(self, name: str, sockets: Sockets, suspect: Callable[[str], None]) -> None:
        self.port: int | None = None
        self._name = name
        self._sockets = sockets
        self._suspect = suspect
        self._router: WeightedRouter | None = None
        self._address = ("", 0)
        self._split = Split()

    @property
    def open(self) -> bool:
        return self._router is not None

    @property
    def unrouted(self) -> int:
        """Number of requests that found no release in time."""
        return self._router.unrouted if self._router else 0

    def route(self, split: Split) -> None:
        self._split = split
        if self._router is not None:
            self._router.route(split)

    async def serve(self, settings: ProcessLaneSettings) -> None:
        """Listen according to `settings`, or not at all. Raises OSError when the address is taken.

        While the address stays the same, requests in flight continue.
        """
        wanted = settings.listen_port or self.port or 0
        if self._router is not None and self._address == (settings.listen_host, wanted):
            self._router.configure(settings.sticky_header, settings.request_timeout_s, settings.wait_s)
            return
        await self.close()
        if settings.listen_port is None:
            self._sockets.drop(self._name)
            return
        listening = self._sockets.tcp(self._name, settings.listen_host, wanted)
        self.port = listening.getsockname()[1]
        self._address = (settings.listen_host, self.port)
        self._router = WeightedRouter(suspect=self._suspect)
        self._router.configure(settings.sticky_header, settings.request_timeout_s, settings.wait_s)
        self._router.route(self._split)
        await self._router.serve(listening)

    async def close(self) -> None:
        router, self._router = self._router, None
        if router is not None:
            await router.close()
