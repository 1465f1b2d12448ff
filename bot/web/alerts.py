"""Inbound alerts: deliveries of other programs at `/alerts/NAME`, bounded in size, in number and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from bot.web.errors import ApiError

PATH = "/alerts/{source}"
LARGEST = 1024 * 1024
# What all deliveries that are being taken may occupy together.
_AT_ONCE = 8 * LARGEST
_READ_WITHIN_S = 10.0
_AGAIN = {"Retry-After": "5"}


class Deliveries(Protocol):
    """Takes deliveries. Answers are a status and a sentence; 503 asks the sender to repeat it."""

    def refused(self, source: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """By what the headers (names in lower case) show alone, before the body is read."""
        ...

    async def take(self, source: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]: ...


def add_alerts(app: web.Application, deliveries: Deliveries) -> None:
    """Serve `/alerts/NAME`."""
    app.router.add_post(PATH, _Intake(deliveries).post)


class _Intake:
    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._held = 0

    async def post(self, request: web.Request) -> web.Response:
        source = request.match_info["source"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if (refused := self._deliveries.refused(source, headers)) is not None:
            raise _refusal(*refused)
        body = bytearray()
        try:
            await self._read(request, body)
            status, sentence = await self._deliveries.take(source, headers, bytes(body))
        finally:
            self._held -= len(body)
        if status >= 400:
            raise _refusal(status, sentence)
        return web.json_response({"message": sentence}, status=status)

    async def _read(self, request: web.Request, body: bytearray) -> None:
        """Read the request into `body`, which is counted as held. Raises `ApiError`."""
        if (request.content_length or 0) > LARGEST:
            raise ApiError(413, "The request is larger than 1 MiB.")
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                async for part in request.content.iter_any():
                    body += part
                    self._held += len(part)
                    if len(body) > LARGEST:
                        raise ApiError(413, "The request is larger than 1 MiB.")
                    if self._held > _AT_ONCE:
                        raise _refusal(503, "Too many alerts at once: repeat this later.")
        except TimeoutError:
            raise ApiError(408, f"The request did not arrive within {_READ_WITHIN_S:g} s.") from None


def _refusal(status: int, sentence: str) -> ApiError:
    challenge = {"WWW-Authenticate": 'Bearer realm="slipway", Basic realm="slipway"'}
    return ApiError(status, sentence, headers={401: challenge, 503: _AGAIN}.get(status, {}))
