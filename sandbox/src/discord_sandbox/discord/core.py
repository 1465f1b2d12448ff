"""The parts of one running sandbox, put together once; handlers find them in the application."""

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from discord_sandbox.discord.answers import Answers
from discord_sandbox.discord.broadcast import Broadcast
from discord_sandbox.discord.clock import Clock
from discord_sandbox.discord.conversations import Conversations
from discord_sandbox.discord.faults import Faults
from discord_sandbox.discord.feed import Feed
from discord_sandbox.discord.gateway.hub import Gateway
from discord_sandbox.discord.model import Application
from discord_sandbox.discord.posts import Posts
from discord_sandbox.discord.ratelimits import RateLimits
from discord_sandbox.discord.registry import Registry
from discord_sandbox.discord.render_message import MessageRenderer
from discord_sandbox.discord.requestlog import RequestLog
from discord_sandbox.discord.state import State
from discord_sandbox.discord.threads import Threads
from discord_sandbox.discord.world import World

if TYPE_CHECKING:
    from discord_sandbox.discord.gateway.sessions import Socket


class Core:
    def __init__(self, world: World, clock: Clock, processes_file: Path | None = None) -> None:
        self.clock = clock
        self.processes_file = processes_file
        self.state = State(world, clock)
        self.render = MessageRenderer(self.state)
        self.feed = Feed()
        self.faults = Faults(clock)
        self.limits = RateLimits(clock, enforced=world.rate_limits)
        self.log = RequestLog()
        self.gateway = Gateway(self.state, clock, self.faults)
        self.broadcast = Broadcast(self.state, self.gateway, self.feed, self.render)
        self.posts = Posts(self.state, clock, self.broadcast, self.render)
        self.threads = Threads(self.state, clock, self.broadcast)
        self.conversations = Conversations(self.state, clock, self.broadcast, self.posts)
        self.registry = Registry(self.state, clock, self.broadcast)
        self.answers = Answers(self.conversations, self.render)
        self.sockets: set[Socket] = set()
        self.url = ""
        self.resume_url = ""
        self.gateway.on_change = self._session_changed

    def _session_changed(self, application: Application) -> None:
        """A session may be older than the last reset: what is shown is the application of today."""
        self.feed.publish("session_update", self.state.applications.get(application.id, application))

    def bind(self, url: str) -> None:
        """Says at which address all this is reached (`http://127.0.0.1:port`)."""
        self.url = url
        self.render.cdn = f"{url}/cdn"
        self.resume_url = f"{self.gateway_url}resume/"

    @property
    def api_base(self) -> str:
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/gateway/"

    def restart(self, *, keep_commands: bool) -> None:
        """Back to the start: everything but the connections, which are told to identify anew."""
        self.conversations.clear()
        self.clock.restart()
        self.faults.clear()
        self.limits.clear()
        self.log.clear()
        self.gateway.invalidate_all()
        self.state.restart(keep_commands=keep_commands)
        self.feed.publish("reset", None)


CORE: web.AppKey[Core] = web.AppKey("core", Core)
