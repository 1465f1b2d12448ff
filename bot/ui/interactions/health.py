"""The answer of `/health`: what is wrong first, then each lane with its figures, then Slipway itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.domain.formatting import counted, percent
from bot.domain.rollout.model import Lane
from bot.domain.watch.health import LaneHealth, ServerHealth
from bot.engine.api import LaneStatus
from bot.ui import escaping
from bot.ui.alerts.card import headline, symbol
from bot.ui.buttons import IdButton
from bot.ui.cards.phases import shape, word
from bot.ui.errors import Reply
from bot.ui.interactions.lists import CHECKS, layout
from bot.ui.interactions.responder import HealthLine

PAGE = 12
_ALERTS = 5
_ID = re.compile(r"slipway-health:(?P<page>[0-9]{1,4})")


class HealthButton(IdButton):
    """Shows a page of health as it is now, as a new answer. `/health` listens for it."""

    def __init__(self, label: str, page: int) -> None:
        super().__init__(label=label, style=discord.ButtonStyle.secondary, custom_id=f"slipway-health:{page}")


def page_of(custom_id: str) -> int | None:
    """The page that a button of health asks for; None for other ids."""
    found = _ID.fullmatch(custom_id)
    return int(found["page"]) if found else None


def answer(
    checks: Sequence[HealthLine],
    lanes: Sequence[LaneStatus] | None,
    found: ServerHealth | None,
    page: int = 0,
) -> Reply:
    """`lanes` and `found` are None where they could not be read."""
    alerts, healths = (found.alerts, found.lanes) if found is not None else ((), ())
    parts = [f"## Health\n{_head(checks, found)}"]
    if alerts:
        shown = [headline(alert) for alert in alerts[:_ALERTS]]
        if len(alerts) > _ALERTS:
            shown.append(f"-# and {len(alerts) - _ALERTS} more: `/alerts` lists them")
        parts.append("\n".join(shown))
    by_lane: Mapping[Lane, LaneStatus] = {status.lane: status for status in lanes or ()}
    if found is None:
        parts.append("⚠️ The lanes could not be read: no answer from the database.")
    elif healths:
        first = page * PAGE
        parts.append("\n".join(_lane(each, by_lane.get(each.lane)) for each in healths[first : first + PAGE]))
    ordered = sorted(checks, key=lambda check: check.ok is not False)
    lines = [
        f"{CHECKS[check.ok]} **{escaping.plain(check.name, 60)}** {escaping.sentence(check.detail, 200)}"
        for check in ordered
    ]
    parts.append("**Slipway itself**\n" + "\n".join(lines))
    return layout(parts, buttons=list(_buttons(page, len(healths))))


def _buttons(page: int, lanes: int) -> Sequence[discord.ui.Button[Any]]:
    found = [HealthButton("Refresh", page)]
    if page > 0:
        found.append(HealthButton("Back", page - 1))
    if (page + 1) * PAGE < lanes:
        found.append(HealthButton("More lanes", page + 1))
    return found


def _head(checks: Sequence[HealthLine], found: ServerHealth | None) -> str:
    """All is well only where all is known to be."""
    bad = [check for check in checks if check.ok is False]
    lanes = found.lanes if found is not None else ()
    wrong = []
    if found is not None and found.alerts:
        wrong.append(f"{counted(len(found.alerts), 'alert')} open")
    if unalerted := [lane for lane in lanes if not lane.well and not lane.alerts]:
        wrong.append(f"{counted(len(unalerted), 'lane')} above the limit on errors")
    if bad:
        wrong.append(f"{counted(len(bad), 'part')} of Slipway down")
    if wrong:
        return f"❌ **{', '.join(wrong)}.**"
    if found is None:
        return "⚠️ **What is deployed could not be read.**"
    if unknown := sum(lane.errors is None and lane.limit is not None for lane in lanes):
        return f"✅ **Nothing is wrong**, but {counted(unknown, 'lane')} had no requests that could be counted lately."
    return "✅ **All is well.**"


def _lane(health: LaneHealth, status: LaneStatus | None) -> str:
    mark = symbol(health.alerts[0]) if health.alerts else "✅" if health.well else "⚠️"
    if health.errors is None and not health.alerts:
        mark = "➖"
    place = f"{escaping.plain(health.lane.service, 60)} → {escaping.plain(health.lane.environment, 40)}"
    return (
        f"{mark} **{place}** {_runs(status)}\n-# {' · '.join(_figures(health)) or 'no requests were counted'}"
    )


def _runs(status: LaneStatus | None) -> str:
    if status is None:
        return ""
    runs = escaping.code(status.desired_version, 40) if status.desired_version else "nothing"
    going_on = f" · {shape(status.active)} {word(status.active)}" if status.active else ""
    locked = " 🔒" if status.lock else ""
    trouble = " ⚠️" if status.problem or status.drift else ""
    return f"{runs}{going_on}{locked}{trouble}"


def _figures(health: LaneHealth) -> Sequence[str]:
    found = []
    if health.errors is not None:
        limit = f" (limit {percent(health.limit)})" if health.limit is not None else ""
        found.append(f"errors {percent(health.errors)}{limit}")
    for share, name in ((health.day, "24 h"), (health.week, "7 d")):
        if share is not None:
            found.append(f"{name} {_availability(share)}")
    if health.budget is not None:
        found.append("budget spent" if health.budget == 0 else f"budget {percent(health.budget)}")
    return found


def _availability(share: float) -> str:
    """Never rounded up to 100%: `99.98%`."""
    return f"{int(share * 10_000) / 100:g}%"
