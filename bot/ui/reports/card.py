"""The answer of `/report`: figures in plain words, the chart, services, and the noisiest alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import structlog

from bot.domain import phrasebook
from bot.domain.reports import wording
from bot.domain.reports.report import Bar, PeriodReport
from bot.ui import escaping
from bot.ui.chart.chart import ChartError
from bot.ui.errors import Reply, Upload

_log = structlog.get_logger(__name__)

PICTURE = "report.png"
_MOST_SERVICES = 12

Draw = Callable[[Sequence[Bar]], Awaitable[bytes | None]]


async def answer(report: PeriodReport, draw: Draw | None, *, public: bool = False) -> Reply:
    """The reply, with the chart if it can be drawn now. public: everyone in the channel sees it."""
    picture = None
    if draw is not None:
        try:
            picture = await draw(report.bars)
        except ChartError as error:
            _log.warning("report_not_drawn", error=str(error))
    upload = Upload(PICTURE, picture) if picture is not None else None
    return Reply(view=_view(report, picture=picture is not None), ephemeral=not public, upload=upload)


def _view(report: PeriodReport, *, picture: bool) -> discord.ui.LayoutView:
    box: discord.ui.Container[Any] = discord.ui.Container()
    box.add_item(discord.ui.TextDisplay(_headline(report)))
    figures = "\n".join(f"**{line.label}** {_said(line.text)}" for line in wording.lines(report.total))
    box.add_item(discord.ui.TextDisplay(_cut(figures)))
    if picture:
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery()
        gallery.add_item(media=f"attachment://{PICTURE}", description=_alt(report))
        box.add_item(gallery)
    for part in (_services(report), _noisy(report)):
        if part:
            box.add_item(discord.ui.TextDisplay(_cut(part)))
    box.add_item(discord.ui.TextDisplay(f"-# {phrasebook.REPORT_COUNTS}"))
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(box)
    return view


def _headline(report: PeriodReport) -> str:
    name = f": {escaping.plain(report.total.name, 60)}" if report.total.name else ""
    where = ", ".join(escaping.plain(each, 40) for each in report.total.environments[:5])
    return f"## Report{name}\n-# {' · '.join(filter(None, (wording.dates(report.period), where)))}"


def _services(report: PeriodReport) -> str:
    lines = [
        f"- {escaping.plain(each.name, 60)}: {_said(wording.short(each))}"
        for each in report.services[:_MOST_SERVICES]
    ]
    if len(report.services) > _MOST_SERVICES:
        lines.append(f"- {phrasebook.more(len(report.services) - _MOST_SERVICES)}")
    return "\n".join(["**Services**", *lines]) if lines else ""


def _noisy(report: PeriodReport) -> str:
    lines = [f"- {_said(each)}" for each in wording.noisy(report)]
    return "\n".join(["**Noisiest alerts**", *lines]) if lines else ""


def _said(text: str) -> str:
    return escaping.sentence(text, 300)


def _cut(text: str) -> str:
    return escaping.cut(text, 1200)


def _alt(report: PeriodReport) -> str:
    return f"Deployments and availability, {wording.dates(report.period)}."
