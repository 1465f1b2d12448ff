"""Card buttons that survive restarts: the id carries rollout, step, action and seal."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import discord

from bot.domain.rollout.model import Action

PREFIX = "slipway:"
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
# Actions that require a reason open a form first. Roll back never does: at 3 a.m. it is one press.
ASKS: dict[Action, tuple[str, str]] = {
    Action.REJECT: ("Reject this rollout", "Why? The requester reads this."),
    Action.PROMOTE: ("Promote without a PASS", "Why is it safe to continue?"),
    Action.CLOSE: ("Close this rollout", "What state is the service in now?"),
}
_ACTIONS = frozenset(str(action) for action in Action)
_WHY = re.compile(r"slipway-why:(?P<rollout>[0-9]{1,19})")
_CONFIRMED = "goback"  # in place of the action: ids have at most 100 characters
REASON_FIELD = "reason"
REASON_MOST = 500


@dataclass(frozen=True, slots=True)
class Press:
    """The content of a button id: the rollout and step it was drawn for, and the requested action.

    confirmed: a rollback of an irreversible release, by the button under the question.
    """

    rollout_id: int
    step: int
    action: Action
    seal: str
    confirmed: bool = False

    @property
    def custom_id(self) -> str:
        action = _CONFIRMED if self.confirmed else self.action
        return f"{PREFIX}{self.rollout_id}:{self.step}:{action}:{self.seal[:SEAL_DIGITS]}"

    @classmethod
    def parse(cls, custom_id: str) -> Press | None:
        """None for ids of other components, or of an action this version does not know."""
        match = TEMPLATE.fullmatch(custom_id)
        if match is None or match["action"] not in (*_ACTIONS, _CONFIRMED):
            return None
        confirmed = match["action"] == _CONFIRMED
        action = Action.ROLL_BACK if confirmed else Action(match["action"])
        return cls(int(match["rollout"]), int(match["step"]), action, match["seal"], confirmed)


class IdButton(discord.ui.Button[Any]):
    """A button with all that a press needs in its id, so that presses are answered after a restart, too.

    discord.py's own `DynamicItem` would rebuild the whole card at every press, and stay silent when the message does
    no longer show the button. So nothing is registered with the library, and it can forget nothing.
    """

    def is_dispatchable(self) -> bool:
        """False: what answers it listens for interactions."""
        return False


class PressButton(IdButton):
    """One button of a card. Presses are answered in `interactions/handlers.py`."""

    def __init__(self, press: Press) -> None:
        self.press = press
        label = "Roll back anyway" if press.confirmed else LABEL[press.action]
        super().__init__(label=label, style=STYLE[press.action], custom_id=press.custom_id)


class WhyButton(IdButton):
    """Opens the verdict on a rollout. The cog of `/why` listens for it, also on cards from before a restart."""

    def __init__(self, rollout_id: int) -> None:
        super().__init__(
            label="Why?", style=discord.ButtonStyle.secondary, custom_id=f"slipway-why:{rollout_id}"
        )


class IncidentButton(IdButton):
    """Makes an alert an incident. The cog of `/incident` listens for it."""

    def __init__(self, alert_id: int) -> None:
        custom_id = f"slipway-incident:{alert_id}:open"
        super().__init__(label="Open incident", style=discord.ButtonStyle.secondary, custom_id=custom_id)


def rollout_of(custom_id: str) -> int | None:
    """The rollout of a why button; None for other ids."""
    match = _WHY.fullmatch(custom_id)
    return int(match["rollout"]) if match is not None else None


class HereButton(IdButton):
    """Answers a test page. The cog of `/oncall` listens for it."""

    def __init__(self, custom_id: str) -> None:
        super().__init__(label="I'm here", style=discord.ButtonStyle.success, custom_id=custom_id)


class ReasonForm(discord.ui.Modal):
    """Form that asks for a reason. It has the id of its button, so it can be answered after a restart too."""

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
        """Do nothing: submitted forms are answered from their id, like presses."""


def buttons(rollout_id: int, step: int, seal: str, allowed: frozenset[Action]) -> list[PressButton]:
    """Buttons of the allowed actions, in the order of `LABEL`: answers to the open question come first."""
    return [PressButton(Press(rollout_id, step, action, seal)) for action in LABEL if action in allowed]


def question(sentence: str, press: Press) -> discord.ui.LayoutView:
    """A question with a button that confirms the rollback of `press`."""
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.TextDisplay(sentence))
    view.add_item(discord.ui.ActionRow(PressButton(replace(press, action=Action.ROLL_BACK, confirmed=True))))
    return view


def reason_in(data: Any) -> str:
    """The reason in the data of a submitted form; empty when there is none."""
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
