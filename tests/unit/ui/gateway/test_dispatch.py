"""Which interactions reach which listeners: a press on a card reaches the one that answers it, and no other."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from discord.ext import commands

from bot.ui.gateway.client import SlipwayBot
from bot.ui.interactions.people import AnyInteraction

CARD = "slipway:7:0:approve:" + "0" * 64
COMPONENT = discord.InteractionType.component


class Other(commands.Cog):
    """A cog with buttons of its own. `heard`: their ids, and those of all others that it was asked about."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        self.heard.append(str(cast(Any, interaction.data)["custom_id"]))


class ListeningBot(SlipwayBot):
    def __init__(self) -> None:
        nothing: Any = None
        super().__init__(nothing, (), nothing, nothing)
        self.asked: list[str] = []

    async def on_interaction(self, interaction: AnyInteraction) -> None:
        self.asked.append(str(cast(Any, interaction.data)["custom_id"]))


@pytest.mark.parametrize(
    ("custom_id", "kind", "concerns_cogs"),
    [
        (CARD, COMPONENT, False),
        (CARD, discord.InteractionType.modal_submit, False),
        ("slipway:written by a later version", COMPONENT, False),
        ("slipway-why:7", COMPONENT, True),
        ("", COMPONENT, True),
        (CARD, discord.InteractionType.autocomplete, True),
    ],
)
async def test_a_press_on_a_card_reaches_no_cog(
    custom_id: str, kind: discord.InteractionType, concerns_cogs: bool
) -> None:
    bot, cog = ListeningBot(), Other()
    bot.loop = asyncio.get_running_loop()
    await bot.add_cog(cog)
    bot.dispatch("interaction", SimpleNamespace(type=kind, data={"custom_id": custom_id}))
    await asyncio.sleep(0)
    assert bot.asked == [custom_id]
    assert cog.heard == ([custom_id] if concerns_cogs else [])
