"""All sessions, and who of them is told what: intents, shards, what a bot may see, message content."""

from collections.abc import Callable

from discord_sandbox.discord import permissions as perms
from discord_sandbox.discord.clock import Clock
from discord_sandbox.discord.faults import Faults
from discord_sandbox.discord.gateway.sessions import Session, dumps
from discord_sandbox.discord.model import JSON, Application, Channel, Guild, Message
from discord_sandbox.discord.state import State

GUILDS, MEMBERS, REACTIONS, TYPING = 1 << 0, 1 << 1, 1 << 10, 1 << 11
MESSAGES, CONTENT = 1 << 9, 1 << 15


class Gateway:
    def __init__(self, state: State, clock: Clock, faults: Faults) -> None:
        self._state = state
        self._clock = clock
        self._faults = faults
        self.sessions: dict[str, Session] = {}
        self.on_change: Callable[[Application], None] = lambda application: None

    def of(self, application: Application) -> list[Session]:
        return [one for one in self.sessions.values() if one.application.id == application.id]

    def connected(self, application: Application) -> bool:
        return any(one.connected for one in self.of(application))

    def _targets(self, intent: int, guild: Guild, channel: Channel | None) -> list[Session]:
        found = []
        now: float | None = None
        for session in list(self.sessions.values()):
            if session.left_at is not None:
                now = self._clock.now() if now is None else now
                if session.expired(now):
                    del self.sessions[session.id]
                    continue
            if (intent and not session.intents & intent) or not session.owns(guild):
                continue
            if self._sees(session.application, guild, channel):
                found.append(session)
        return found

    def _sees(self, application: Application, guild: Guild, channel: Channel | None) -> bool:
        if guild.id not in application.guilds:
            return False
        if channel is None:
            return True
        member = guild.members.get(application.id)
        return member is not None and bool(self._state.permissions(member, channel) & perms.VIEW_CHANNEL)

    def to_guild(
        self, guild: Guild, event: str, data: JSON, *, intent: int = GUILDS, channel: Channel | None = None
    ) -> None:
        """Tells everybody in the guild who asked for such events and sees the channel."""
        targets = self._targets(intent, guild, channel)
        if targets:
            dumped = dumps(data)
            for session in targets:
                self._deliver(session, event, dumped)

    def to_application(self, application: Application, guild: Guild, event: str, data: JSON) -> None:
        """Tells one application, whatever its intents: interactions, its own commands' permissions."""
        dumped: str | None = None
        for session in list(self.sessions.values()):
            if session.application.id != application.id or not session.owns(guild):
                continue
            if dumped is None:
                dumped = dumps(data)
            self._deliver(session, event, dumped)

    def message(self, event: str, message: Message, data: JSON) -> None:
        """A message event: without the privileged intent, others' messages come without content."""
        dumped: str | None = None
        blank: str | None = None
        for session in self._targets(MESSAGES, message.channel.guild, message.channel):
            app = session.application
            full = session.intents & CONTENT or message.author.id == app.id or app.id in message.mentions
            if full:
                dumped = dumps(data) if dumped is None else dumped
                self._deliver(session, event, dumped)
            else:
                if blank is None:
                    nothing: JSON = {"content": "", "embeds": [], "attachments": [], "components": []}
                    blank = dumps(data | nothing)
                self._deliver(session, event, blank)

    def _deliver(self, session: Session, event: str, dumped: str) -> None:
        session.dispatch(event, dumped)
        if self._faults.take("duplicate_delivery", session.application.name, event=event) is not None:
            session.dispatch(event, dumped)

    def end_all(self, application: Application, code: int, reason: str) -> None:
        """Ends every session of the application for good."""
        for session in self.of(application):
            del self.sessions[session.id]
            if session.socket is not None:
                session.socket.close(code, reason)
        self.on_change(application)

    def invalidate_all(self) -> None:
        """Op 9 to everybody: identify anew."""
        for session in list(self.sessions.values()):
            del self.sessions[session.id]
            if session.socket is not None:
                session.socket.send_op(9, False)
