"""WebSockets through the router: the handshake is the request that counts, then messages pass both ways."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from bot.adapters.routers.forward import Undelivered, forwarded_headers, upstream_url

_HANDSHAKE = (
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
)


class Declined(Exception):
    """The instance answered the handshake with another status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def wants_websocket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def open_upstream(
    session: aiohttp.ClientSession, address: str, request: web.BaseRequest
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket to the instance. Raises `Undelivered` as `forward` does, `Declined` for another status."""
    headers = forwarded_headers(request)
    for name in _HANDSHAKE:
        headers.popall(name, None)
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    try:
        return await session.ws_connect(
            upstream_url(address, request),
            protocols=[p.strip() for p in offered.split(",") if p.strip()],
            headers=headers,
            max_msg_size=0,
        )
    except aiohttp.ClientConnectorError:
        raise Undelivered("refused", sent=False) from None
    except aiohttp.WSServerHandshakeError as declined:
        raise Declined(declined.status) from None
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise Undelivered("reset", sent=True) from None


async def pass_messages(
    request: web.BaseRequest, upstream: aiohttp.ClientWebSocketResponse
) -> web.StreamResponse:
    """Accept the client and carry messages until either side closes."""
    protocols = (upstream.protocol,) if upstream.protocol else ()
    client = web.WebSocketResponse(protocols=protocols, max_msg_size=0)
    try:
        await client.prepare(request)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pump(client, upstream))
            both.create_task(_pump(upstream, client))
    except* OSError:
        pass
    finally:
        await upstream.close()
    return client


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
    await sink.close(code=source.close_code or 1000)
