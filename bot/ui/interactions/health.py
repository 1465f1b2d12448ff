"""The answer of `/health`: what is wrong first, then each lane with its figures, then Slipway itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.formatting import counted, duration, percent
from bot.domain.phrasebook.latencies import latency_about
from bot.domain.watch.checks import as_share
from bot.domain.watch.health import Availability, LaneHealth, Latency, ServerHealth
from bot.domain.watch.rules import DAY_S, WEEK_S
from bot.ui import escaping
from bot.ui.alerts.card import headline, symbol
from bot.ui.cards.phases import SHAPE
from bot.ui.errors import Reply, Upload
from bot.ui.interactions.health_buttons import HealthButton, LaneSelect, Wanted
from bot.ui.interactions.lists import CHECKS, layout
from bot.ui.interactions.responder import HealthLine

PAGE = 8
PICTURE = "health.png"
_ALERTS = 5
# What of a day or a week must be measured for its share to stand alone.
_COVERED = 0.9


def shown(found: ServerHealth | None, page: int) -> Sequence[LaneHealth]:
    """The lanes of a page."""
    return found.lanes[page * PAGE : (page + 1) * PAGE] if found is not None else ()


def answer(
    checks: Sequence[HealthLine],
    found: ServerHealth | None,
    page: int = 0,
    picture: bytes | None = None,
) -> Reply:
    """`found` is None where it could not be read. picture: the errors of the page's lanes as a PNG."""
    alerts, lanes = (found.alerts if found is not None else ()), shown(found, page)
    down = [check for check in checks if check.ok is False]
    parts = [f"## Health\n{_head(down, found)}", *(map(slipway_line, down))]
    if alerts:
        lines = [headline(alert) for alert in alerts[:_ALERTS]]
        if len(alerts) > _ALERTS:
            lines.append(f"-# and {len(alerts) - _ALERTS} more: `/alerts` lists them")
        parts.append("\n".join(lines))
    if found is None:
        parts.append("⚠️ The lanes could not be read: no answer from the database.")
    parts += [_lane(each) for each in lanes]
    rest = [slipway_line(check) for check in checks if check.ok is not False]
    if rest and page == 0:
        parts.append("**Slipway itself**\n" + "\n".join(rest))
    return layout(
        parts,
        buttons=list(_buttons(page, len(found.lanes) if found is not None else 0)),
        rows=[LaneSelect(lanes)] if LaneSelect.of(lanes) else (),
        picture=Upload(PICTURE, picture) if picture is not None else None,
        alt="Share of failed requests of each lane over the last hours, with its limit.",
    )


def slipway_line(check: HealthLine) -> str:
    return f"{CHECKS[check.ok]} **{escaping.plain(check.name, 60)}** {escaping.sentence(check.detail, 200)}"


def mark(health: LaneHealth) -> str:
    """How the lane is doing, as a symbol."""
    if health.alerts:
        return symbol(health.alerts[0])
    if not health.well:
        return "⚠️"
    return "✅" if health.known else "➖"


def runs(health: LaneHealth) -> str:
    """What serves, and what keeps the lane from the usual."""
    version = escaping.code(health.serving.version, 40) if health.serving else "nothing runs"
    active = health.active
    going_on = f" · {SHAPE[active.phase]} rollout {active.id}" if active is not None else ""
    return f"{version}{going_on}{' 🔒' if health.lock else ''}{' ⚠️ drift' if health.drift else ''}"


def place(health: LaneHealth) -> str:
    return f"{escaping.plain(health.lane.service, 60)} → {escaping.plain(health.lane.environment, 40)}"


def errors(health: LaneHealth) -> str:
    """Against the limit; empty without requests that were counted."""
    if health.errors is None:
        return ""
    limit = f" (limit {percent(health.limit)})" if health.limit is not None else ""
    return f"errors {percent(health.errors)}{limit}"


