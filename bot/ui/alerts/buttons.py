"""Buttons of alert cards that survive restarts: the id carries the alert and the action."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

import discord

from bot.domain.watch.alerts.actions import allowed_actions
from bot.domain.watch.alerts.alert import Alert, AlertAction
from bot.domain.watch.alerts.findings import Severity
from bot.ui import escaping
from bot.ui.buttons import IdButton, IncidentButton

_ID = re.compile(
    r"slipway-alert:(?P<alert>[0-9]{1,19}):(?P<action>[a-z]{1,12})"
    r"(?::r(?P<rollout>[0-9]{1,19})|:(?P<guild>[0-9]{1,20}))?"
)
ROLL_BACK: Literal["rollback"] = "rollback"
CONFIRMED: Literal["goback"] = (
    "goback"  # a rollback of an irreversible release, by the button under the question
)

# Alerts that may be more than one person's work.
_GRAVE = frozenset({Severity.CRITICAL, Severity.HIGH})
_GREY = discord.ButtonStyle.secondary
_LOOK: dict[AlertAction, tuple[str, discord.ButtonStyle]] = {
    AlertAction.ACKNOWLEDGE: ("Acknowledge", discord.ButtonStyle.primary),
    AlertAction.ESCALATE: ("Escalate", _GREY),
    AlertAction.SILENCE: ("Silence 1 h", _GREY),
    AlertAction.UNSILENCE: ("End silence", _GREY),
    AlertAction.RESOLVE: ("Resolve", discord.ButtonStyle.success),
}


@dataclass(frozen=True, slots=True)
class AlertPress:
    """What a button's id says. action: None for a rollback, which `confirmed` may be.

    guild_id: the server that a direct message is about; 0 on a card, which is in one. rollout_id: the deploy that a
    rollback takes back; 0 on cards of older versions.
    """

    alert_id: int
    action: AlertAction | None
    confirmed: bool = False
    guild_id: int = 0
    rollout_id: int = 0

    @property
    def custom_id(self) -> str:
        action = self.action or (CONFIRMED if self.confirmed else ROLL_BACK)
        about = f":r{self.rollout_id}" if self.rollout_id else f":{self.guild_id}" if self.guild_id else ""
        return f"slipway-alert:{self.alert_id}:{action}{about}"

    @classmethod
    def parse(cls, custom_id: str) -> AlertPress | None:
        """None for ids of other components, or of an action that this version does not know."""
        found = _ID.fullmatch(custom_id)
        if found is None:
            return None
        alert_id, guild_id = int(found["alert"]), int(found["guild"] or 0)
        if found["action"] in (ROLL_BACK, CONFIRMED):
            confirmed = found["action"] == CONFIRMED
            return cls(alert_id, None, confirmed, guild_id, int(found["rollout"] or 0))
        known = {str(action): action for action in AlertAction}
        return cls(alert_id, known[found["action"]], False, guild_id) if found["action"] in known else None


def _button(press: AlertPress, label: str, style: discord.ButtonStyle) -> IdButton:
    return IdButton(label=escaping.cut(label, escaping.LABEL), style=style, custom_id=press.custom_id)


def controls(alert: Alert) -> discord.ui.View:
    """The buttons of what can be done now; what ends the trouble comes right after who has it."""
    view = discord.ui.View(timeout=None)
    for action in allowed_actions(alert):
        view.add_item(_button(AlertPress(alert.id, action), *_LOOK[action]))
        if action is AlertAction.ACKNOWLEDGE and alert.suspect is not None and not alert.undone_by:
            label = f"Roll back to {escaping.name(alert.suspect.from_version, 60)}"
            press = AlertPress(alert.id, None, rollout_id=alert.suspect.rollout_id)
            view.add_item(_button(press, label, discord.ButtonStyle.danger))
    if not alert.over and alert.severity in _GRAVE:
        view.add_item(IncidentButton(alert.id))
    return view


def acknowledge_button(alert_id: int, guild_id: int) -> IdButton:
    """That of a direct message about an alert of the server."""
    press = AlertPress(alert_id, AlertAction.ACKNOWLEDGE, guild_id=guild_id)
    return _button(press, *_LOOK[AlertAction.ACKNOWLEDGE])


def question(sentence: str, press: AlertPress) -> discord.ui.LayoutView:
    """A question with a button that confirms the rollback of an irreversible release. press: the first one."""
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.TextDisplay(sentence))
    press = replace(press, confirmed=True)
    view.add_item(discord.ui.ActionRow(_button(press, "Roll back anyway", discord.ButtonStyle.danger)))
    return view
