"""The connection to Discord: one client with minimal intents, and `GatewayConnection`, which outlives it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

import discord
import structlog
import yarl
from discord import app_commands
from discord.ext import commands

from bot.ports.errors import Unreachable
from bot.ports.store import NoteStore
from bot.ui.errors import explain
from bot.ui.gateway import command_registration
from bot.ui.gateway.identify_budget import IdentifyBudget, SlowDown
from bot.ui.interactions.handlers import orphaned, pressed
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Responder

_log = structlog.get_logger(__name__)

# Slipway never speaks; discord.py need not say at every start that it could not.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

MakeCog = Callable[[Responder], commands.Cog]


def point_at(api_base: str | None, gateway: str | None, cdn: str | None = None) -> None:
    """Send discord.py elsewhere than to Discord (the sandbox). None leaves what is; affects the whole process."""
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    if api_base:
        Route.BASE = api_base.rstrip("/")
    if gateway:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    if cdn:
        discord.Asset.BASE = cdn.rstrip("/")


def believable(latency_s: float) -> float | None:
    """discord.py's figure, or None: it is infinite at first, and a heartbeat's distance when an answer was quick."""
    return latency_s if 0 <= latency_s < 10 else None


class GatewayConnection:
    """The present connection, for those who speak and for those who look. The supervisor puts clients in and out."""

    def __init__(self) -> None:
        self._client: SlipwayBot | None = None
        self.trouble = "not connected yet"

    def hold(self, client: SlipwayBot | None, trouble: str = "") -> None:
        self._client = client
        self.trouble = trouble

    def rest(self) -> discord.Client:
        """A client that can make REST calls. Raises `Unreachable` while there is none."""
        client = self._client
        if client is None or client.is_closed() or client.user is None:
            raise Unreachable(f"Discord: {self.trouble or 'not logged in'}")
        return client

    @property
    def connected(self) -> bool:
        """Whether interactions can reach us now."""
        return self._client is not None and self._client.online

    @property
    def latency_s(self) -> float | None:
        """Of the last heartbeat; None when it is not known."""
        return believable(self._client.latency) if self._client is not None and self.connected else None

    async def resync(self) -> None:
        """Look again at every server's commands, after the catalog was reloaded."""
        if self._client is not None and self.connected:
            await self._client.sync_commands()


class Tree(app_commands.CommandTree["SlipwayBot"]):
    """Commands live in the tree without a server; `sync` tells each server of the catalog."""

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """What went wrong outside `Responder.answer`: a stale command, an option that could not be read."""
        reply = explain(error, command=interaction.command.name if interaction.command else "unknown")
        if (
            interaction.type is discord.InteractionType.application_command
            and not interaction.response.is_done()
        ):
            await interaction.response.send_message(reply.content, ephemeral=True)


class SlipwayBot(commands.Bot):
    """Made anew by the supervisor whenever the one before it died; holds nothing that would be missed."""

    def __init__(
        self, responder: Responder, cogs: Iterable[MakeCog], notes: NoteStore, budget: IdentifyBudget
    ) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            tree_cls=Tree,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=0.5,
            max_ratelimit_timeout=30.0,
        )
        self.responder = responder
        self.online = False
        self.offline_since: float | None = None
        self._make = tuple(cogs)
        self._notes = notes
        self._budget = budget
        self._syncing: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        for make in self._make:
            await self.add_cog(make(self.responder))
        self._went_offline()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Every IDENTIFY is counted first. Discord asks for a random pause before one that is not the first."""
        self.offline_since = None
        try:
            if not initial:
                await asyncio.sleep(random.uniform(1.0, 5.0))
            await self._budget.record()
        finally:
            # The pause that Discord asks for is no deafness.
            self.offline_since = asyncio.get_running_loop().time()

    async def on_connect(self) -> None:
        self.online, self.offline_since = True, None

    async def on_resumed(self) -> None:
        self.online, self.offline_since = True, None

    async def on_disconnect(self) -> None:
        self._went_offline()

    def _went_offline(self) -> None:
        self.online = False
        if self.offline_since is None:
            self.offline_since = asyncio.get_running_loop().time()

    async def on_ready(self) -> None:
        _log.info("ready", user=str(self.user), guilds=len(self.guilds))
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self.sync_commands())

    async def sync_commands(self) -> None:
        """Every server of the catalog gets the commands, if it does not have them."""
        wanted = command_registration.manifest(self.tree)
        for guild_id in self.responder.catalog().guilds:
            try:
                said = await command_registration.sync(
                    self, guild_id, wanted, self._notes, self.responder.clock.now()
                )
            except Exception as error:
                said = f"could not be synced: {error!r}"
            _log.info("commands", guild=guild_id, result=said)

    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses and forms. Slash commands come through the tree; `/history` turns its own pages."""
        kinds = (discord.InteractionType.component, discord.InteractionType.modal_submit)
        if interaction.type in kinds and not await pressed(self.responder, interaction):
            await orphaned(self.responder, interaction)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        _log.exception("event_failed", gateway_event=event_method)

    async def close(self) -> None:
        self._went_offline()
        if self._syncing is not None:
            self._syncing.cancel()
        await super().close()


__all__ = ["GatewayConnection", "SlipwayBot", "SlowDown", "Tree", "point_at"]
