"""`/panic`: hold every rollout of this server at once, and let them go again."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

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

    @app_commands.command(name="panic", description="Hold every rollout at once, or let them go again")
    @app_commands.describe(switch="on holds everything, off lets it go", reason="Why; shown on every card")
    @app_commands.choices(
        switch=[
            app_commands.Choice(name="on: nothing moves forward", value="on"),
            app_commands.Choice(name="off: go on", value="off"),
        ]
    )
    async def panic(self, interaction: AnyInteraction, switch: str, reason: str = "") -> None:
        stopping = switch == "on"

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            count = await self.responder.engine.panic(guild.id, actor, reason.strip(), stopping)
            many = f"{count} rollout{'' if count == 1 else 's'}"
            why = f": {escaping.plain(reason, 300)}" if reason.strip() else ""
            if stopping:
                return Reply(
                    f"🛑 **Panic stop is on**{why}. {many} held; nothing moves forward until `/panic off`. "
                    "A failing judge and **Roll back** still act."
                )
            return Reply(f"▶️ **Panic stop is off**{why}. {many} let go.")

        await self.responder.answer(interaction, "panic", work, category=None if stopping else "admin")
