"""`/deploy`: start a rollout, or show what it would do."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.engine.api import DeployRequest, DryRun
from bot.engine.service import BACKTEST_S
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions import lists
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from cogs import choices


class Deploy(commands.Cog):
    """Deploy a version."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="deploy", description="Deploy a version of a service to an environment")
    @app_commands.describe(
        service="Which service",
        version="Which version",
        environment="Which environment",
        reason="Why; shown on the card and in the log",
        dry_run="Only show the plan, the commits and what blocks it",
    )
    async def deploy(  # noqa: PLR0917 - the options of the command
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100],
        version: app_commands.Range[str, 1, 100],
        environment: app_commands.Range[str, 1, 100],
        reason: str = "",
        dry_run: bool = False,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            request = DeployRequest(
                guild_id=guild.id,
                actor=actor,
                service=service.strip(),
                version=version.strip(),
                environment=environment.strip(),
                reason=reason.strip(),
                interaction=str(interaction.id),
                dry_run=dry_run,
            )
            begun = await self.responder.engine.deploy(request)
            if isinstance(begun, DryRun):
                return lists.dry_run(begun)
            what = f"{escaping.code(service)} {escaping.code(version)} → {escaping.code(environment)}"
            return Reply(
                f"🚀 **Rollout {begun.id}** started: {what}. Its card is in {channel(interaction, guild)}."
            )

        await self.responder.answer(interaction, "deploy", work, category="deploy", patience_s=LOOK_UP_S)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """**Backtest** on a dry run, even from before a restart."""
        lane = lists.lane_of(id_used(interaction))
        if lane is None:
            return

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.responder.engine.backtest(guild.id, lane.service, lane.environment)
            return lists.backtest(lane, found)

        # Some seconds of processor time: as rare as deploys.
        await self.responder.answer(
            interaction, "backtest", work, category="deploy", patience_s=BACKTEST_S + 5
        )

    @deploy.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "deploy", work)

    @deploy.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "deploy", typed)

    @deploy.autocomplete("version")
    async def versions(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            service = choices.given(interaction, "service")
            seen = [c.lane for c in self.responder.catalog().visible(guild.id) if c.lane.service == service]
            environment = choices.given(interaction, "environment") or (seen[0].environment if seen else "")
            if not seen:
                return []
            engine = self.responder.engine
            releases = await engine.releases(guild.id, service, environment)
            about = await quietly(
                asyncio.gather(engine.status(guild.id, service), engine.history(guild.id, service, limit=25))
            )
            lanes, past = about or ((), ())
            return choices.versions(releases, lanes, past, self.responder.clock.now(), typed)

        return await self.responder.suggest(interaction, "deploy", work)


async def suggest_environments(
    responder: Responder, interaction: AnyInteraction, command: str, typed: str
) -> Choices:
    """Environments of the chosen service, with what runs there if that is known in time."""

    async def work(guild: GuildConfig) -> Choices:
        service = choices.given(interaction, "service")
        lanes = await quietly(responder.engine.status(guild.id, service)) if service else ()
        return choices.environments(responder.catalog(), guild, service, typed, lanes or ())

    return await responder.suggest(interaction, command, work)


async def quietly(asked: Any, within_s: float = 0.5) -> Any:
    """The result, or None on error or timeout: names are then offered without details."""
    try:
        async with asyncio.timeout(within_s):
            return await asked
    except Exception:
        return None


def channel(interaction: AnyInteraction, guild: GuildConfig) -> str:
    """The channel for cards, as a mention if it can be found."""
    wanted = guild.channels.get("deploys", "deploys")
    if wanted.isdigit():
        return f"<#{wanted}>"
    known = interaction.guild.text_channels if interaction.guild is not None else []
    found = discord.utils.get(known, name=wanted.lstrip("#"))
    return found.mention if found is not None else f"#{escaping.name(wanted, 60)}"
