"""Everything that happens, in order, for the web page and scripts."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

KEPT = 5_000


class Entry(NamedTuple):
    """One event; `subject` is the object itself, rendered when read."""

    id: int
    kind: str
    subject: Any


class Feed:
    """A numbered ring. Nothing is rendered without listeners: presses must stay cheap."""

    def __init__(self) -> None:
        self.last = 0
        self._kept: deque[Entry] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self.render: Callable[[Entry], str] = lambda entry: ""

    def publish(self, kind: str, subject: Any) -> None:
        self.last += 1
        entry = Entry(self.last, kind, subject)
        self._kept.append(entry)
        if self._listeners:
            text = self.render(entry)
            for listener in self._listeners:
                listener.put_nowait(text)

    def begin_again(self) -> None:
        """Publish a reset. What was before is forgotten: it is about objects that are gone."""
        self._kept.clear()
        self.publish("reset", None)

    def since(self, last: int) -> list[Entry] | None:
        """The entries after `last`, or after a later reset; None if some are no longer kept."""
        if last > self.last:
            return None
        if self._kept and last < self._kept[0].id - 1 and self._kept[0].kind != "reset":
            return None
        return [entry for entry in self._kept if entry.id > last]

    def listen(self) -> "asyncio.Queue[str | None]":
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def leave(self, queue: "asyncio.Queue[str | None]") -> None:
        self._listeners.discard(queue)

    def stop(self) -> None:
        """End every listener's stream."""
        for listener in self._listeners:
            listener.put_nowait(None)
