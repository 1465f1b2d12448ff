"""Callbacks of systems that deploy for Slipway: signed requests, read in full before anything in them counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from bot.web.errors import ApiError

PATH = "/hooks/deploys/{service}/{environment}"
_TIMESTAMP, _SIGNATURE = "Slipway-Timestamp", "Slipway-Signature"

# From service, environment, timestamp, signature and body: status and sentence of the answer.
Receive = Callable[[str, str, str, str, bytes], tuple[int, str]]


def add_hooks(app: web.Application, receive: Receive) -> None:
    """Serve callbacks. `receive` checks the signature first."""

    async def post(request: web.Request) -> web.Response:
        status, sentence = await asyncio.to_thread(
            receive,
            request.match_info["service"],
            request.match_info["environment"],
            request.headers.get(_TIMESTAMP, ""),
            request.headers.get(_SIGNATURE, ""),
            await request.read(),
        )
        if status >= 400:
            raise ApiError(status, sentence)
        return web.json_response({"message": sentence}, status=status)

    app.router.add_post(PATH, post)
