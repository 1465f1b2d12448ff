"""Answers that are lists: status, history, dry run, health."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import discord

from bot.domain import phrasebook
from bot.domain.formatting import counted, duration
from bot.domain.rollout.machine.verdicts import warned
from bot.domain.rollout.model import Lane, Phase, Running
from bot.domain.rollout.wording import Wording, wording_for
from bot.engine.api import DryRun, LaneStatus, RolloutSummary
from bot.engine.requests.calibration import Tried
from bot.ui import escaping
from bot.ui.buttons import IdButton
from bot.ui.cards.card import changes_line
from bot.ui.cards.phases import SHAPE, shape, word
from bot.ui.cards.prompts import readiness_line, short_soaks_line
from bot.ui.errors import Reply, Upload

PAGE = 8
_LANES_AT_MOST = 20
CHECKS = {True: "✅", False: "❌", None: "➖"}


def layout(
    parts: Sequence[str],
    *,
    buttons: Sequence[discord.ui.Button[Any]] = (),
    rows: Sequence[discord.ui.Select[Any]] = (),
    upload: Upload | None = None,
    picture: Upload | None = None,
    alt: str = "",
    more: str = "name a service to see them",
) -> Reply:
    """Paragraphs in one box, cut to the limits of a message. `more` says how to see what was left out.

    upload: a file to be opened. picture: a picture below the paragraphs, described by `alt`.
    """
    view = discord.ui.LayoutView(timeout=None)
    box: discord.ui.Container[Any] = discord.ui.Container()
    used, left_out = 0, 0
    for part in parts:
        piece = escaping.cut(part, 1200)
        if used + escaping.units(piece) > escaping.CARD - 300 or len(box.children) > 26:
            left_out += 1
            continue
        used += escaping.units(piece)
        box.add_item(discord.ui.TextDisplay(piece))
    if left_out:
        box.add_item(discord.ui.TextDisplay(f"-# {phrasebook.more(left_out)}; {more}"))
    if upload is not None:
        box.add_item(discord.ui.File(f"attachment://{upload.name}"))
    if picture is not None:
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery()
        gallery.add_item(media=f"attachment://{picture.name}", description=escaping.name(alt, 200))
        box.add_item(gallery)
    for select in rows:
        box.add_item(discord.ui.ActionRow(select))
    if buttons:
        box.add_item(discord.ui.ActionRow(*buttons))
    view.add_item(box)
    return Reply(view=view, upload=upload or picture)


def status(lanes: Sequence[LaneStatus], now: datetime) -> Reply:
    """One paragraph per lane, grouped by service."""
    if not lanes:
        return Reply("Nothing to show: no service of the catalog belongs to this server.")
    parts = ["## What runs where"]
    service = ""
    for lane in lanes[:_LANES_AT_MOST]:
        heading = "" if lane.lane.service == service else f"### {escaping.plain(lane.lane.service, 60)}\n"
        service = lane.lane.service
        parts.append(heading + _lane(lane, now))
    if len(lanes) > _LANES_AT_MOST:
        parts.append(f"-# {phrasebook.more(len(lanes) - _LANES_AT_MOST)}; name a service to see them")
    return layout(parts)


def _lane(lane: LaneStatus, now: datetime) -> str:
    good = " · known good" if lane.known_good else ""
    runs = escaping.code(lane.desired_version, 40) if lane.desired_version else "nothing yet"
    lines = [f"**{escaping.plain(lane.lane.environment, 40)}** {runs}{good}"]
    if lane.active is not None:
        rollout = lane.active
        share = wording_for(rollout.policy.words).share.format(weight=rollout.observed_weight)
        lines.append(
            f"{shape(rollout)} {escaping.code(rollout.candidate.version, 40)}: {word(rollout)} "
            f"({share}), since {escaping.relative(rollout.created_at)}"
        )
        lines += [f"⚠️ {escaping.sentence(said, 200)}" for said in warned(rollout)]
    say = wording_for(lane.words)
    if lane.observed is not None and lane.observed.running:
        lines.append("-# observed: " + ", ".join(_running(r, say) for r in lane.observed.running[:5]))
    if lane.problem:
        lines.append(f"⚠️ {escaping.sentence(lane.problem, 200)}")
    if lane.drift:
        lines.append(f"⚠️ drift: {escaping.sentence(lane.drift, 200)}")
    if lane.lock is not None:
        until = f" until {escaping.relative(lane.lock.expires)}" if lane.lock.expires else ""
        reason = escaping.sentence(lane.lock.reason, 160)
        lines.append(f"🔒 locked by {escaping.plain(lane.lock.owner, 40)}{until}: {reason}")
    return "\n".join(lines)


def _running(running: Running, say: Wording) -> str:
    restarts = f", {counted(running.restarts, 'restart')}" if running.restarts else ""
    version = escaping.plain(running.version, 40)
    return say.observed.format(version=version, state=running.state, weight=running.weight) + restarts


def history(
    found: Sequence[RolloutSummary],
    service: str | None,
    environment: str | None,
    *,
    first: bool,
    page: int = PAGE,
) -> Reply:
    """One page, newest first. `found` has one more than a page when there are older ones."""
    if not found:
        return Reply(phrasebook.NOTHING_OLDER if not first else "Nothing has been rolled out here yet.")
    parts = ["## Rollouts", *[_summary(one) for one in found[:page]]]
    buttons = []
    if len(found) > page:
        older = PageButton.older(found[page - 1].id, service, environment)
        buttons = [older] if older is not None else []
    return layout(parts, buttons=buttons)


def _summary(one: RolloutSummary) -> str:
    phase = Phase(one.phase)
    took = f", took {duration((one.ended_at - one.created_at).total_seconds())}" if one.ended_at else ""
    before = escaping.code(one.from_version, 40) if one.from_version else "nothing"
    lines = [
        f"{SHAPE[phase]} **{escaping.plain(one.lane.service, 60)} → {escaping.plain(one.lane.environment, 40)}** "
        f"{before} → {escaping.code(one.to_version, 40)} · {one.phase.replace('_', ' ')}",
        f"-# #{one.id} · {escaping.moment(one.created_at)}{took} · by {escaping.plain(one.requester, 40)}",
    ]
    if one.reason:
        lines.append(f"-# “{escaping.plain(one.reason, 120)}”")
    if one.outcome and phase is not Phase.SUCCEEDED:
        lines.append(escaping.sentence(one.outcome, 240))
    return "\n".join(lines)


def dry_run(plan: DryRun) -> Reply:
    """What a deploy would do and what blocks it. Nothing was started."""
    before = escaping.code(plan.stable.version, 40) if plan.stable else "nothing"
    blocked = [f for f in plan.findings if not f.ok]
    verdict = (
        f"✋ **Blocked:** {counted(len(blocked), 'check')} failed."
        if blocked
        else "✅ **Ready to deploy:** every check passed."
    )
    title = f"{escaping.plain(plan.lane.service, 60)} {escaping.plain(plan.candidate.version, 40)}"
    steps = "\n".join(f"{n}. {escaping.sentence(step, 200)}" for n, step in enumerate(plan.steps, 1))
    findings = sorted(plan.findings, key=lambda f: f.ok)
    looked_at = "\n".join(
        f"{CHECKS[f.ok]} **{escaping.plain(f.what, 40)}** {escaping.sentence(f.sentence, 240)}"
        for f in findings
    )
    head = [
        f"## Dry run: {title} → {escaping.plain(plan.lane.environment, 40)}",
        f"{before} → {escaping.code(plan.candidate.version, 40)} · nothing was started",
        *changes_line(plan.changes),
        verdict,
    ]
    return layout(
        [
            "\n".join(head),
            looked_at or "-# No checks apply.",
            f"**The plan**\n{steps}",
            readiness_line(plan.readiness, plan.words),
            *_judge_line(plan),
            *([short_soaks_line(plan.short_soaks, plan.lane)] if plan.short_soaks else []),
        ],
        buttons=[button] if plan.backtest and (button := BacktestButton.of(plan.lane)) else (),
    )


def _judge_line(plan: DryRun) -> list[str]:
    """What a backtest found, or why there is none."""
    if plan.backtest is not None:
        return [f"**The judge** {escaping.sentence(plan.backtest.sentence(), 600)}"]
    if plan.not_replayed:
        said = phrasebook.not_replayed(str(plan.lane), plan.not_replayed)
        return [f"**The judge** {escaping.sentence(said, 300)}"]
    return []


def backtest(lane: Lane, found: Tried) -> Reply:
    """How the judge does on the lane's own traffic, and which soaks would fit it."""
    if found.backtest is None:
        return Reply(f"✋ {phrasebook.not_replayed(str(lane), found.not_replayed)}")
    alarms = found.backtest.too_many
    head = "❌ **This policy rolls back good releases here.**" if alarms else "✅ **No trouble found.**"
    service, environment = escaping.plain(lane.service, 60), escaping.plain(lane.environment, 40)
    title = f"## Backtest: {service} → {environment}"
    parts = [f"{title}\n{head}", escaping.sentence(found.backtest.sentence(), 600)]
    if found.short_soaks is not None:
        parts.append(short_soaks_line(found.short_soaks, lane))
    if found.suggestion:
        lines = "\n".join(found.suggestion)
        parts.append(f"**Soaks for this traffic**\n```\n{escaping.cut(lines, 800)}\n```")
    return layout(parts)


