"""`/why` and the button of that name: the judge's verdict on a rollout, opened."""

from __future__ import annotations

from typing import Any

from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor, Lane
from bot.ui.buttons import rollout_of
from bot.ui.errors import Reply
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from bot.ui.interactions.why import answer
from cogs import choices
from cogs.deploy import suggest_environments


class WhyCommand(commands.Cog):
    """Read-only, for everyone who sees the server."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="why", description="Show why the judge passed, failed or held a rollout")
    @app_commands.describe(
        service="Which service",
        environment="Which environment",
        rollout="Which rollout; the newest if left out",
    )
    async def why(
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100],
        environment: app_commands.Range[str, 1, 100],
        rollout: app_commands.Range[int, 1, 2**53 - 1] | None = None,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            lane = self.responder.catalog().lane(guild.id, service.strip(), environment.strip()).lane
            return await self._open(guild, rollout or await self._newest(guild, lane), lane)

        await self.responder.answer(interaction, "why", work, category="read", patience_s=LOOK_UP_S)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses of the button on cards, even from before a restart."""
        wanted = rollout_of(id_used(interaction))
        if wanted is None:
            return

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return await self._open(guild, wanted)

        await self.responder.answer(interaction, "press:why", work, category="read", patience_s=LOOK_UP_S)

    async def _open(self, guild: GuildConfig, rollout_id: int, lane: Lane | None = None) -> Reply:
        found = await self.responder.engine.why(rollout_id, guild.id)
        if lane is not None and found.rollout.lane != lane:
            raise phrasebook.no_rollout(rollout_id)
        return await answer(found, self.responder.draw)

    async def _newest(self, guild: GuildConfig, lane: Lane) -> int:
        found = await self.responder.engine.history(guild.id, lane.service, lane.environment, limit=1)
        if not found:
            raise phrasebook.never_rolled_out(str(lane))
        return found[0].id

    @why.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "why", work)

    @why.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "why", typed)

    @why.autocomplete("rollout")
    async def rollouts(self, interaction: AnyInteraction, typed: Any) -> list[app_commands.Choice[int]]:
        """Recent rollouts of the service and environment, newest first."""

        async def work(guild: GuildConfig) -> list[app_commands.Choice[int]]:
            lane = (choices.given(interaction, option) or None for option in ("service", "environment"))
            found = await self.responder.engine.history(guild.id, *lane, limit=choices.MOST)
            return choices.rollouts(found, self.responder.clock.now(), str(typed))

        return await self.responder.suggest(interaction, "why", work)
