"""The answer of `/why`: one sentence what decided, the numbers, the chart, then what would have changed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog

from bot.domain.formatting import with_times
from bot.domain.judge.judge import Outcome
from bot.domain.judge.why import Why
from bot.domain.rollout.model import Rollout
from bot.engine.api import OpenedVerdict
from bot.ui import escaping
from bot.ui.cards.phases import shape, word
from bot.ui.chart.chart import ChartError
from bot.ui.errors import Reply, Upload

_log = structlog.get_logger(__name__)

PICTURE = "evidence.png"
_SHAPE = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INSUFFICIENT: "⏳", Outcome.ERROR: "⚠️"}
_WORD = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INSUFFICIENT: "Not enough evidence",
    Outcome.ERROR: "Measurement failed",
}

Draw = Callable[[OpenedVerdict], Awaitable[bytes | None]]


async def answer(opened: OpenedVerdict, draw: Draw | None) -> Reply:
    """The reply to the person, with the chart if it can be drawn now."""
    picture = None
    if draw is not None:
        try:
            picture = await draw(opened)
        except ChartError as error:
            _log.warning("evidence_not_drawn", rollout=opened.rollout.id, error=str(error))
    upload = Upload(PICTURE, picture) if picture is not None else None
    return Reply(view=_view(opened, picture=picture is not None), upload=upload)


def _view(opened: OpenedVerdict, *, picture: bool) -> discord.ui.LayoutView:
    rollout, why = opened.rollout, opened.why
    box: discord.ui.Container[Any] = discord.ui.Container()
    box.add_item(discord.ui.TextDisplay(_cut(f"{_headline(rollout)}\n{_decided(why)}")))
    if why.figures:
        box.add_item(discord.ui.TextDisplay(_cut("\n".join(f"- {_said(each)}" for each in why.figures))))
    if picture:
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery()
        gallery.add_item(media=f"attachment://{PICTURE}", description=_alt(rollout))
        box.add_item(gallery)
    if why.changes:
        changes = "\n".join(f"- {_said(each)}" for each in why.changes)
        box.add_item(discord.ui.TextDisplay(_cut(f"**What would have changed it**\n{changes}")))
    if why.note:
        box.add_item(discord.ui.TextDisplay(f"-# {_said(why.note)}"))
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(box)
    return view


def _headline(rollout: Rollout) -> str:
    title = f"{escaping.plain(rollout.lane.service, 60)} {escaping.plain(rollout.candidate.version, 40)}"
    place = escaping.plain(rollout.lane.environment, 40)
    return f"## Why? {title} → {place}\n-# Rollout {rollout.id} · {shape(rollout)} {word(rollout)}"


def _decided(why: Why) -> str:
    """What decided, in one sentence."""
    if why.outcome is None:
        return _said(why.sentence)
    held = "On hold" if why.hold else _WORD[why.outcome]
    at = f" at <t:{int(why.at)}:T>" if why.at is not None else ""
    return f"{_SHAPE[why.outcome]} **{held}**{at}: {_said(why.sentence)}"


def _said(text: str) -> str:
    return escaping.sentence(with_times(text, escaping.clock), 500)


def _cut(text: str) -> str:
    return escaping.cut(text, 1200)


def _alt(rollout: Rollout) -> str:
    service = escaping.name(rollout.lane.service, 60)
    return f"Odds against the new version of {service} over time, with the odds that decide."
