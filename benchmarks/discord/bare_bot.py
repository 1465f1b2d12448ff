"""The least that a discord.py bot does for a press: it answers by the button's id. Baseline for presses.

`python -m benchmarks.discord.bare_bot`, with BARE_TOKEN, BARE_API and BARE_GATEWAY in the environment; prints `ready`
when it is. Its buttons are those of a copy of one of Slipway's cards, so that both bots get the same payload.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import discord
import yarl

PREFIX = "bare:"


class BareBot(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0.1, max_messages=None)

    async def on_ready(self) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer without `DynamicItem`, which would build the whole card's view at every press."""
        data: Any = interaction.data or {}
        if str(data.get("custom_id", "")).startswith(PREFIX):
            await interaction.response.send_message("Pressed.", ephemeral=True)


def main() -> None:
    discord.http.Route.BASE = os.environ["BARE_API"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["BARE_GATEWAY"])
    BareBot().run(os.environ["BARE_TOKEN"], log_handler=None)


if __name__ == "__main__":
    main()