def slowness(found: Latency | None) -> str:
    """`p95 about 250–500 ms (limit 800 ms)`, or `p95 below 800 ms` where only slow requests are counted.

    Empty for None.
    """
    if found is None:
        return ""
    if found.lies is not None:
        about = latency_about(found.lies.quantile, found.lies.above_s, found.lies.upto_s, found.limit_s)
        return f"{about}: {percent(found.slow)} slower" if found.over else about
    said = f"p{(1 - found.allowed) * 100:.6g}"
    if found.over:
        return f"{said} above {duration(found.limit_s)}: {percent(found.slow)} slower"
    return f"{said} below {duration(found.limit_s)}"


def availability(name: str, found: Availability | None, span_s: float) -> str:
    """`24 h 99.98%`, never rounded up, and how much was measured where that is not nearly all; empty for None."""
    if found is None:
        return ""
    whole = found.measured_s >= _COVERED * span_s
    return f"{name} {as_share(found.share)}{'' if whole else f' ({long(found.measured_s)} measured)'}"


def long(seconds: float) -> str:
    """`22 h 5 min`, and from two days on `6.9 days`."""
    return f"{seconds / DAY_S:.1f} days" if seconds >= 2 * DAY_S else duration(seconds)


def budget(health: LaneHealth) -> str:
    if health.budget is None:
        return ""
    return "budget spent" if health.budget == 0 else f"budget {percent(health.budget)}"


def _buttons(page: int, lanes: int) -> Sequence[discord.ui.Button[Any]]:
    found = [HealthButton("Refresh", Wanted(page))]
    if page > 0:
        found.append(HealthButton("Back", Wanted(page - 1)))
    if (page + 1) * PAGE < lanes:
        found.append(HealthButton("More lanes", Wanted(page + 1)))
    return found


def _head(down: Sequence[HealthLine], found: ServerHealth | None) -> str:
    """All is well only where all is known to be."""
    lanes = found.lanes if found is not None else ()
    wrong = []
    if found is not None and found.alerts:
        wrong.append(f"{counted(len(found.alerts), 'alert')} open")
    unalerted = [lane for lane in lanes if not lane.well and not lane.alerts]
    if failing := sum(lane.failing for lane in unalerted):
        wrong.append(f"{counted(failing, 'lane')} above the limit on errors")
    if other := len(unalerted) - failing:
        wrong.append(f"{counted(other, 'lane')} with slow requests or failing checks")
    if down:
        wrong.append(f"{counted(len(down), 'part')} of Slipway down")
    if wrong:
        return f"❌ **{', '.join(wrong)}.**"
    if found is None:
        return "⚠️ **What is deployed could not be read.**"
    if unknown := sum(not lane.known and (lane.limit is not None or bool(lane.checks)) for lane in lanes):
        return f"✅ **Nothing is wrong**, but nothing was measured of {counted(unknown, 'lane')} lately."
    return "✅ **All is well.**"


def _lane(health: LaneHealth) -> str:
    figures = (
        errors(health),
        slowness(health.latency),
        availability("24 h", health.day, DAY_S),
        availability("7 d", health.week, WEEK_S),
        "by its checks" if health.by_checks else "",
        budget(health),
        _checks(health),
    )
    said = " · ".join(filter(None, figures)) or "no requests were counted"
    return f"{mark(health)} **{place(health)}** {runs(health)}\n-# {said}"


def _checks(health: LaneHealth) -> str:
    """How the last answers of its checks were, in a few words."""
    failing = [check for check in health.checks if not check.well]
    if len(failing) == 1:
        return f"check {escaping.code(failing[0].name, 40)} is not well"
    if failing:
        return f"{len(failing)} of {counted(len(health.checks), 'check')} are not well"
    answered = sum(check.last is not None for check in health.checks)
    partly = next((check.places for check in health.checks if check.places), "")
    passed = f"{counted(answered, 'check')} passed" if answered else ""
    return ", ".join(filter(None, (passed, escaping.sentence(partly, 200))))
