"""`/report`: deployments, availability and alerts of the last days."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.engine.reports.service import DAYS
from bot.ui.errors import Reply
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from bot.ui.reports import card
from cogs import choices


class ReportCommand(commands.Cog):
    """Read-only, for everyone who sees the server."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(
        name="report", description="Show deployments, failures, availability and alerts of the last days"
    )
    @app_commands.describe(
        service="Which service; all if left out",
        days="How many days, today included; 7 if left out",
        public="Show it to everyone in this channel",
    )
    @app_commands.choices(days=[app_commands.Choice(name=f"{days} days", value=days) for days in DAYS])
    async def report(
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100] | None = None,
        days: int = DAYS[0],
        public: bool = False,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            name = service.strip() if service is not None else None
            reports = self.responder.engine.reports
            found = await reports.report(reports.scope(guild.id, name), days, name)
            return await card.answer(found, self.responder.chart, public=public)

        await self.responder.answer(interaction, "report", work, category="read", patience_s=LOOK_UP_S)

    @report.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "report", work)
