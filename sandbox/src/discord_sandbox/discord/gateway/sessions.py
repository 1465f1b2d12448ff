"""Sessions: what a bot is told, numbered and kept, so that it can resume."""

import asyncio
import json
import secrets
from collections import deque

from aiohttp import web

from discord_sandbox.discord.gateway.transport import Encoder
from discord_sandbox.discord.model import Application, Guild

KEPT_EVENTS = 10_000
RESUMABLE_SECONDS = 180.0

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def dumps(data: object) -> str:
    return _encode(data)


class Socket:
    """One connection: what is to be sent stands in a queue, so that nobody waits for a slow reader."""

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
        """Closes after what is queued was sent."""
        self._close = (code, reason)
        self._queue.put_nowait(None)

    def abort(self) -> None:
        """Cuts the connection without a close frame."""
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
    """What one IDENTIFY began; it outlives its connection for a while."""

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
        self.socket: Socket | None = None
        self.left_at: float | None = None
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT_EVENTS)

    @property
    def connected(self) -> bool:
        return self.socket is not None

    def owns(self, guild: Guild) -> bool:
        return self.shard[1] == 1 or (int(guild.id) >> 22) % self.shard[1] == self.shard[0]

    def dispatch(self, event: str, dumped: str) -> None:
        """Sends an event whose data is already JSON, or keeps it for a resume."""
        self.seq += 1
        text = f'{{"t":"{event}","s":{self.seq},"op":0,"d":{dumped}}}'
        self._kept.append((self.seq, text))
        if self.socket is not None:
            self.socket.send(text)

    def replay(self, seq: int) -> list[str] | None:
        """The events after `seq`; None when some are no longer kept."""
        if self._kept and seq < self._kept[0][0] - 1:
            return None
        return [text for number, text in self._kept if number > seq]

    def expired(self, now: float) -> bool:
        return self.left_at is not None and now - self.left_at > RESUMABLE_SECONDS
