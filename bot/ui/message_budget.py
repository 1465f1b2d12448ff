"""Budget of messages per channel: what people wait for comes before numbers and charts."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from enum import IntEnum


class Priority(IntEnum):
    """Lower goes first. Only urgent messages may use up the budget; numbers and charts leave the most."""

    URGENT = 0  # gates, holds, rollbacks
    STATE = 1
    LOG = 2
    NUMBERS = 3
    CHART = 4


# Discord commonly limits a channel after about five sends or edits in five seconds.
BURST, WINDOW_S, KEPT_BACK = 5, 5.0, 2
# Each thread is a channel, and most of them get a few lines in their life.
_MANY = 200


class MessageBudget:
    """At most `burst` messages in `window_s` seconds per channel, by priority, then in order."""

    def __init__(self, *, burst: int = BURST, window_s: float = WINDOW_S, kept_back: int = KEPT_BACK) -> None:
        self._burst = burst
        self._window_s = window_s
        self._kept_back = kept_back
        self._channels: dict[int, _Channel] = {}
        self._most = _MANY

    async def turn(self, channel_id: int, priority: Priority) -> None:
        """Return when it is this caller's turn in the channel."""
        channel = self._channels.setdefault(channel_id, _Channel())
        ticket = (int(priority), next(channel.count))
        heapq.heappush(channel.waiting, ticket)
        try:
            while (wait_s := self._wait_s(channel, ticket)) > 0:
                channel.changed.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await channel.changed.wait()
                except TimeoutError:
                    continue
            channel.taken.append(asyncio.get_running_loop().time())
        finally:
            channel.waiting.remove(ticket)
            heapq.heapify(channel.waiting)
            channel.changed.set()
            self._forget_idle()

    def room(self, channel_id: int, priority: Priority) -> int:
        """How many messages of this priority could be sent now, besides those that wait."""
        channel = self._channels.get(channel_id)
        taken = len(self._recent(channel)) + len(channel.waiting) if channel is not None else 0
        return max(0, self._burst - self._held_from(int(priority)) - taken)

    def _recent(self, channel: _Channel) -> list[float]:
        """When the messages of the present window were sent."""
        now = asyncio.get_running_loop().time()
        while channel.taken and now - channel.taken[0] >= self._window_s:
            del channel.taken[0]
        return channel.taken

    def _wait_s(self, channel: _Channel, ticket: tuple[int, int]) -> float:
        now = asyncio.get_running_loop().time()
        self._recent(channel)
        kept_back = self._held_from(ticket[0])
        free = self._burst - kept_back - len(channel.taken)
        if free > 0:
            # Only the first in line goes; the others check again after it.
            return 0.0 if channel.waiting[0] == ticket else self._window_s
        opens = channel.taken[len(channel.taken) - (self._burst - kept_back)]
        return max(0.001, opens + self._window_s - now)

    def _held_from(self, priority: int) -> int:
        if priority >= Priority.NUMBERS:
            return self._kept_back
        return min(1, self._kept_back) if priority == Priority.STATE else 0

    def _forget_idle(self) -> None:
        """Once there are many channels, forget those in which nothing waits or was sent in the present window."""
        if len(self._channels) > self._most:
            busy = {key: one for key, one in self._channels.items() if one.waiting or self._recent(one)}
            self._channels, self._most = busy, max(_MANY, 2 * len(busy))


class _Channel:
    def __init__(self) -> None:
        self.taken: list[float] = []  # at most `burst`
        self.waiting: list[tuple[int, int]] = []
        self.count = itertools.count()
        self.changed = asyncio.Event()
