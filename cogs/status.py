"""`/status` and `/history`: what runs where, and past rollouts."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.ui.errors import Reply
from bot.ui.interactions import lists
from bot.ui.interactions.lists import page_of
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from cogs import choices
from cogs.deploy import suggest_environments


class Status(commands.Cog):
    """Read-only commands."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="status", description="Show what runs where, and active rollouts")
    @app_commands.describe(service="Only this service", environment="Only this environment")
    async def status(self, interaction: AnyInteraction, service: str = "", environment: str = "") -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            self._check(guild, service, environment)
            lanes = await self.responder.engine.status(guild.id, service or None, environment or None)
            return lists.status(lanes, self.responder.clock.now())

        await self.responder.answer(interaction, "status", work, category="read", patience_s=LOOK_UP_S)

    @app_commands.command(name="history", description="List rollouts, newest first")
    @app_commands.describe(service="Only this service", environment="Only this environment")
    async def history(self, interaction: AnyInteraction, service: str = "", environment: str = "") -> None:
        await self._page(interaction, service or None, environment or None, None)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Pages of `/history`, even from before a restart."""
        wanted = page_of(id_used(interaction))
        if wanted is not None:
            before, service, environment = wanted
            await self._page(interaction, service, environment, before)

    async def _page(
        self, interaction: AnyInteraction, service: str | None, environment: str | None, before: int | None
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            self._check(guild, service or "", environment or "")
            found = await self.responder.engine.history(
                guild.id, service, environment, before=before, limit=lists.PAGE + 1
            )
            return lists.history(found, service, environment, first=before is None)

        await self.responder.answer(interaction, "history", work, category="read", patience_s=LOOK_UP_S)

    def _check(self, guild: GuildConfig, service: str, environment: str) -> None:
        """Raise `UserError` with the nearest names for a service or environment that this server does not have."""
        catalog = self.responder.catalog()
        if service and environment:
            catalog.lane(guild.id, service, environment)
        elif service:
            first = next((c for c in catalog.visible(guild.id) if c.lane.service == service), None)
            catalog.lane(guild.id, service, first.lane.environment if first else "")

    @status.autocomplete("service")
    @history.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "status", work)

    @status.autocomplete("environment")
    @history.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "status", typed)
