"""discord.py's context menus, used by people on messages and on each other."""

import discord

from discord_sandbox import Sandbox
from support.client import Client
from support.discord_py import SandboxBot, begun, running


def build() -> SandboxBot:
    bot = SandboxBot("message_content")

    @bot.tree.context_menu(name="Book mark")
    async def bookmark(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"{message.author.name}: {message.content}")

    @bot.tree.context_menu(name="Wave at")
    async def wave(interaction: discord.Interaction, user: discord.Member) -> None:
        roles = [role.name for role in user.roles]
        await interaction.response.send_message(f"{user.name} {roles}", ephemeral=True)

    return bot


async def test_a_message_and_a_member_arrive_whole() -> None:
    async with Sandbox() as sandbox, Client(sandbox) as client, running(build(), sandbox):
        said = await client.api("POST", "messages", {"user": "ben", "channel": "general", "content": "soup"})
        kept = await begun(client, user="ada", command="Book mark", target_message=said.body["id"])
        assert (kept["message"]["text"], kept["message"]["type"]) == ("ben: soup", 23)
        waved = await begun(client, user="ada", channel="general", command="Wave at", target_user="kim")
        assert (waved["message"]["text"], waved["ephemeral"]) == ("kim ['@everyone', 'helper']", True)
