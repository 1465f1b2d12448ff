"""One websocket connection: the handshake, its limits, and what a bot may say on it."""

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from discord_sandbox.discord import permissions as perms
from discord_sandbox.discord import render
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.faults import Fault
from discord_sandbox.discord.gateway.hub import GUILDS, MEMBERS
from discord_sandbox.discord.gateway.sessions import Session, Socket, dumps
from discord_sandbox.discord.gateway.transport import ENCODERS
from discord_sandbox.discord.model import JSON, Application, Guild

LARGEST, PER_MINUTE, DAY = 4096, 120, 86_400.0
ALL_INTENTS = 0x3FFFFFF
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15


class CloseError(Exception):
    """Ends the connection with one of Discord's codes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def serve(request: web.Request) -> web.StreamResponse:
    """GET /gateway/ (and /gateway/resume/, the address that READY gives for resuming)."""
    core = request.app[CORE]
    resuming = request.path.startswith("/gateway/resume")
    kind = "dead_resume" if resuming else "gateway_drop"
    if _refused(core, kind) and request.transport is not None:
        request.transport.abort()
        return web.Response(status=503)
    encoder = ENCODERS.get(request.query.get("compress", ""))
    ws = web.WebSocketResponse(compress=False, autoclose=True, max_msg_size=1 << 20)
    await ws.prepare(request)
    transport = request.transport
    socket = Socket(ws, transport, (encoder or ENCODERS[""])())
    core.sockets.add(socket)
    connection = Connection(core, ws, socket)
    try:
        if request.query.get("v", "10") not in ("9", "10"):
            raise CloseError(4012, "Invalid API version")
        if encoder is None or request.query.get("encoding", "json") != "json":
            raise CloseError(4002, "Error while decoding payload")
        await connection.run()
    except CloseError as error:
        socket.close(error.code, error.reason)
        await asyncio.wait([socket.writer], timeout=2)
    finally:
        core.sockets.discard(socket)
        connection.left(ws.close_code)
        socket.writer.cancel()
    return ws


def _refused(core: Core, kind: str) -> bool:
    """Whether a fault makes this address dead now; a drop does so only when it has a duration."""
    if kind == "dead_resume":
        return core.faults.take(kind, None) is not None
    return any(
        fault.kind == kind and fault.seconds is not None and core.faults.is_active(fault)
        for fault in core.faults.all.values()
    )


class Connection:
    def __init__(self, core: Core, ws: web.WebSocketResponse, socket: Socket) -> None:
        self._core = core
        self._ws = ws
        self._socket = socket
        self._session: Session | None = None
        self._received: deque[float] = deque(maxlen=PER_MINUTE)

    async def run(self) -> None:
        interval = self._core.state.world.heartbeat_interval_ms
        self._socket.send_op(10, {"heartbeat_interval": interval, "_trace": ["sandbox"]})
        while True:
            try:
                message = await self._ws.receive(timeout=interval / 1000 * 1.6 + 5)
            except TimeoutError:
                raise CloseError(4009, "Session timed out.") from None
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
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
        now = self._core.clock.now()
        if len(self._received) == PER_MINUTE and now - self._received[0] < 60:
            raise CloseError(4008, "You are being rate limited.")
        self._received.append(now)

    def _handle(self, op: int, data: Any) -> None:
        if op == 1:
            name = self._session.application.name if self._session is not None else None
            if self._core.faults.take("missed_acks", name) is None:
                self._socket.send_op(11)
        elif op == 2:
            self._identify(data)
        elif op == 6:
            self._resume(data)
        elif op not in (3, 4, 8, 31, 43):
            raise CloseError(4001, "Unknown opcode.")
        elif self._session is None:
            raise CloseError(4003, "Not authenticated.")
        elif op == 8 and isinstance(data, dict):
            self._members(self._session, data)

    def _application(self, data: Any) -> Application:
        token = data.get("token") if isinstance(data, dict) else None
        application = self._core.state.by_token.get(str(token).removeprefix("Bot "))
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
        shard = data.get("shard")
        if shard is not None and not (
            isinstance(shard, list)
            and len(shard) == 2
            and all(type(part) is int for part in shard)
            and 0 <= shard[0] < shard[1]
        ):
            raise CloseError(4010, "Invalid shard.")
        self._spend(application)
        pair = (shard[0], shard[1]) if shard is not None else (0, 1)
        session = Session(application, intents, pair, self._core.clock.now(), sharded=shard is not None)
        self._core.gateway.sessions[session.id] = session
        self._session = session
        session.socket = self._socket
        session.dispatch("READY", dumps(self._ready(session)))
        if intents & GUILDS:
            for guild in application.guilds.values():
                if session.owns(guild):
                    session.dispatch("GUILD_CREATE", dumps(self._guild(session, guild)))
        self._begun(session)

    def _spend(self, application: Application) -> None:
        """1000 IDENTIFY a day; one more ends all sessions and resets the token."""
        now = self._core.clock.now()
        recent = [one for one in application.identifies if now - one < DAY]
        application.identifies = [*recent, now]
        if len(recent) >= self._core.state.world.identifies_per_day:
            self._core.gateway.end_all(application, 4004, "Authentication failed.")
            self._core.state.reset_token(application)
            raise CloseError(4004, "Authentication failed.")

    def _begun(self, session: Session) -> None:
        self._core.gateway.on_change(session.application)
        for kind in ("gateway_drop", "op7", "op9"):
            fault = self._core.faults.take(kind, session.application.name)
            if fault is not None:
                strike(self._core, session, fault)

    def _ready(self, session: Session) -> JSON:
        application = session.application
        body: JSON = {
            "v": 10,
            "user_settings": {},
            "user": render.private_user(application.user),
            "guilds": [
                {"id": guild.id, "unavailable": True}
                for guild in application.guilds.values()
                if session.owns(guild)
            ],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._core.resume_url,
            "application": {"id": application.id, "flags": 1 << 23, "flags_new": str(1 << 23)},
            "private_channels": [],
            "presences": [],
            "relationships": [],
            "game_relationships": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "auth": {},
            "_trace": ["sandbox"],
        }
        if session.sharded:
            body["shard"] = list(session.shard)
        return body

    def _guild(self, session: Session, guild: Guild) -> JSON:
        own = guild.members[session.application.id]
        members = list(guild.members.values()) if session.intents & MEMBERS else [own]
        state = self._core.state
        visible = [
            channel
            for channel in guild.channels.values()
            if state.permissions(own, channel) & perms.VIEW_CHANNEL
        ]
        return render.guild_create(guild, members, visible, own)

    def _resume(self, data: Any) -> None:
        if self._session is not None:
            raise CloseError(4005, "Already authenticated.")
        application = self._application(data)
        session = self._core.gateway.sessions.get(str(data.get("session_id")))
        now = self._core.clock.now()
        if session is None or session.application.id != application.id or session.expired(now):
            self._socket.send_op(9, False)
            return
        seq = data.get("seq")
        if not isinstance(seq, int) or seq > session.seq:
            raise CloseError(4007, "Invalid seq.")
        missed = session.replay(seq)
        if missed is None:
            del self._core.gateway.sessions[session.id]
            self._socket.send_op(9, False)
            return
        if session.socket is not None:
            session.socket.close(4000, "Resumed elsewhere.")
        for text in missed:
            self._socket.send(text)
        session.socket = self._socket
        session.left_at = None
        self._session = session
        session.dispatch("RESUMED", dumps({"_trace": ["sandbox"]}))
        self._begun(session)

    def _members(self, session: Session, data: JSON) -> None:
        guild = session.application.guilds.get(str(data.get("guild_id")))
        if guild is None:
            return
        wanted = data.get("user_ids")
        prefix = str(data.get("query") or "").lower()
        ids = [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]
        found = [
            member
            for member in guild.members.values()
            if (member.user.id in ids if wanted is not None else member.user.name.startswith(prefix))
        ]
        limit = data.get("limit") or len(found)
        body: JSON = {
            "guild_id": guild.id,
            "members": [render.member(member) for member in found[:limit]],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [one for one in ids if one not in guild.members] if wanted is not None else [],
        }
        if data.get("presences"):
            body["presences"] = []
        if data.get("nonce") is not None:
            body["nonce"] = data["nonce"]
        session.dispatch("GUILD_MEMBERS_CHUNK", dumps(body))

    def left(self, code: int | None) -> None:
        """The connection is gone. 1000 and 1001 from the client end the session, other codes keep it."""
        session = self._session
        if session is None or session.socket is not self._socket:
            return
        session.socket = None
        session.left_at = self._core.clock.now()
        if code in (1000, 1001):
            self._core.gateway.sessions.pop(session.id, None)
        self._core.gateway.on_change(session.application)


def strike(core: Core, session: Session, fault: Fault) -> None:
    """Does to a connected session what the fault says."""
    socket = session.socket
    if socket is None:
        return
    if fault.kind == "op7":
        socket.send_op(7)
    elif fault.kind == "op9":
        core.gateway.sessions.pop(session.id, None)
        socket.send_op(9, False)
    elif fault.code is not None:
        socket.close(fault.code, "")
    else:
        socket.abort()
