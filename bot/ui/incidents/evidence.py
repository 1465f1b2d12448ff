"""Charts of an incident's alerts, as files beside its post-mortem."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.domain.watch.alerts.alert import Alert
from bot.ui.errors import Upload

_log = structlog.get_logger(__name__)

_MOST, _WITHIN_S = 3, 5.0


async def evidence(
    alerts: Sequence[Alert], draw: Callable[[Alert], Awaitable[bytes | None]] | None
) -> tuple[Upload, ...]:
    """Charts of the worst alerts, as many as can be drawn in five seconds. A document without them says enough."""
    if draw is None:
        return ()
    found: list[Upload] = []
    try:
        async with asyncio.timeout(_WITHIN_S):
            for alert in sorted(alerts, key=lambda each: each.severity.rank)[:_MOST]:
                png = await draw(alert)
                if png is not None:
                    found.append(Upload(f"alert-{alert.id}.png", png))
    except Exception as error:
        _log.warning("evidence_not_drawn", error=str(error) or type(error).__name__)
    return tuple(found)
