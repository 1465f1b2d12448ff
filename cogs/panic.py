"""`/panic`: pause every rollout of this server at once, and resume them."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Responder


class Panic(commands.Cog):
    """The panic stop. Switching it on is never rate-limited."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="panic", description="Pause every rollout at once, or resume them")
    @app_commands.describe(switch="on pauses everything, off resumes it", reason="Why; shown on every card")
    @app_commands.choices(
        switch=[
            app_commands.Choice(name="on: pause everything", value="on"),
            app_commands.Choice(name="off: resume", value="off"),
        ]
    )
    async def panic(self, interaction: AnyInteraction, switch: str, reason: str = "") -> None:
        stopping = switch == "on"

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            count = await self.responder.engine.panic(guild.id, actor, reason.strip(), stopping)
            said = (
                f"🛑 {phrasebook.panic_on(count, reason)}"
                if stopping
                else f"▶️ {phrasebook.panic_off(count, reason)}"
            )
            return Reply(escaping.sentence(said, escaping.CONTENT))

        await self.responder.answer(interaction, "panic", work, category=None if stopping else "admin")
