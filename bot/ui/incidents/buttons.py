"""Buttons of incident cards that survive restarts: the id carries the incident and the action."""

from __future__ import annotations

import re
from dataclasses import dataclass

import discord

from bot.domain.watch.incidents.actions import allowed_on
from bot.domain.watch.incidents.incident import Incident, IncidentAction
from bot.ui.buttons import IdButton

_ID = re.compile(r"slipway-incident:(?P<about>[0-9]{1,18}):(?P<action>[a-z]{1,12})")
_OPEN = "open"
_LOOK: dict[IncidentAction, tuple[str, discord.ButtonStyle]] = {
    IncidentAction.ACKNOWLEDGE: ("Take it", discord.ButtonStyle.primary),
    IncidentAction.RESTORE: ("Restored", discord.ButtonStyle.success),
    IncidentAction.CLOSE: ("Close", discord.ButtonStyle.secondary),
}


@dataclass(frozen=True, slots=True)
class IncidentPress:
    """What a button's id says. about: the incident; without an action, the alert that is to become one."""

    about: int
    action: IncidentAction | None

    @property
    def custom_id(self) -> str:
        return f"slipway-incident:{self.about}:{self.action or _OPEN}"

    @classmethod
    def parse(cls, custom_id: str) -> IncidentPress | None:
        """None for ids of other components, or of an action that this version does not know."""
        found = _ID.fullmatch(custom_id)
        if found is None:
            return None
        if found["action"] == _OPEN:
            return cls(int(found["about"]), None)
        known = {str(action): action for action in _LOOK}
        return cls(int(found["about"]), known[found["action"]]) if found["action"] in known else None


def incident_controls(incident: Incident) -> discord.ui.View:
    """The buttons of what can be done now."""
    view = discord.ui.View(timeout=None)
    for action in allowed_on(incident):
        label, style = _LOOK[action]
        custom_id = IncidentPress(incident.id, action).custom_id
        view.add_item(IdButton(label=label, style=style, custom_id=custom_id))
    return view