_BACKTEST = re.compile(r"slipway-backtest:(?P<service>[^:]{1,50}):(?P<environment>[^:]{1,30})")


class BacktestButton(IdButton):
    """Replays the judge on a lane's history. `/deploy` listens for it."""

    def __init__(self, custom_id: str) -> None:
        super().__init__(label="Backtest", style=discord.ButtonStyle.secondary, custom_id=custom_id)

    @classmethod
    def of(cls, lane: Lane) -> BacktestButton | None:
        """None when the names do not fit into an id."""
        custom_id = f"slipway-backtest:{lane.service}:{lane.environment}"
        return cls(custom_id) if lane_of(custom_id) == lane else None


def lane_of(custom_id: str) -> Lane | None:
    """The lane of a button for a backtest; None for other ids."""
    match = _BACKTEST.fullmatch(custom_id)
    return Lane(match["service"], match["environment"]) if match else None


_TEMPLATE = re.compile(
    r"slipway-older:(?P<before>[0-9]{1,19}):(?P<service>[^:]{0,60}):(?P<environment>[^:]{0,40})"
)


class PageButton(IdButton):
    """Shows what is older than rollout `before`, as a new answer. `/history` listens for it."""

    def __init__(self, custom_id: str) -> None:
        super().__init__(label="Older", style=discord.ButtonStyle.secondary, custom_id=custom_id)

    @classmethod
    def older(cls, before: int, service: str | None, environment: str | None) -> PageButton | None:
        """None when the names do not fit into an id; then there is no paging."""
        custom_id = f"slipway-older:{before}:{service or ''}:{environment or ''}"
        fits = len(custom_id) <= 100 and _TEMPLATE.fullmatch(custom_id) is not None
        return cls(custom_id) if fits else None


def page_of(custom_id: str) -> tuple[int, str | None, str | None] | None:
    """`(before, service, environment)` of a page button; None for other ids."""
    match = _TEMPLATE.fullmatch(custom_id)
    if match is None:
        return None
    return int(match["before"]), match["service"] or None, match["environment"] or None
