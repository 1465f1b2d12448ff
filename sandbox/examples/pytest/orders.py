"""A small bot: `/order` asks the kitchen for a dish, a moderator accepts it, `/feedback` opens a form."""

import json
import os
from typing import Any

import discord
import yarl
from discord import app_commands, ui

DISHES = ("soup", "salad", "stew")


class Feedback(ui.Modal, title="Feedback"):
    words: ui.Label[Any] = ui.Label(text="How was it?", component=ui.TextInput(max_length=100))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.words.component, ui.TextInput)
        await interaction.response.send_message(f"Thank you: {self.words.component.value}", ephemeral=True)


class Order(ui.View):
    def __init__(self, dish: str) -> None:
        super().__init__(timeout=None)
        self.dish = dish

    @ui.button(label="Accept", style=discord.ButtonStyle.success)
    async def accept(self, interaction: discord.Interaction, button: ui.Button[Any]) -> None:
        if not interaction.permissions.manage_guild:
            await interaction.response.send_message("Only moderators accept orders.", ephemeral=True)
            return
        button.disabled = True
        await interaction.response.edit_message(content=f"{self.dish}: accepted", view=self)
        assert isinstance(interaction.message, discord.Message)
        thread = await interaction.message.create_thread(name=f"{self.dish} is cooking")
        await thread.send("10 minutes")


class Orders(discord.Client):
    def __init__(self, **options: Any) -> None:
        super().__init__(intents=discord.Intents.default(), **options)
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(order)
        self.tree.add_command(feedback)

    async def setup_hook(self) -> None:
        await self.tree.sync()


@app_commands.command(description="Orders a dish")
@app_commands.describe(dish="Which one")
async def order(interaction: discord.Interaction, dish: str) -> None:
    await interaction.response.send_message(f"{dish}: ordered", view=Order(dish))


@order.autocomplete("dish")
async def _dishes(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=one, value=one) for one in DISHES if one.startswith(typed)]


@app_commands.command(description="Asks how it was")
async def feedback(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Feedback())


def main() -> None:
    """Run the bot on its own: `SANDBOX` holds the line that `discord-sandbox` prints."""
    ready = json.loads(os.environ["SANDBOX"])
    discord.http.Route.BASE = ready["api_base"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(ready["gateway_url"])
    Orders(guild_ready_timeout=0.1).run(ready["applications"][0]["token"])


if __name__ == "__main__":
    main()
