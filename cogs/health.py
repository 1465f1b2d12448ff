"""`/health`: what is deployed and how it is doing, open alerts, and Slipway itself."""

from __future__ import annotations

import asyncio

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.ui.errors import Reply
from bot.ui.gateway.client import believable
from bot.ui.interactions.health import answer, page_of
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import HealthLine, Responder
from cogs.deploy import quietly

_LANES_WITHIN_S = 1.5
_LOOK_S = 6.0


class HealthCommand(commands.Cog):
    """Answers even when other parts are down."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(
        name="health",
        description="Show how everything is doing: services, alerts, and Slipway itself",
    )
    async def health(self, interaction: AnyInteraction) -> None:
        await self._answer(interaction, "health", 0)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses of Refresh and of the pages."""
        page = page_of(id_used(interaction))
        if page is not None:
            await self._answer(interaction, "press:health", page)

    async def _answer(self, interaction: AnyInteraction, command: str, page: int) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            checks, lanes, healths = await asyncio.gather(
                self.responder.health(),
                quietly(self.responder.engine.status(guild.id), _LANES_WITHIN_S),
                quietly(self.responder.engine.health(guild.id), _LANES_WITHIN_S),
            )
            return answer([_gateway(interaction), *checks], lanes, healths, page)

        await self.responder.answer(interaction, command, work, category="read", patience_s=_LOOK_S)


def _gateway(interaction: AnyInteraction) -> HealthLine:
    """That this command arrived proves the connection; the latency is that of the last heartbeat."""
    latency_s = believable(interaction.client.latency)
    said = f"{latency_s * 1000:.0f} ms" if latency_s is not None else "no heartbeat measured yet"
    return HealthLine("Discord gateway", True, said)
