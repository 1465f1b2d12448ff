"""Buttons that outlive restarts: their ids carry rollout, step, action and seal; everything else is looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import discord

from bot.domain.rollout.model import Action

# The whole of an id.
TEMPLATE = re.compile(
    r"slipway:(?P<rollout>[0-9]{1,19}):(?P<step>[0-9]{1,4}):(?P<action>[a-z]{1,10}):(?P<seal>[0-9a-f]{0,64})"
)
SEAL_DIGITS = 64

LABEL: dict[Action, str] = {
    Action.APPROVE: "Approve",
    Action.REJECT: "Reject",
    Action.ROLL_BACK: "Roll back",
    Action.PROMOTE: "Promote",
    Action.EXTEND: "Extend",
    Action.RESUME: "Resume",
    Action.PAUSE: "Pause",
    Action.REVOKE: "Revoke",
    Action.CANCEL: "Cancel",
    Action.CLOSE: "Close",
}
_GREY = discord.ButtonStyle.secondary
STYLE: dict[Action, discord.ButtonStyle] = {
    Action.APPROVE: discord.ButtonStyle.success,
    Action.REJECT: discord.ButtonStyle.danger,
    Action.ROLL_BACK: discord.ButtonStyle.danger,
    Action.PROMOTE: discord.ButtonStyle.primary,
    Action.EXTEND: _GREY,
    Action.RESUME: discord.ButtonStyle.primary,
    Action.PAUSE: _GREY,
    Action.REVOKE: _GREY,
    Action.CANCEL: _GREY,
    Action.CLOSE: discord.ButtonStyle.danger,
}
# What must be justified opens a form first. Roll back never does: at three in the morning it is one press.
ASKS: dict[Action, tuple[str, str]] = {
    Action.REJECT: ("Reject this rollout", "Why? Whoever asked for it reads this."),
    Action.PROMOTE: ("Promote without a PASS", "Why is it right to go on?"),
    Action.CLOSE: ("Close this rollout", "What is the state of things now?"),
}
_ACTIONS = frozenset(str(action) for action in Action)
REASON_FIELD = "reason"
REASON_MOST = 500


@dataclass(frozen=True, slots=True)
class Press:
    """What an id says: which rollout and step it was drawn for, and what is asked."""

    rollout_id: int
    step: int
    action: Action
    seal: str

    @property
    def custom_id(self) -> str:
        return f"slipway:{self.rollout_id}:{self.step}:{self.action}:{self.seal[:SEAL_DIGITS]}"

    @classmethod
    def parse(cls, custom_id: str) -> Press | None:
        """None for ids that are not ours, or of an action that this Slipway does not know."""
        match = TEMPLATE.fullmatch(custom_id)
        if match is None or match["action"] not in _ACTIONS:
            return None
        return cls(int(match["rollout"]), int(match["step"]), Action(match["action"]), match["seal"])


class PressButton(discord.ui.Button[Any]):
    """One button of a card. Presses are answered from the id alone, in `presses.py`.

    discord.py's own `DynamicItem` would rebuild the whole card at every press, and stay silent when the message does
    not show the button any more. So nothing is registered with the library, and nothing can be forgotten by it.
    """

    def __init__(self, press: Press) -> None:
        self.press = press
        super().__init__(label=LABEL[press.action], style=STYLE[press.action], custom_id=press.custom_id)

    def is_dispatchable(self) -> bool:
        return False


class ReasonForm(discord.ui.Modal):
    """Asks for a reason. Its id is the button's, so that it too can be answered after a restart."""

    def __init__(self, press: Press) -> None:
        title, question = ASKS[press.action]
        super().__init__(title=title, timeout=900, custom_id=press.custom_id)
        self.add_item(
            discord.ui.Label(
                text="Reason",
                description=question,
                component=discord.ui.TextInput(
                    custom_id=REASON_FIELD,
                    style=discord.TextStyle.paragraph,
                    required=True,
                    min_length=3,
                    max_length=REASON_MOST,
                ),
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Nothing: submitted forms are answered from their id, like presses."""


def buttons(rollout_id: int, step: int, seal: str, allowed: frozenset[Action]) -> list[PressButton]:
    """The allowed ones, in the order of `LABEL`: what answers the open question comes first."""
    return [PressButton(Press(rollout_id, step, action, seal)) for action in LABEL if action in allowed]


def reason_in(data: Any) -> str:
    """The reason that somebody typed, out of a submitted form's data; empty when there is none."""
    for component in _walk(data.get("components", ())):
        if component.get("custom_id") == REASON_FIELD:
            return str(component.get("value") or "").strip()
    return ""


def _walk(components: Any) -> Any:
    for component in components:
        yield component
        yield from _walk(component.get("components", ()))
        if "component" in component:
            yield from _walk((component["component"],))
