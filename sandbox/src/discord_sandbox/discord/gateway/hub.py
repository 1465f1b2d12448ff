"""All sessions, and which of them gets an event: intents, shards, permissions, message content."""

from collections.abc import Callable, Collection

from discord_sandbox.discord.gateway import access, payloads
from discord_sandbox.discord.gateway.sessions import DIRECT, GUILDS, MESSAGES, Session, Socket
from discord_sandbox.discord.render.encoding import dumps
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import JSON, Application, Channel, Guild, Message
from discord_sandbox.discord.state.store import State
from discord_sandbox.discord.traffic.faults import Fault, Faults

CONTENT = 1 << 15


class Gateway:
    """`url` is the address that bots connect to; `on_change` is called when a session comes or goes.

    `on_voice` gets what a bot asks for with op 4; `on_begin` a new session with the ids of all, `on_end` one that
    cannot be resumed any more.
    """

    def __init__(self, state: State, clock: Clock, faults: Faults) -> None:
        self.state = state
        self.clock = clock
        self.faults = faults
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.sockets: set[Socket] = set()
        self.on_change: Callable[[Application], None] = lambda application: None
        self.on_voice: Callable[[Session, JSON], None] = lambda session, data: None
        self.on_begin: Callable[[Session, set[str]], None] = lambda session, live: None
        self.on_end: Callable[[Session], None] = lambda session: None

    def resume_url(self, application: Application) -> str:
        """Each application's own, so that faults that name one can refuse its connections."""
        return f"{self.url}resume/{application.id}/"

    def of(self, application: Application) -> list[Session]:
        return [one for one in self.sessions.values() if one.application.id == application.id]

    def connected(self, application: Application) -> bool:
        return any(one.connected for one in self.of(application))

    def online(self) -> set[str]:
        """Ids of the bots that are connected; people have no gateway here."""
        applications = self.state.applications.values()
        return {application.user.id for application in applications if self.connected(application)}

    def _targets(
        self,
        intent: int,
        guild: Guild,
        channel: Channel | None,
        also: Application | None = None,
        needs: int = 0,
    ) -> list[Session]:
        found = []
        now: float | None = None
        if guild.hidden:
            intent = DIRECT.get(intent, intent)
        for session in list(self.sessions.values()):
            if session.left_at is not None:
                now = self.clock.now() if now is None else now
                if session.expired(now):
                    self.drop(session)
                    continue
            wanted = not intent or session.intents & intent
            concerned = also is not None and session.application.id == also.id and session.intents & GUILDS
            if not (wanted or concerned) or not session.owns(guild):
                continue
            if self._sees(session.application, guild, channel, needs):
                found.append(session)
        return found

    def _sees(self, application: Application, guild: Guild, channel: Channel | None, needs: int) -> bool:
        if not guild.hidden and guild.id not in application.guilds:
            return False
        if channel is None and not needs:
            return True
        member = guild.members.get(application.id)
        needed = needs or perms.VIEW_CHANNEL
        return member is not None and bool(self.state.permissions(member, channel) & needed)

    def to_guild(
        self,
        guild: Guild,
        event: str,
        data: JSON,
        *,
        intent: int = GUILDS,
        channel: Channel | None = None,
        also: Application | None = None,
        without: Collection[str] = (),
        needs: int = 0,
    ) -> list[str]:
        """Send to every bot in the guild that sees the channel and has the intent; `also` needs only GUILDS.

        without: ids of sessions that are not sent it; needs: permissions in the channel or guild, of which bots have
        one. Returns the ids of the sessions that are sent it.
        """
        found = self._targets(intent, guild, channel, also, needs)
        targets = [one for one in found if one.id not in without]
        if targets:
            dumped = dumps(data)
            for session in targets:
                self._deliver(session, event, dumped)
        return [one.id for one in targets]

    def to_session(self, session_id: str, event: str, data: JSON) -> None:
        """Send to one session, whatever its intents; to none if it is gone."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._deliver(session, event, dumps(data))

    def drop(self, session: Session) -> None:
        """Forget a session, which cannot be resumed any more."""
        if self.sessions.pop(session.id, None) is not None:
            self.on_end(session)

    def to_application(self, application: Application, guild: Guild, event: str, data: JSON) -> None:
        """Send to one application, whatever its intents: interactions, its own commands' permissions."""
        dumped: str | None = None
        for session in list(self.sessions.values()):
            if session.application.id != application.id or not session.owns(guild):
                continue
            if dumped is None:
                dumped = dumps(data)
            self._deliver(session, event, dumped)

    def moved(self, application: Application, guild: Guild, *, joined: bool) -> None:
        """Tell a bot that it joined a guild, which it is sent whole, or left it."""
        for session in self.of(application):
            if not session.owns(guild) or not session.intents & GUILDS:
                continue
            if joined:
                created = payloads.guild_create(self.state, session, guild)
                del created["unavailable"]  # its absence tells a new guild from one that is back
                self._deliver(session, "GUILD_CREATE", dumps(created))
            else:
                self._deliver(session, "GUILD_DELETE", dumps({"id": guild.id}))

    def channel(self, event: str, channel: Channel) -> None:
        """Tell every bot in the guild of a channel: to those that cannot see it, no more than that it is there."""
        for session in self._targets(GUILDS, channel.guild, None):
            self._deliver(session, event, dumps(access.told(self.state, session, channel)))

    def access_changed(self, guild: Guild, known: Channel | None = None) -> None:
        """Tell bots of the channels that they see, or do not see any more, since something changed.

        Of those that they see now they are sent the active threads. known: a channel that they were told of already.
        """
        for session in self._targets(GUILDS, guild, None):
            found = access.changed(self.state, session, guild)
            for one in found:
                if one is not known:
                    body = access.told(self.state, session, one)
                    self._deliver(session, "CHANNEL_UPDATE", dumps(body))
            places = access.with_threads(session, found)
            if places:
                data = access.thread_list_sync(self.state, session, guild, places)
                self._deliver(session, "THREAD_LIST_SYNC", dumps(data))

    def channel_made(self, channel: Channel) -> None:
        """A new channel has no threads that a bot could lack; its category may be seen with it."""
        for session in self._targets(GUILDS, channel.guild, channel):
            access.note(session, channel)
        self.access_changed(channel.guild)

    def message(self, event: str, message: Message, data: JSON) -> None:
        """Send a message event; without the privileged intent, other authors' messages lack their content."""
        dumped: str | None = None
        blank: str | None = None
        for session in self._targets(MESSAGES, message.channel.guild, message.channel):
            app = session.application
            own = message.author.id == app.id or app.id in message.mentions or message.channel.is_direct
            full = session.intents & CONTENT or own
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
        if self.faults.take("duplicate_delivery", session.application.name, event=event) is not None:
            session.dispatch(event, dumped)

    def end_all(self, application: Application, code: int, reason: str) -> None:
        """End every session of the application for good."""
        for session in self.of(application):
            self.drop(session)
            if session.socket is not None:
                session.socket.close(code, reason)
        self.on_change(application)

    def invalidate_all(self) -> None:
        """Send op 9 to every session: identify again."""
        for session in list(self.sessions.values()):
            del self.sessions[session.id]
            if session.socket is not None:
                session.socket.send_op(9, False)

    def refuses_connections(self, resuming: str | None) -> bool:
        """Whether a fault makes the address unreachable; a drop does so only with a duration.

        resuming: the application that this resume address is for. At the address for all of them, it is known
        only once the client identifies: there, a drop that names an application cuts it then.
        """
        application = self.state.applications.get(resuming or "")
        name = application.name if application is not None else None
        if resuming is not None and self.faults.take("dead_resume", name) is not None:
            return True
        return any(
            fault.kind == "gateway_drop"
            and fault.seconds is not None
            and fault.application in (None, name)
            and self.faults.is_active(fault)
            for fault in self.faults.all.values()
        )

    def apply_fault(self, session: Session, fault: Fault) -> None:
        """Apply a fault of a kind in `SESSIONS` to a connected session."""
        socket = session.socket
        if socket is None:
            return
        if fault.kind == "op7":
            socket.send_op(7)
        elif fault.kind == "op9":
            self.drop(session)
            socket.send_op(9, False)
        elif fault.code is not None:
            socket.close(fault.code, "")
        else:
            socket.abort()
