"""Sessions: numbered events, kept so that a bot can resume."""

import asyncio
import secrets
from collections import deque

from aiohttp import web

from discord_sandbox.discord.gateway.transport import Encoder
from discord_sandbox.discord.render.encoding import dumps
from discord_sandbox.discord.state.model import Application, Guild

KEPT_EVENTS = 10_000
RESUMABLE_SECONDS = 180.0
# Close codes of the server after which a client cannot resume; after all others, such as 4000 and 4008, it can.
FINAL = frozenset({4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
LEAVES = frozenset({1000, 1001})  # close codes of a client that will not resume

MODERATION, EXPRESSIONS, WEBHOOKS, INVITES = 1 << 2, 1 << 3, 1 << 5, 1 << 6
VOICE_STATES, EVENTS, POLLS = 1 << 7, 1 << 16, 1 << 24
GUILDS, MEMBERS, PRESENCES, MESSAGES, REACTIONS, TYPING = 1 << 0, 1 << 1, 1 << 8, 1 << 9, 1 << 10, 1 << 11
# The intents for the same events in direct messages.
DIRECT = {MESSAGES: 1 << 12, REACTIONS: 1 << 13, TYPING: 1 << 14, POLLS: 1 << 25}


class Socket:
    """One connection with a send queue, so that a slow reader delays no one else."""

    def __init__(
        self, ws: web.WebSocketResponse, transport: asyncio.Transport | None, encoder: Encoder
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._encode = encoder
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._close: tuple[int, str] | None = None
        self.writer = asyncio.get_running_loop().create_task(self._write())

    def send(self, text: str) -> None:
        self._queue.put_nowait(text)

    def send_op(self, op: int, data: object = None) -> None:
        self.send(dumps({"t": None, "s": None, "op": op, "d": data}))

    def close(self, code: int, reason: str) -> None:
        """Close after sending what is queued. Of several codes, the first counts."""
        if self._close is None:
            self._close = (code, reason)
            self._queue.put_nowait(None)

    @property
    def closed_with(self) -> int | None:
        """The code that this side closes with; None while it does not."""
        return self._close[0] if self._close is not None else None

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        if self._transport is not None:
            self._transport.abort()

    async def _write(self) -> None:
        try:
            while (text := await self._queue.get()) is not None:
                payload = self._encode(text)
                if isinstance(payload, bytes):
                    await self._ws.send_bytes(payload)
                else:
                    await self._ws.send_str(payload)
            if self._close is not None:
                await self._ws.close(code=self._close[0], message=self._close[1].encode())
        except (ConnectionError, RuntimeError):
            return


class Session:
    """What one IDENTIFY starts; it outlives its connection by up to three minutes."""

    def __init__(
        self, application: Application, intents: int, shard: tuple[int, int], now: float, *, sharded: bool
    ) -> None:
        self.id = secrets.token_hex(16)
        self.application = application
        self.intents = intents
        self.shard = shard
        self.sharded = sharded
        self.since = now
        self.seq = 0
        self.resumes = 0
        self.socket: Socket | None = None
        self.left_at: float | None = None
        self.sees: dict[str, set[str]] = {}  # by guild: the channels of which it knows the threads
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT_EVENTS)

    @property
    def connected(self) -> bool:
        return self.socket is not None

    def owns(self, guild: Guild) -> bool:
        return self.shard[1] == 1 or (int(guild.id) >> 22) % self.shard[1] == self.shard[0]

    def dispatch(self, event: str, dumped: str) -> None:
        """Send an event, its data already JSON, and keep it for a resume."""
        self.seq += 1
        text = f'{{"t":"{event}","s":{self.seq},"op":0,"d":{dumped}}}'
        self._kept.append((self.seq, text))
        if self.socket is not None:
            self.socket.send(text)

    def replay(self, seq: int) -> list[str] | None:
        """The events after `seq`; None if some are no longer kept."""
        if self._kept and seq < self._kept[0][0] - 1:
            return None
        return [text for number, text in self._kept if number > seq]

    def expired(self, now: float) -> bool:
        """Whether it cannot be resumed any more."""
        if self.socket is not None:
            return self.socket.closed_with in FINAL
        return self.left_at is not None and now - self.left_at > RESUMABLE_SECONDS
