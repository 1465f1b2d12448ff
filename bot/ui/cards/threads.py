"""Thread of a card: created once, adopted if it exists, created beside the card if its own is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Rollout
from bot.ports.store import CardRef
from bot.ui import escaping
from bot.ui.rest import THREAD_EXISTS, ClosedError, GoneError, GuildChannels, RejectedError, calling

_log = structlog.get_logger(__name__)
# Reports a problem to people: guild, key (at most once an hour for each) and sentence.
Report = Callable[[GuildConfig, str, str], Awaitable[None]]

_ARCHIVE_MINUTES: Literal[1440] = 1440
_PUBLIC_THREAD: Literal[11] = 11
_REFUSED_S = 60.0


class Threads:
    """Creates threads. A server that refuses is left alone for a minute, since refusals count towards a ban."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._refused: dict[int, float] = {}

    async def make(self, channels: GuildChannels, ref: CardRef, rollout: Rollout) -> int | None:
        """The id of the thread, or None when the server refuses. Raises `Unreachable`."""
        now = asyncio.get_running_loop().time()
        if now < self._refused.get(channels.guild.id, 0.0):
            return None
        try:
            return await self._under(channels, ref, rollout)
        except (GoneError, ClosedError, RejectedError) as error:
            self._refused[channels.guild.id] = now + _REFUSED_S
            _log.warning("thread_refused", rollout=rollout.id, error=str(error))
            if isinstance(error, ClosedError):
                await self._report(channels.guild, f"thread:{channels.guild.id}", _missing(rollout))
            return None

    async def _under(self, channels: GuildChannels, ref: CardRef, rollout: Rollout) -> int:
        http = channels.client.http
        name = _name(rollout)
        try:
            made = await calling(
                lambda: http.start_thread_with_message(
                    ref.channel_id, ref.message_id, name=name, auto_archive_duration=_ARCHIVE_MINUTES
                )
            )
        except RejectedError as error:
            if error.code != THREAD_EXISTS:
                raise
            # A message's thread has the message's id. If that one is gone, create one beside the card.
            if ref.thread_id != ref.message_id:
                return ref.message_id
            made = await calling(
                lambda: http.start_thread_without_message(
                    ref.channel_id, name=name, auto_archive_duration=_ARCHIVE_MINUTES, type=_PUBLIC_THREAD
                )
            )
        return int(made["id"])


def _missing(rollout: Rollout) -> str:
    return (
        f"Rollout {rollout.id} has no log thread: the bot lacks the permission Create Public Threads. "
        "Rollouts continue without it; the audit log has every line."
    )


def _name(rollout: Rollout) -> str:
    lane = rollout.lane
    return escaping.name(
        f"{lane.service} {rollout.candidate.version} → {lane.environment} · log", escaping.THREAD_NAME
    )
