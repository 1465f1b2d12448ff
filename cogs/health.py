"""`/health`: what is deployed and how it is doing, open alerts, and Slipway itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor, Lane
from bot.engine.watch.smoke import smoke
from bot.ui.errors import Reply
from bot.ui.gateway.client import believable
from bot.ui.interactions import lane_health
from bot.ui.interactions.health import answer, shown
from bot.ui.interactions.health_buttons import Wanted, wanted
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import LOOK_UP_S, Choices, HealthLine, Responder
from cogs import choices
from cogs.deploy import quietly, suggest_environments

_LANES_WITHIN_S = 1.5
_DRAWN_WITHIN_S = 1.0


class HealthCommand(commands.Cog):
    """Answers even when other parts are down."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(
        name="health",
        description="Show how everything is doing: services, alerts, and Slipway itself",
    )
    @app_commands.describe(
        service="Only this service, in full",
        environment="Where it runs",
        run="Ask its checks now",
    )
    async def health(
        self, interaction: AnyInteraction, service: str = "", environment: str = "", run: bool = False
    ) -> None:
        await self._answer(interaction, "health", lambda guild: self._asked(guild, service, environment, run))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses of the buttons, and choices from the list."""
        pressed = wanted(interaction)
        if pressed is not None:
            await self._answer(interaction, "press:health", lambda guild: pressed)

    async def _answer(
        self, interaction: AnyInteraction, command: str, asked: Callable[[GuildConfig], Wanted]
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            wants = asked(guild)
            if wants.lane is None:
                return await self._all(guild, wants.page, _gateway(interaction))
            if wants.run:
                await self.responder.spend("deploy", actor)
                return await self._run(guild, wants.lane)
            return await self._one(guild, wants.lane)

        await self.responder.answer(interaction, command, work, category="read", patience_s=LOOK_UP_S)

    def _asked(self, guild: GuildConfig, service: str, environment: str, run: bool) -> Wanted:
        """Raises `UserError` with the nearest names."""
        if not service and not environment and not run:
            return Wanted()
        catalog = self.responder.catalog()
        own = [c.lane for c in catalog.visible(guild.id) if service in ("", c.lane.service)]
        if service and not environment and len(own) == 1:
            return Wanted(lane=own[0], run=run)
        return Wanted(lane=catalog.lane(guild.id, service, environment).lane, run=run)

    async def _all(self, guild: GuildConfig, page: int, gateway: HealthLine) -> Reply:
        engine = self.responder.engine
        checks, found = await asyncio.gather(
            self.responder.health(), quietly(engine.health(guild.id), _LANES_WITHIN_S)
        )
        picture = None
        if self.responder.lane_charts is not None and (lanes := shown(found, page)):
            strips = await quietly(engine.health_strips([each.lane for each in lanes]), _LANES_WITHIN_S)
            drawn = self.responder.lane_charts.strips(lanes, strips or ())
            picture = await quietly(drawn, _DRAWN_WITHIN_S)
        return answer([gateway, *checks], found, page, picture)

    async def _one(self, guild: GuildConfig, lane: Lane) -> Reply:
        opened = await self.responder.engine.lane_health(guild.id, lane.service, lane.environment)
        charts = self.responder.lane_charts
        picture = await quietly(charts.opened(opened), _DRAWN_WITHIN_S) if charts is not None else None
        return lane_health.answer(opened, picture)

    async def _run(self, guild: GuildConfig, lane: Lane) -> Reply:
        config = self.responder.catalog().lane(guild.id, lane.service, lane.environment)
        if not config.checks or self.responder.checks is None:
            raise phrasebook.no_checks(str(lane))
        began = asyncio.get_running_loop().time()
        at = self.responder.clock.now().timestamp()
        results = await smoke(self.responder.checks, lane, config.checks, at)
        return lane_health.smoked(lane, results, asyncio.get_running_loop().time() - began)

    @health.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "health", work)

    @health.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "health", typed)


def _gateway(interaction: AnyInteraction) -> HealthLine:
    """That this command arrived proves the connection; the latency is that of the last heartbeat."""
    latency_s = believable(interaction.client.latency)
    said = f"{latency_s * 1000:.0f} ms" if latency_s is not None else "no heartbeat measured yet"
    return HealthLine("Discord gateway", True, said)
