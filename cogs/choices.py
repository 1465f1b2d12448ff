"""Autocomplete choices: names of the catalog, and versions with where they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from discord import app_commands

from bot.domain.config import Catalog, GuildConfig
from bot.domain.formatting import duration, rough_age
from bot.domain.rollout.model import Release
from bot.engine.api import LaneStatus, RolloutSummary
from bot.ui import escaping
from bot.ui.cards.phases import word
from bot.ui.interactions.responder import Choices

MOST = 25


def given(interaction: Any, option: str) -> str:
    """The value so far of another option of the same command; empty when there is none."""
    return str(getattr(interaction.namespace, option, None) or "")


def pick(options: Iterable[tuple[str, str]], typed: str) -> Choices:
    """`(value, description)` pairs; values that start with the typed text come before those that contain it.

    Values too long to be sent back in full are left out.
    """
    wanted = typed.casefold().strip()
    fitting = [
        (v, said)
        for v, said in options
        if wanted in v.casefold() and 0 < escaping.units(v) <= escaping.CHOICE
    ]
    fitting.sort(key=lambda option: not option[0].casefold().startswith(wanted))
    return [
        app_commands.Choice(name=escaping.name(f"{value} — {said}" if said else value), value=value)
        for value, said in fitting[:MOST]
    ]


def services(catalog: Catalog, guild: GuildConfig, typed: str) -> Choices:
    lanes = catalog.visible(guild.id)
    names = dict.fromkeys(lane.lane.service for lane in lanes)
    return pick(
        ((n, ", ".join(lane.lane.environment for lane in lanes if lane.lane.service == n)) for n in names),
        typed,
    )


def environments(
    catalog: Catalog, guild: GuildConfig, service: str, typed: str, lanes: Sequence[LaneStatus]
) -> Choices:
    """Environments of the service (all if none is chosen), each with what runs there."""
    running = {lane.lane.environment: _runs(lane) for lane in lanes if lane.lane.service == service}
    configured = [c.lane for c in catalog.visible(guild.id) if service in ("", c.lane.service)]
    names = dict.fromkeys(lane.environment for lane in configured)
    return pick(((name, running.get(name, "")) for name in names), typed)


def _runs(lane: LaneStatus) -> str:
    if lane.active is not None:
        return f"{lane.active.candidate.version}: {word(lane.active).lower()}"
    locked = ", locked" if lane.lock is not None else ""
    return (f"runs {lane.desired_version}" if lane.desired_version else "nothing runs yet") + locked


def versions(
    releases: Sequence[Release],
    lanes: Sequence[LaneStatus],
    past: Sequence[RolloutSummary],
    now: datetime,
    typed: str,
) -> Choices:
    """Newest first, each with where it runs, its age and its subject, as far as its source says them.

    `1.5.0 — staging 12 min ago, not in production · 2 h old · Round prices`
    """
    since = {
        (one.lane, one.to_version): one.ended_at
        for one in reversed(past)
        if one.phase == "succeeded" and one.ended_at
    }
    return pick(((r.version, _about(r, _where(r.version, lanes, since, now), now)) for r in releases), typed)


def rollouts(found: Sequence[RolloutSummary], now: datetime, typed: str) -> list[app_commands.Choice[int]]:
    """In the given order: `#12 1.5.0 → production: rolled back, 3 min ago`. `typed`: part of a number or version."""
    wanted = typed.strip().lstrip("#")
    return [
        app_commands.Choice(name=escaping.name(_rollout(one, now)), value=one.id)
        for one in found
        if wanted in str(one.id) or wanted in one.to_version
    ][:MOST]


def _rollout(one: RolloutSummary, now: datetime) -> str:
    phase = one.phase.replace("_", " ")
    return (
        f"#{one.id} {one.to_version} → {one.lane.environment}: {phase}, {rough_age(one.created_at, now)} ago"
    )


def _about(release: Release, where: str, now: datetime) -> str:
    age = f"{rough_age(release.made_at, now)} old" if release.made_at else ""
    mark = "irreversible" if release.irreversible else ""
    return " · ".join(part for part in (where, age, mark, release.subject) if part)


def _where(version: str, lanes: Sequence[LaneStatus], since: Any, now: datetime) -> str:
    parts, absent = [], []
    for lane in lanes:
        place = lane.lane.environment
        at = since.get((lane.lane, version))
        ago = f" {duration(max(1, round((now - at).total_seconds() / 60)) * 60)} ago" if at else ""
        if lane.active is not None and lane.active.candidate.version == version:
            parts.append(f"{place}: {word(lane.active).lower()}")
        elif lane.lock is not None and lane.lock.digest and version in lane.lock.reason:
            parts.append(f"{place}: locked after a rollback")
        elif lane.desired_version == version:
            parts.append(f"{place}{ago or ' now'}")
        else:
            absent.append(place)
    if absent and len(absent) <= 3:
        parts.append(f"not in {' or '.join(absent)}")
    return ", ".join(parts)
