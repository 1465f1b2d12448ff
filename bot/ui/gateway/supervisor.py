"""Keeps a client connected: makes a new one when it died or went deaf, and stops where Discord will not have us."""

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

from bot.domain.errors import UserError
from bot.ui.gateway.client import GatewayConnection, SlipwayBot
from bot.ui.gateway.identify_budget import IdentifyBudget, SlowDown

_log = structlog.get_logger(__name__)

# After so long without a session (RESUMEs included) a fresh client is more likely to get one.
DEAF_S = 10.0
# A heartbeat unanswered for so long means that the connection is dead, whatever else still arrives on it.
UNACKED_S = 8.0
# discord.py notes the time of sending after it sent, in another thread: a quick answer can seem older than that.
_RACE_S = 0.25
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 60.0
_LOOK_EVERY_S = 0.5

_CLOSED_FOR_GOOD = {
    4004: "Discord refuses the bot's token. Copy a fresh one from the Developer Portal (Bot → Reset Token).",
    4010: "Discord refuses the shard that the bot asked for.",
    4011: "Discord wants this bot to be sharded: it is in too many servers for one connection.",
    4012: "Discord no longer speaks this version of its gateway; update Slipway.",
    4013: "Discord does not know the intents that the bot asked for; update Slipway.",
    4014: "The bot asked for an intent that is switched off in the Developer Portal (Bot → Privileged Intents).",
}


class TokenRefused(UserError):
    """Discord will not have this bot; trying again only burns the budget. One sentence says why."""


async def run_supervised(
    make_client: Callable[[], SlipwayBot],
    token: str,
    connection: GatewayConnection,
    budget: IdentifyBudget,
    *,
    deaf_s: float = DEAF_S,
) -> None:
    """Runs until cancelled. Raises `TokenRefused` when Discord refuses for good."""
    backoff_s = _FIRST_BACKOFF_S
    while True:
        wait_s = await budget.wait_s()
        if wait_s > 0:
            connection.hold(None, f"waiting {wait_s:.0f} s: too many connections in a short time")
            _log.warning("identify_breaker", seconds=wait_s)
            await asyncio.sleep(wait_s)
        client = make_client()
        connection.hold(client)
        began = time.monotonic()
        try:
            await _one_life(client, token, deaf_s)
            trouble = "the connection ended"
        except SlowDown as slow:
            trouble = str(slow)
        except Exception as error:
            _raise_if_refused(error)
            trouble = f"{type(error).__name__}: {error}"[:200]
            _log.warning("client_died", error=trouble, exc_info=_unforeseen(error))
        finally:
            connection.hold(None, "reconnecting")
            await _bury(client)
        connection.hold(None, trouble)
        if time.monotonic() - began > 60.0:
            backoff_s = _FIRST_BACKOFF_S
        await asyncio.sleep(backoff_s * random.uniform(0.8, 1.2))
        backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)


async def _one_life(client: SlipwayBot, token: str, deaf_s: float) -> None:
    """Runs one client until it dies, or until it has been deaf for too long."""
    running = asyncio.ensure_future(client.start(token))
    watching = asyncio.ensure_future(_watch(client, deaf_s))
    try:
        done, _ = await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        for task in (running, watching):
            task.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)


async def _watch(client: SlipwayBot, deaf_s: float) -> None:
    """Returns when the client should be given up. Heartbeats that nobody answers end its connection before that."""
    acked, since = 0.0, time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        now = asyncio.get_running_loop().time()
        if client.offline_since is not None and now - client.offline_since > deaf_s:
            _log.warning("gateway_deaf", seconds=round(now - client.offline_since, 1))
            return
        beat = getattr(client.ws, "_keep_alive", None)
        if beat is None or beat._last_ack >= beat._last_send - _RACE_S or beat._last_ack != acked:
            acked, since = (beat._last_ack if beat is not None else 0.0), time.monotonic()
        elif time.monotonic() - since > UNACKED_S:
            _log.warning("heartbeats_unanswered")
            since = time.monotonic()
            with contextlib.suppress(Exception):
                await client.ws.close(code=4000)


async def _bury(client: SlipwayBot) -> None:
    """Close it, whatever state it is in, without waiting long."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(3.0):
            await client.close()
    # A connection that was given up before it was complete is nobody's, and its heart beats on.
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


def _unforeseen(error: Exception) -> bool:
    """Whether the log should show where it came from."""
    expected = (
        OSError,
        aiohttp.ClientError,
        discord.HTTPException,
        discord.ConnectionClosed,
        discord.GatewayNotFound,
    )
    return not isinstance(error, expected)
