"""Supervisor: replaces a client that failed or lost its connection; stops when Discord refuses the bot."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable

import aiohttp
import discord
import structlog
from discord.gateway import KeepAliveHandler

from bot.domain import phrasebook
from bot.domain.errors import UserError
from bot.ui.gateway.client import GatewayConnection, SlipwayBot
from bot.ui.gateway.identify_budget import IdentifyBudget, SlowDown

_log = structlog.get_logger(__name__)

# After this long without a session (RESUMEs included), a new client is more likely to get one.
OFFLINE_S = 10.0
# A heartbeat unanswered for this long means a dead connection, even if other data still arrives.
UNACKED_S = 8.0
# discord.py records the send time after sending, in another thread: a quick answer can seem to come first.
_RACE_S = 0.25
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 60.0
_LOOK_EVERY_S = 0.5

_CLOSED_FOR_GOOD = {
    4004: phrasebook.LOGIN_REJECTED,
    4010: phrasebook.SHARD_REJECTED,
    4011: phrasebook.SHARDING_REQUIRED,
    4012: phrasebook.GATEWAY_TOO_OLD,
    4013: phrasebook.INTENTS_UNKNOWN,
    4014: phrasebook.INTENT_IS_OFF,
}


class TokenRefused(UserError):
    """Discord refuses the bot for good; retrying would only use up the IDENTIFY budget."""


async def run_supervised(
    make_client: Callable[[], SlipwayBot],
    token: str,
    connection: GatewayConnection,
    budget: IdentifyBudget,
    *,
    offline_s: float = OFFLINE_S,
) -> None:
    """Run until cancelled. Raises `TokenRefused` when Discord refuses for good."""
    backoff_s = _FIRST_BACKOFF_S
    while True:
        wait_s = await budget.wait_s()
        if wait_s > 0:
            connection.hold(None, f"too many connections to Discord; waiting {wait_s:.0f} s")
            _log.warning("identify_delayed", seconds=wait_s)
            await asyncio.sleep(wait_s)
        client = make_client()
        connection.hold(client)
        began = time.monotonic()
        try:
            await _run_client(client, token, offline_s)
            trouble = "the connection ended"
        except SlowDown as slow:
            trouble = str(slow)
        except Exception as error:
            _raise_if_refused(error)
            trouble = f"{type(error).__name__}: {error}"[:200]
            _log.warning("client_failed", error=trouble, exc_info=_unexpected(error))
        finally:
            connection.hold(None, "reconnecting")
            await _close(client)
        connection.hold(None, trouble)
        if time.monotonic() - began > 60.0:
            backoff_s = _FIRST_BACKOFF_S
        await asyncio.sleep(backoff_s * random.uniform(0.8, 1.2))
        backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)


async def _run_client(client: SlipwayBot, token: str, offline_s: float) -> None:
    """Run one client until it fails or has been offline too long."""
    running = asyncio.ensure_future(client.start(token))
    watching = asyncio.ensure_future(_watch(client, offline_s))
    try:
        done, _ = await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        for task in (running, watching):
            task.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)


async def _watch(client: SlipwayBot, offline_s: float) -> None:
    """Return when the client should be replaced. Unanswered heartbeats close its connection earlier."""
    acked, since = 0.0, time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        now = asyncio.get_running_loop().time()
        if client.offline_since is not None and now - client.offline_since > offline_s:
            _log.warning("gateway_offline", seconds=round(now - client.offline_since, 1))
            return
        beat = getattr(client.ws, "_keep_alive", None)
        if beat is None or beat._last_ack >= beat._last_send - _RACE_S or beat._last_ack != acked:
            acked, since = (beat._last_ack if beat is not None else 0.0), time.monotonic()
        elif time.monotonic() - since > UNACKED_S:
            _log.warning("heartbeats_unanswered")
            since = time.monotonic()
            with contextlib.suppress(Exception):
                await client.ws.close(code=4000)


async def _close(client: SlipwayBot) -> None:
    """Close the client in whatever state it is, within a few seconds."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(3.0):
            await client.close()
    # A connection abandoned before it was complete has no owner: its heartbeat thread would run on.
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler) and thread.ws._connection is client._connection:
            thread.stop()


def _raise_if_refused(error: Exception) -> None:
    if isinstance(error, discord.LoginFailure):
        raise TokenRefused(_CLOSED_FOR_GOOD[4004], rule="token_refused") from None
    if isinstance(error, discord.PrivilegedIntentsRequired):
        raise TokenRefused(_CLOSED_FOR_GOOD[4014], rule="gateway_4014") from None
    if isinstance(error, discord.ConnectionClosed) and error.code in _CLOSED_FOR_GOOD:
        raise TokenRefused(_CLOSED_FOR_GOOD[error.code], rule=f"gateway_{error.code}") from None


def _unexpected(error: Exception) -> bool:
    """Whether the log needs a traceback."""
    expected = (
        OSError,
        aiohttp.ClientError,
        discord.HTTPException,
        discord.ConnectionClosed,
        discord.GatewayNotFound,
    )
    return not isinstance(error, expected)
