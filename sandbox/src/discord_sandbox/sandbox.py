"""A running sandbox, for use in the same process."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.saving.restoring import restore, save
from discord_sandbox.discord.saving.saved import SavedWorld
from discord_sandbox.discord.state.clock import Clock, WallClock
from discord_sandbox.discord.state.ids import named_id
from discord_sandbox.server import ENDPOINTS, create_app
from discord_sandbox.testing.api import JSON, ApiClient
from discord_sandbox.testing.people import Person
from discord_sandbox.testing.reading import ChannelReader
from discord_sandbox.testing.recorder import Recorder
from discord_sandbox.testing.seen import SeenMessage
from discord_sandbox.world import World


class Sandbox:
    """`async with Sandbox() as sandbox`: `api_base`, `gateway_url` and `token()` are what a bot needs.

    `port` 0 picks a free one. Ids come from names, so they are the same in every run. With `saved`, it starts where
    that world was saved, and with its settings unless `world` has others.
    """

    def __init__(
        self,
        world: World | None = None,
        port: int = 0,
        *,
        saved: SavedWorld | None = None,
        clock: Clock | None = None,
        processes_file: Path | None = None,
    ) -> None:
        if world is None:
            world = World() if saved is None else saved.world()
        self.app = create_app(world, clock or WallClock(), processes_file=processes_file)
        self._saved = saved
        self._port = port
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        self._client: ApiClient | None = None

    @property
    def core(self) -> Core:
        return self.app[CORE]

    @property
    def url(self) -> str:
        return self.core.url

    @property
    def api_base(self) -> str:
        """Base URL of Discord's REST API."""
        return self.core.api_base

    @property
    def api(self) -> str:
        """Base URL of the sandbox's own JSON API."""
        return f"{self.url}/sandbox/v1"

    @property
    def gateway_url(self) -> str:
        return self.core.gateway.url

    async def start(self) -> None:
        """Raises OSError if the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.core.bind(f"http://{host}:{port}")
        if self._saved is not None:
            restore(self.core, self._saved)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def call(self, method: str, path: str, body: JSON | None = None, **query: object) -> Any:
        """A call of the JSON API: `await sandbox.call("POST", "faults", {"kind": "503"})`. Raises CallRefused."""
        return await self._api().call(method, path, body, **query)

    async def save(self) -> SavedWorld:
        """The world as it is now: everything but sessions, faults, the log of calls and rate limits."""
        return save(self.core)

    async def restore(self, saved: SavedWorld) -> None:
        """Return to a saved world, and to the moment of the save. Bots identify again, faults end."""
        restore(self.core, saved)

    def person(self, name: str, *, guild: str = "", application: str = "", patience: float = 5.0) -> Person:
        """A person to act as. `guild` and `application`: where names are ambiguous. `patience`: in seconds."""
        return Person(self._api(), name, guild=guild, application=application, patience=patience)

    async def messages(self, channel: str, *, guild: str = "", limit: int = 100) -> list[SeenMessage]:
        """The newest messages of a channel or thread that everyone there sees; newest last."""
        return await ChannelReader(self._api(), guild=guild or None).messages(channel, limit)

    async def wait_for_message(
        self,
        channel: str,
        text: str = "",
        *,
        author: str = "",
        after: SeenMessage | None = None,
        seconds: float = 5.0,
    ) -> SeenMessage:
        """The newest message with `text` in its visible text: now, or as soon as one is posted or edited so.

        `channel` can be a thread that does not exist yet. With `after`, only messages after that one fit. Raises
        AssertionError after `seconds`, with what is there instead.
        """
        reader = ChannelReader(self._api())
        return await reader.wait_for_message(channel, text, author=author, after=after, seconds=seconds)

    async def voice(self, channel: str = "", *, guild: str = "") -> list[JSON]:
        """Who is in a voice channel, or in any: `user`, `mute`, `self_mute` and more, as `GET voice` answers."""
        query = {key: value for key, value in (("channel", channel), ("guild", guild)) if value}
        found: list[JSON] = (await self._api().call("GET", "voice", None, **query))["voice"]
        return found

    def recorder(self) -> Recorder:
        """What bots call from now on."""
        return Recorder(self.core.log, (f"{one.method} {one.path}" for one in ENDPOINTS))

    def _api(self) -> ApiClient:
        if self._client is None:
            self._client = ApiClient(self.api)
        return self._client

    def token(self, application: str = "") -> str:
        """The bot's current token; the first application's unless named."""
        return self.core.state.applications[self.application_id(application)].token

    def application_id(self, application: str = "") -> str:
        return named_id("application", application or self.core.state.world.applications[0].name)

    def guild_id(self, guild: str = "") -> str:
        return named_id("guild", self._guild(guild))

    def channel_id(self, channel: str, guild: str = "") -> str:
        return named_id("channel", self._guild(guild), channel.removeprefix("#"))

    def role_id(self, role: str, guild: str = "") -> str:
        return named_id("role", self._guild(guild), role)

    def person_id(self, person: str) -> str:
        return named_id("user", person)

    def _guild(self, name: str) -> str:
        return name or self.core.state.world.guilds[0].name

    def describe(self) -> dict[str, object]:
        """Addresses, bots and guilds: what `discord-sandbox` prints when it is ready."""
        state = self.core.state
        return {
            "url": self.url,
            "api_base": self.api_base,
            "gateway_url": self.gateway_url,
            "cdn_url": self.core.render.cdn,
            "applications": [
                {"id": one.id, "name": one.name, "token": one.token} for one in state.applications.values()
            ],
            "guilds": [
                {
                    "id": guild.id,
                    "name": guild.name,
                    "channels": {one.name: one.id for one in guild.channels.values() if not one.is_thread},
                    "roles": {one.name: one.id for one in guild.roles.values()},
                }
                for guild in state.guilds.values()
            ],
        }
