"""One WebSocket connection: handshake, limits, and what a bot may send on it."""

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from discord_sandbox.discord.gateway import payloads
from discord_sandbox.discord.gateway.hub import Gateway
from discord_sandbox.discord.gateway.sessions import FINAL, GUILDS, LEAVES, PRESENCES, Session, Socket
from discord_sandbox.discord.gateway.transport import ENCODERS
from discord_sandbox.discord.render.encoding import dumps
from discord_sandbox.discord.state.model import JSON, Application
from discord_sandbox.discord.traffic.faults import SESSIONS

GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
REQUEST_MEMBERS, SOUNDS, CHANNEL_INFO = 8, 31, 43
ANSWERED = (REQUEST_MEMBERS, SOUNDS, CHANNEL_INFO)
LARGEST, PER_MINUTE, DAY = 4096, 120, 86_400.0
ALL_INTENTS = 0x3FFFFFF
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15


class CloseError(Exception):
    """Ends the connection with one of Discord's close codes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def connect(request: web.Request) -> web.StreamResponse:
    """GET /gateway/, and /gateway/resume/{application}/, the address for resuming that READY gives."""
    gateway = request.app[GATEWAY]
    if gateway.refuses_connections(request.match_info.get("application")) and request.transport is not None:
        request.transport.abort()
        return web.Response(status=503)
    encoder = ENCODERS.get(request.query.get("compress", ""))
    ws = web.WebSocketResponse(compress=False, autoclose=True, max_msg_size=1 << 20)
    await ws.prepare(request)
    socket = Socket(ws, request.transport, (encoder or ENCODERS[""])())
    gateway.sockets.add(socket)
    version = request.query.get("v", "10")
    connection = Connection(gateway, ws, socket, version)
    left: int | None = None
    try:
        if version not in ("9", "10"):
            raise CloseError(4012, "Invalid API version")
        if encoder is None or request.query.get("encoding", "json") != "json":
            raise CloseError(4002, "Error while decoding payload")
        left = await connection.run()
    except CloseError as error:
        socket.close(error.code, error.reason)
        await asyncio.wait([socket.writer], timeout=2)
    finally:
        gateway.sockets.discard(socket)
        connection.ended(left)
        socket.writer.cancel()
    return ws


class Connection:
    def __init__(self, gateway: Gateway, ws: web.WebSocketResponse, socket: Socket, version: str) -> None:
        self._gateway = gateway
        self._ws = ws
        self._socket = socket
        self._version = version
        self._session: Session | None = None
        self._received: deque[float] = deque(maxlen=PER_MINUTE)

    async def run(self) -> int | None:
        """Serve the connection until its end; the code of a client that closed it. Raises CloseError."""
        interval = self._gateway.state.world.heartbeat_interval_ms
        self._socket.send_op(10, {"heartbeat_interval": interval, "_trace": ["sandbox"]})
        while True:
            try:
                message = await self._ws.receive(timeout=interval / 1000 * 1.6 + 5)
            except TimeoutError:
                raise CloseError(4009, "Session timed out.") from None
            if message.type is WSMsgType.CLOSE:
                return int(message.data)
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            self._count()
            raw = message.data if isinstance(message.data, bytes) else message.data.encode()
            if len(raw) > LARGEST:
                raise CloseError(4002, "Error while decoding payload.")
            try:
                payload = json.loads(raw)
                op = payload["op"]
            except (ValueError, KeyError, TypeError):
                raise CloseError(4002, "Error while decoding payload.") from None
            self._handle(op, payload.get("d"))

    def _count(self) -> None:
        now = self._gateway.clock.now()
        if len(self._received) == PER_MINUTE and now - self._received[0] < 60:
            raise CloseError(4008, "You are being rate limited.")
        self._received.append(now)

    def _handle(self, op: int, data: Any) -> None:
        if op == 1:
            name = self._session.application.name if self._session is not None else None
            if self._gateway.faults.take("missed_acks", name) is None:
                self._socket.send_op(11)
        elif op == 2:
            self._identify(data)
        elif op == 6:
            self._resume(data)
        elif op not in (3, 4, *ANSWERED):
            raise CloseError(4001, "Unknown opcode.")
        elif self._session is None:
            raise CloseError(4003, "Not authenticated.")
        elif op in ANSWERED and isinstance(data, dict):
            self._answer(self._session, op, data)
        elif op == 4:
            if not isinstance(data, dict):
                raise CloseError(4002, "Error while decoding payload.")
            self._gateway.on_voice(self._session, data)

    def _application(self, data: Any) -> Application:
        token = data.get("token") if isinstance(data, dict) else None
        application = self._gateway.state.by_token.get(str(token).removeprefix("Bot "))
        if application is None:
            raise CloseError(4004, "Authentication failed.")
        return application

    def _identify(self, data: Any) -> None:
        if self._session is not None:
            raise CloseError(4005, "Already authenticated.")
        application = self._application(data)
        intents = data.get("intents")
        if not isinstance(intents, int) or intents < 0 or intents & ~ALL_INTENTS:
            raise CloseError(4013, "Invalid intent(s).")
        if intents & PRIVILEGED & ~application.privileged_intents:
            raise CloseError(4014, "Disallowed intent(s).")
        if not isinstance(data.get("properties"), dict):
            raise CloseError(4002, "Error while decoding payload.")
        shard = _shard(data.get("shard"))
        self._spend(application)
        now = self._gateway.clock.now()
        session = Session(application, intents, shard or (0, 1), now, sharded=shard is not None)
        others = self._gateway.sessions.values()
        self._gateway.on_begin(session, {one.id for one in others if not one.expired(now)})
        self._gateway.sessions[session.id] = session
        self._session = session
        session.socket = self._socket
        ready = payloads.ready(session, self._gateway.resume_url(application), int(self._version))
        session.dispatch("READY", dumps(ready))
        if intents & GUILDS:
            for guild in application.guilds.values():
                if session.owns(guild):
                    created = payloads.guild_create(self._gateway.state, session, guild)
                    session.dispatch("GUILD_CREATE", dumps(created))
        self._established(session)

    def _spend(self, application: Application) -> None:
        """Spend one of the day's IDENTIFYs. One too many ends all sessions and resets the token."""
        now = self._gateway.clock.now()
        recent = [one for one in application.identifies if now - one < DAY]
        application.identifies = [*recent, now]
        if len(recent) >= self._gateway.state.world.identifies_per_day:
            self._gateway.end_all(application, 4004, "Authentication failed.")
            self._gateway.state.reset_token(application)
            raise CloseError(4004, "Authentication failed.")

    def _established(self, session: Session) -> None:
        self._gateway.on_change(session.application)
        for kind in SESSIONS:
            fault = self._gateway.faults.take(kind, session.application.name)
            if fault is not None:
                self._gateway.apply_fault(session, fault)

    def _resume(self, data: Any) -> None:
        if self._session is not None:
            raise CloseError(4005, "Already authenticated.")
        application = self._application(data)
        session = self._gateway.sessions.get(str(data.get("session_id")))
        now = self._gateway.clock.now()
        if session is None or session.application.id != application.id or session.expired(now):
            self._socket.send_op(9, False)
            return
        seq = data.get("seq")
        if not isinstance(seq, int) or seq > session.seq:
            raise CloseError(4007, "Invalid seq.")
        missed = session.replay(seq)
        if missed is None:
            self._gateway.drop(session)
            self._socket.send_op(9, False)
            return
        if session.socket is not None:
            session.socket.close(4000, "Resumed elsewhere.")
        for text in missed:
            self._socket.send(text)
        session.socket = self._socket
        session.left_at = None
        session.resumes += 1
        self._session = session
        session.dispatch("RESUMED", dumps({"_trace": ["sandbox"]}))
        self._established(session)

    def _answer(self, session: Session, op: int, data: JSON) -> None:
        """What the client asks for: members of a server, sounds, what goes on in channels."""
        if op == SOUNDS:
            wanted = data.get("guild_ids")
            ids = [str(one) for one in wanted] if isinstance(wanted, list) else []
        else:
            ids = [str(data.get("guild_id"))]
        for guild in (session.application.guilds.get(one) for one in ids):
            if guild is None:
                continue
            if op == SOUNDS:
                session.dispatch("SOUNDBOARD_SOUNDS", dumps({"guild_id": guild.id, "soundboard_sounds": []}))
            elif op == CHANNEL_INFO:
                body = payloads.channel_info(self._gateway.state, session, guild, data)
                session.dispatch("CHANNEL_INFO", dumps(body))
            else:
                online = self._gateway.online() if session.intents & PRESENCES else None
                session.dispatch("GUILD_MEMBERS_CHUNK", dumps(payloads.members_chunk(guild, data, online)))

    def ended(self, code: int | None) -> None:
        """Detach the session, which the client can resume unless one side ended it.

        code: what the client closed with; None if it did not. Its answer to a close of ours says nothing:
        clients choose that code themselves, often 1000.
        """
        session = self._session
        if session is None or session.socket is not self._socket:
            return
        session.socket = None
        session.left_at = self._gateway.clock.now()
        if code in LEAVES or self._socket.closed_with in FINAL:
            self._gateway.drop(session)
        self._gateway.on_change(session.application)


def _shard(given: Any) -> tuple[int, int] | None:
    """The shard and their number. Raises CloseError 4010."""
    if given is None:
        return None
    if isinstance(given, list) and len(given) == 2 and all(type(part) is int for part in given):
        number, count = given
        if 0 <= number < count:
            return number, count
    raise CloseError(4010, "Invalid shard.")
