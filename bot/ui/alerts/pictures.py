"""Pictures of alert cards: when one is drawn again, and which one each message has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import discord
import structlog

from bot.domain.watch.alerts.alert import Alert
from bot.ui.errors import Upload
from bot.ui.rest import ClosedError, calling

_log = structlog.get_logger(__name__)

FILE = "alert.png"
EVERY_S = 30.0
# A card must not wait long for its picture; the next change draws it.
_FIRST_WITHIN_S, _WITHIN_S = 0.6, 3.0
_MOST = 500  # alerts that are remembered; the oldest are drawn again

Draw = Callable[[Alert], Awaitable[bytes | None]]


async def with_or_without(
    picture: Upload | None, send: Callable[[Upload | None], Awaitable[discord.Message]]
) -> discord.Message:
    """Send a message with its picture, or without where that is refused. Raises as `calling`."""
    try:
        return await calling(lambda: send(picture))
    except ClosedError as error:
        if picture is None:
            raise
        # Perhaps only files are forbidden; the alert matters more than its picture.
        _log.warning("alert_picture_refused", error=str(error))
        return await calling(lambda: send(None))


@dataclass(slots=True)
class _Pictured:
    """drawn_at: seconds of the loop's clock. kept: what the message of each server has."""

    drawn_at: float
    kept: dict[int, list[discord.Attachment]] = field(default_factory=dict)


class AlertPictures:
    """Draws an alert at most every `every_s` seconds, and in any case when it is over."""

    def __init__(self, draw: Draw | None = None, every_s: float = EVERY_S) -> None:
        self._draw = draw
        self._every_s = every_s
        self._known: dict[int, _Pictured] = {}

    async def due(self, alert: Alert) -> Upload | None:
        """A new picture, if one is due and can be drawn now."""
        if self._draw is None:
            return None
        now, known = asyncio.get_running_loop().time(), self._known.get(alert.id)
        if known is not None and not alert.over and now < known.drawn_at + self._every_s:
            return None
        try:
            async with asyncio.timeout(_WITHIN_S if known is not None else _FIRST_WITHIN_S):
                png = await self._draw(alert)
        except Exception as error:
            # A card without its picture still says everything.
            _log.warning("alert_not_drawn", alert=alert.id, error=str(error) or type(error).__name__)
            self._remember(alert.id, now)
            return None
        if png is None:
            return None
        self._remember(alert.id, now)
        return Upload(FILE, png)

    def posting(self, picture: Upload | None) -> dict[str, Any]:
        """What a new message is sent with."""
        return {"file": picture.file()} if picture is not None else {}

    def editing(self, alert_id: int, guild_id: int, picture: Upload | None) -> dict[str, Any]:
        """What a message is edited with: the new picture, or the one that it has."""
        if picture is not None:
            return {"attachments": [picture.file()]}
        kept = self._kept(alert_id, guild_id)
        return {"attachments": kept} if kept else {}

    def shown(
        self, embed: discord.Embed, alert_id: int, guild_id: int, picture: Upload | None
    ) -> discord.Embed:
        """The card with its picture, where the message has one."""
        if picture is not None or self._kept(alert_id, guild_id):
            embed.set_image(url=f"attachment://{FILE}")
        return embed

    def sent(self, alert: Alert, guild_id: int, message: discord.Message) -> None:
        """Remember what the message has."""
        known = self._known.get(alert.id)
        if known is not None:
            known.kept[guild_id] = [each for each in message.attachments if each.filename == FILE]
            if alert.over:
                del self._known[alert.id]

    def _kept(self, alert_id: int, guild_id: int) -> list[discord.Attachment]:
        known = self._known.get(alert_id)
        return known.kept.get(guild_id, []) if known is not None else []

    def _remember(self, alert_id: int, now: float) -> None:
        self._known.setdefault(alert_id, _Pictured(now)).drawn_at = now
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
