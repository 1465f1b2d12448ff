"""Buttons and the list of lanes below answers about health. All that a press needs is in their ids and values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord

from bot.domain.rollout.model import Lane
from bot.domain.watch.health import LaneHealth
from bot.ui import escaping
from bot.ui.buttons import IdButton
from bot.ui.interactions.people import AnyInteraction, id_used

_PAGE = re.compile(r"slipway-health:(?P<page>[0-9]{1,4})")
_LANE = re.compile(r"(?P<service>[^:]{1,50}):(?P<environment>[^:]{1,30})")
_OF, _RUN, _SELECT = "slipway-health-of:", "slipway-health-run:", "slipway-health-lane"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a press asks for: a page of all lanes, or one lane. run: ask its checks now."""

    page: int = 0
    lane: Lane | None = None
    run: bool = False

    @property
    def custom_id(self) -> str | None:
        """None for a lane with names that do not fit."""
        if self.lane is None:
            return f"slipway-health:{self.page}"
        value = _value(self.lane)
        return f"{_RUN if self.run else _OF}{value}" if value is not None else None


def wanted(interaction: AnyInteraction) -> Wanted | None:
    """What a press, or a choice from the list, asks for; None for other ids."""
    used = id_used(interaction)
    if used == _SELECT:
        data: Any = interaction.data or {}
        lane = _lane_of(str(next(iter(data.get("values", ())), "")))
        return Wanted(lane=lane) if lane is not None else None
    return wanted_by(used)


def wanted_by(custom_id: str) -> Wanted | None:
    """As `wanted`, of buttons alone."""
    if found := _PAGE.fullmatch(custom_id):
        return Wanted(int(found["page"]))
    for prefix in (_OF, _RUN):
        lane = _lane_of(custom_id.removeprefix(prefix)) if custom_id.startswith(prefix) else None
        if lane is not None:
            return Wanted(lane=lane, run=prefix == _RUN)
    return None


class HealthButton(IdButton):
    """Shows health as it is now, as a new answer. `/health` listens for it."""

    def __init__(self, label: str, shows: Wanted) -> None:
        super().__init__(label=label, style=discord.ButtonStyle.secondary, custom_id=shows.custom_id or "")


class LaneSelect(discord.ui.Select[Any]):
    """Opens one lane of a page."""

    def __init__(self, lanes: Sequence[LaneHealth]) -> None:
        super().__init__(
            custom_id=_SELECT,
            placeholder="Show one lane in full",
            options=[_option(lane) for lane in self.of(lanes)],
        )

    @staticmethod
    def of(lanes: Sequence[LaneHealth]) -> Sequence[LaneHealth]:
        """Those of the lanes that it can offer."""
        return [each for each in lanes if _value(each.lane) is not None][:25]

    def is_dispatchable(self) -> bool:
        return False


def _option(health: LaneHealth) -> discord.SelectOption:
    return discord.SelectOption(
        label=escaping.name(f"{health.lane.service} → {health.lane.environment}"),
        value=_value(health.lane) or "",
        description=escaping.name(health.serving.version if health.serving else "nothing runs"),
    )


def _value(lane: Lane) -> str | None:
    value = f"{lane.service}:{lane.environment}"
    return value if _lane_of(value) == lane else None


def _lane_of(value: str) -> Lane | None:
    found = _LANE.fullmatch(value)
    return Lane(found["service"], found["environment"]) if found else None
