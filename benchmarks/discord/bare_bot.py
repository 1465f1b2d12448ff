"""A minimal discord.py bot, with one button that answers, as the baseline for presses.

`python -m benchmarks.discord.bare_bot`, with BARE_TOKEN, BARE_API, BARE_GATEWAY and BARE_CHANNEL in the
environment; prints the id of its message when it is ready.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import discord
import yarl

TEMPLATE = re.compile(r"bare:(?P<number>[0-9]+)")


class Echo(discord.ui.DynamicItem[discord.ui.Button[Any]], template=TEMPLATE):
    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(discord.ui.Button(label="Echo", custom_id=f"bare:{number}"))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Echo:
        return cls(int(match["number"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"✅ {self.number}", ephemeral=True)


class BareBot(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0.1, max_messages=None)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Echo)

    async def on_ready(self) -> None:
        channel = self.get_channel(int(os.environ["BARE_CHANNEL"]))
        assert isinstance(channel, discord.TextChannel)
        view = discord.ui.View(timeout=None)
        view.add_item(Echo(1))
        message = await channel.send("Press it.", view=view)
        sys.stdout.write(f"{message.id}\n")
        sys.stdout.flush()


def main() -> None:
    discord.http.Route.BASE = os.environ["BARE_API"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["BARE_GATEWAY"])
    BareBot().run(os.environ["BARE_TOKEN"], log_handler=None)


if __name__ == "__main__":
    main()
