"""Discord client with minimal intents, and `GatewayConnection`, which outlives each client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping
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
from bot.ui.incidents.marked_messages import marked
from bot.ui.interactions.handlers import of_rollout, orphaned, pressed
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Responder

_log = structlog.get_logger(__name__)

# Slipway does not use voice: silence the warnings about missing libraries.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

_CHUNK_S = 10.0

MakeCog = Callable[[Responder], commands.Cog]


def point_at(api_base: str | None, gateway: str | None, cdn: str | None = None) -> None:
    """Point discord.py at other servers, such as the sandbox. None keeps an address. Affects the whole process."""
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    if api_base:
        Route.BASE = api_base.rstrip("/")
    if gateway:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    if cdn:
        discord.Asset.BASE = cdn.rstrip("/")


def believable(latency_s: float) -> float | None:
    """discord.py's latency, or None when it is no measurement: infinite at first, too long after a quick answer."""
    return latency_s if 0 <= latency_s < 10 else None


class GatewayConnection:
    """The current connection. The supervisor sets the client; others read it."""

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
        """Latency of the last heartbeat; None when unknown."""
        return believable(self._client.latency) if self._client is not None and self.connected else None

    async def presences(self, guild_ids: Iterable[int], user_ids: Collection[int]) -> Mapping[int, str]:
        """How Discord shows these users (at most 100), without those who are in none of the servers.

        Raises `Unreachable`.
        """
        if self._client is None or not self.connected:
            raise Unreachable(f"Discord: {self.trouble or 'not connected'}")
        return await self._client.presences(guild_ids, user_ids)

    async def resync(self) -> None:
        """Compare every server's commands again, after a reload of the catalog."""
        if self._client is not None and self.connected:
            await self._client.sync_commands()


class Tree(app_commands.CommandTree["SlipwayBot"]):
    """Commands are in the tree without a server; `sync_commands` registers them with each server."""

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer errors outside `Responder.answer`, such as an outdated command or an invalid option."""
        reply = explain(error, command=interaction.command.name if interaction.command else "unknown")
        if (
            interaction.type is discord.InteractionType.application_command
            and not interaction.response.is_done()
        ):
            await interaction.response.send_message(reply.content, ephemeral=True)


class SlipwayBot(commands.Bot):
    """The client. The supervisor creates a new one after each failure, so it keeps nothing of value."""

    def __init__(
        self,
        responder: Responder,
        cogs: Iterable[MakeCog],
        notes: NoteStore,
        budget: IdentifyBudget,
        *,
        presences: bool = False,
    ) -> None:
        """presences: whether to ask for the privileged intent of that name."""
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True, guild_reactions=True, presences=presences),
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
        """Count every IDENTIFY first. Discord asks for a random pause before each but the first."""
        self.offline_since = None
        try:
            if not initial:
                await asyncio.sleep(random.uniform(1.0, 5.0))
            await self._budget.record()
        finally:
            # The pause that Discord asks for does not count as being offline.
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
        _log.info("discord_ready", user=str(self.user), guilds=len(self.guilds))
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self.sync_commands())

    async def sync_commands(self) -> None:
        """Register the commands with every server of the catalog that does not have them."""
        wanted = command_registration.manifest(self.tree)
        for guild_id in self.responder.catalog().guilds:
            try:
                said = await command_registration.sync(
                    self, guild_id, wanted, self._notes, self.responder.clock.now()
                )
            except Exception as error:
                said = f"sync failed: {error!r}"
            _log.info("commands_synced", guild_id=guild_id, result=said)

    async def presences(self, guild_ids: Iterable[int], user_ids: Collection[int]) -> Mapping[int, str]:
        """As of `GatewayConnection.presences`."""
        if not self.intents.presences:
            raise Unreachable(
                "Discord: the Presence intent is not requested; set SLIPWAY_DISCORD_PRESENCES=1"
            )
        found: dict[int, str] = {}
        for guild in filter(None, map(self.get_guild, guild_ids)):
            try:
                async with asyncio.timeout(_CHUNK_S):
                    members = await guild.query_members(
                        limit=100, user_ids=list(user_ids)[:100], presences=True, cache=False
                    )
            except TimeoutError:
                raise Unreachable(f"Discord: no members of {guild.id} within {_CHUNK_S:g} s") from None
            found |= {member.id: str(member.status) for member in members}
        return found

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Call what listens for the event.

        A press on a rollout's card concerns no cog. Their listeners, each in a task, would all run before its answer.
        """
        if event == "interaction" and of_rollout(args[0]):
            discord.Client.dispatch(self, event, *args, **kwargs)
        else:
            super().dispatch(event, *args, **kwargs)

    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses and forms. Slash commands come through the tree; `/history` handles its own pages."""
        kinds = (discord.InteractionType.component, discord.InteractionType.modal_submit)
        if interaction.type in kinds and not await pressed(self.responder, interaction):
            await orphaned(self.responder, interaction)

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """Messages that people mark in the thread of an incident."""
        if self.responder.incidents is not None and payload.guild_id in self.responder.catalog().guilds:
            await marked(self.responder.incidents, self, payload)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        _log.exception("event_failed", gateway_event=event_method)

    async def close(self) -> None:
        self._went_offline()
        if self._syncing is not None:
            self._syncing.cancel()
        await super().close()


__all__ = ["GatewayConnection", "SlipwayBot", "SlowDown", "Tree", "point_at"]
