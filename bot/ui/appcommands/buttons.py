"""Buttons, select and form of `/commands-sync`. Their ids carry everything, so they survive restarts.

As with cards, nothing is registered with the library: the cog answers presses from the id alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import discord

from bot.engine.appcommands.api import BackupLine
from bot.ui import escaping
from bot.ui.buttons import REASON_FIELD, REASON_MOST, IdButton

Verb = Literal["backups", "history", "pick", "compare", "restore"]
_VERBS = frozenset({"backups", "history", "pick", "compare", "restore"})
_TEMPLATE = re.compile(
    r"slipway-commands:(?P<verb>[a-z]{1,10}):(?P<number>[0-9]{0,19})"
    r":(?P<application>[^:]{0,40}):(?P<environment>[^:]{0,20})"
)


@dataclass(frozen=True, slots=True)
class ButtonId:
    """Content of an id. `number`: the backup, or where the next page starts; 0 for none."""

    verb: Verb
    number: int = 0
    application: str = ""
    environment: str = ""

    @property
    def custom_id(self) -> str:
        return f"slipway-commands:{self.verb}:{self.number or ''}:{self.application}:{self.environment}"

    @property
    def fits(self) -> bool:
        return len(self.custom_id) <= 100 and ButtonId.parse(self.custom_id) == self

    @classmethod
    def parse(cls, custom_id: str) -> ButtonId | None:
        """None for ids of other components."""
        found = _TEMPLATE.fullmatch(custom_id)
        if found is None or found["verb"] not in _VERBS:
            return None
        verb: Any = found["verb"]
        return cls(verb, int(found["number"] or 0), found["application"], found["environment"])


class TouchButton(IdButton):
    """A button. The cog listens for presses."""

    def __init__(self, label: str, button_id: ButtonId, *, danger: bool = False) -> None:
        style = discord.ButtonStyle.danger if danger else discord.ButtonStyle.secondary
        super().__init__(label=label, style=style, custom_id=button_id.custom_id)


class BackupSelect(discord.ui.Select[Any]):
    """Shows one backup of a page. Values are backup ids."""

    def __init__(self, lines: Sequence[BackupLine], button_id: ButtonId) -> None:
        super().__init__(
            custom_id=button_id.custom_id,
            placeholder="Show a backup",
            options=[_option(line) for line in lines[:25]],
        )

    def is_dispatchable(self) -> bool:
        return False


class RestoreForm(discord.ui.Modal):
    """Asks for the reason of a restore. It has the id of its button."""

    def __init__(self, button_id: ButtonId) -> None:
        super().__init__(
            title=f"Restore backup {button_id.number}", timeout=900, custom_id=button_id.custom_id
        )
        self.add_item(
            discord.ui.Label(
                text="Reason",
                description="Why? Shown on the card and in the history.",
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


def _option(line: BackupLine) -> discord.SelectOption:
    at = line.at.strftime("%Y-%m-%d %H:%M UTC")
    why = f"; before: {line.why}" if line.why else ""
    return discord.SelectOption(
        label=escaping.name(f"#{line.id} · {line.environment} · {at}"),
        value=str(line.id),
        description=escaping.name(f"{line.count} commands, {line.version}{why}"),
    )
