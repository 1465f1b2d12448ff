"""`/rollback`: return to an earlier release in seconds."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.engine.api import RollbackRequest
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from cogs import choices
from cogs.deploy import channel, quietly, suggest_environments


class Rollback(commands.Cog):
    """Return to a known-good release."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(
        name="rollback", description="Roll back the active rollout, or return to an earlier release"
    )
    @app_commands.describe(
        service="Which service",
        environment="Which environment",
        version="Which release (default: the last known good one)",
        reason="Why; shown on the card and in the log",
        confirm="True: also back from a release that is irreversible",
    )
    async def rollback(  # noqa: PLR0917 - the options of the command
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100],
        environment: app_commands.Range[str, 1, 100],
        version: str = "",
        reason: str = "",
        confirm: bool = False,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if guild.oncall_role not in actor.roles:
                await self.responder.spend("deploy", actor)
            request = RollbackRequest(
                guild_id=guild.id,
                actor=actor,
                service=service.strip(),
                environment=environment.strip(),
                version=version.strip() or None,
                reason=reason.strip(),
                interaction=str(interaction.id),
                confirmed=confirm,
            )
            begun = await self.responder.engine.roll_back(request)
            what = f"{escaping.code(service)} → {escaping.code(environment)}"
            home = self.responder.catalog().guilds.get(begun.guild_id)
            elsewhere = home is not None and home.id != guild.id
            where = f"the server {home.name}" if home and elsewhere else channel(interaction, guild)
            return Reply(f"↩️ **Rolling back** {what} (rollout {begun.id}). Its card is in {where}.")

        await self.responder.answer(interaction, "rollback", work, category=None, patience_s=LOOK_UP_S)

    @rollback.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "rollback", work)

    @rollback.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "rollback", typed)

    @rollback.autocomplete("version")
    async def versions(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            service, environment = (
                choices.given(interaction, "service"),
                choices.given(interaction, "environment"),
            )
            if not service or not environment:
                return []
            good = await self.responder.engine.known_good(guild.id, service, environment)
            past = await quietly(self.responder.engine.history(guild.id, service, environment, limit=25))
            lanes = await quietly(self.responder.engine.status(guild.id, service, environment))
            return choices.versions(good, lanes or (), past or (), self.responder.clock.now(), typed)

        return await self.responder.suggest(interaction, "rollback", work)
