"""The parts of one running sandbox, put together once; handlers find them in the application."""

from pathlib import Path

from aiohttp import web

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.channels import Channels
from discord_sandbox.discord.actions.commands import CommandRegistry
from discord_sandbox.discord.actions.emojis import Emojis
from discord_sandbox.discord.actions.events import Events
from discord_sandbox.discord.actions.feed import Feed
from discord_sandbox.discord.actions.forum_posts import ForumPosts
from discord_sandbox.discord.actions.interactions import Interactions
from discord_sandbox.discord.actions.invites import Invites
from discord_sandbox.discord.actions.members import Members
from discord_sandbox.discord.actions.pins import Pins
from discord_sandbox.discord.actions.polls import Polls
from discord_sandbox.discord.actions.posts import Posts
from discord_sandbox.discord.actions.reactions import Reactions
from discord_sandbox.discord.actions.responses import Responses
from discord_sandbox.discord.actions.roles import Roles
from discord_sandbox.discord.actions.slowmode import SlowMode
from discord_sandbox.discord.actions.stages import Stages
from discord_sandbox.discord.actions.threads import Threads
from discord_sandbox.discord.actions.voice import Voice
from discord_sandbox.discord.actions.webhooks import Webhooks
from discord_sandbox.discord.endpoint.delivery import Endpoints
from discord_sandbox.discord.gateway.hub import Gateway
from discord_sandbox.discord.render.messages import MessageRenderer
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import Application, Channel, User
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.traffic.faults import Faults
from discord_sandbox.discord.traffic.rate_limits import RateLimiter
from discord_sandbox.discord.traffic.request_log import RequestLog
from discord_sandbox.world import World


class Core:
    def __init__(self, world: World, clock: Clock, processes_file: Path | None = None) -> None:
        self.clock = clock
        self.processes_file = processes_file
        self.state = State(world, clock)
        self.render = MessageRenderer(self.state)
        self.feed = Feed()
        self.faults = Faults(clock)
        self.limits = RateLimiter(clock, enforced=world.rate_limits)
        self.log = RequestLog()
        self.gateway = Gateway(self.state, clock, self.faults)
        self.broadcast = Broadcast(self.state, self.gateway, self.feed, self.render)
        self.audit = AuditLog(self.state, clock, self.broadcast)
        self.posts = Posts(self.state, clock, self.broadcast, self.render)
        self.slowmode = SlowMode(self.state, clock)
        self.reactions = Reactions(self.state, self.broadcast)
        self.emojis = Emojis(self.state, self.broadcast, self.audit)
        self.pins = Pins(self.state, clock, self.broadcast, self.audit)
        self.voice = Voice(self.state, self.broadcast, self.audit)
        self.stages = Stages(self.state, self.broadcast, self.audit)
        self.threads = Threads(self.state, clock, self.broadcast, self.audit)
        self.forum_posts = ForumPosts(self.threads, self.posts)
        self.events = Events(self.state, self.broadcast, self.audit)
        self.channels = Channels(
            self.state,
            self.broadcast,
            self.threads,
            self.voice,
            self.audit,
            stages=self.stages,
            events=self.events,
        )
        self.members = Members(
            self.state, clock, self.broadcast, self.threads, voice=self.voice, audit=self.audit
        )
        self.polls = Polls(self.state, clock, self.broadcast)
        self.roles = Roles(self.state, self.broadcast, self.audit)
        self.webhooks = Webhooks(self.state, self.broadcast, self.posts, self.audit)
        self.invites = Invites(self.state, clock, self.broadcast, self.audit)
        self.interactions = Interactions(self.state, clock, self.broadcast, self.posts)
        self.commands = CommandRegistry(self.state, clock, self.broadcast)
        self.responses = Responses(self.interactions, self.render)
        self.endpoints = Endpoints(self.interactions, self.responses)
        self.broadcast.deliver = self.endpoints.deliver
        self.url = ""
        self.gateway.on_change = self._session_changed
        self.gateway.on_voice = self.voice.requested
        self.gateway.on_begin = self.voice.began
        self.gateway.on_end = self.voice.session_ended

    def _session_changed(self, application: Application) -> None:
        """Publish the current application: a session may be older than the last reset."""
        self.feed.publish("session_update", self.state.applications.get(application.id, application))

    def direct_channel(self, application: Application, person: User) -> Channel:
        """The direct messages between a bot and a person; watchers are told of new ones."""
        known = len(self.state.channels)
        channel = self.state.direct_channel(application, person)
        if len(self.state.channels) > known:
            self.broadcast.direct_opened(channel)
        return channel

    def bind(self, url: str) -> None:
        """Set the address of the sandbox (`http://127.0.0.1:port`)."""
        self.url = url
        self.render.cdn = f"{url}/cdn"
        self.gateway.url = f"ws{url.removeprefix('http')}/gateway/"

    @property
    def api_base(self) -> str:
        return f"{self.url}/api/v10"

    def restart(self, *, keep_commands: bool) -> None:
        """Return to the start. Connections stay, and are told to identify again."""
        self.end_all("The sandbox was reset.")
        self.clock.restart()
        self.log.clear()
        self.state.restart(keep_commands=keep_commands)
        self.feed.begin_again()

    def end_all(self, why: str) -> None:
        """End what must not outlive the world: open interactions, faults, rate limits, sessions."""
        self.interactions.clear(why)
        self.faults.clear()
        self.limits.clear()
        self.gateway.invalidate_all()


CORE: web.AppKey[Core] = web.AppKey("core", Core)
