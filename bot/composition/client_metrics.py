"""Metrics of a Discord client: REST calls, connections, IDENTIFYs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from discord.ext import commands

from bot.adapters.telemetry import Telemetry, rest_trace
from bot.ports.coordination import Clock
from bot.ports.store import NoteStore
from bot.ui.gateway.identify_budget import IdentifyBudget

Client = TypeVar("Client", bound=commands.Bot)


class ClientMetrics:
    """Outlives clients: any connection after the first is a reconnection, also of a new client."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._connected_before = False

    def over(self, client: Client) -> Client:
        """Measure a client that has not started yet; returns it."""
        client.http.http_trace = rest_trace(self._telemetry)
        client.add_listener(self._connected, "on_connect")
        client.add_listener(self._connected, "on_resumed")
        return client

    async def _connected(self) -> None:
        if self._connected_before:
            self._telemetry.reconnected()
        self._connected_before = True


class CountedIdentifyBudget(IdentifyBudget):
    """An IDENTIFY budget that counts what it allows."""

    def __init__(
        self, notes: NoteStore, clock: Clock, key: str, folder: Path | None, *, telemetry: Telemetry
    ) -> None:
        super().__init__(notes, clock, key, folder)
        self._telemetry = telemetry

    async def record(self) -> None:
        await super().record()
        self._telemetry.identified()
