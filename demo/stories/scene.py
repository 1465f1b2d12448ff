"""Where a story is: what "the card", "the answer" and "in this chapter" mean at the present line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from demo.stories.language import Lane, StoryError
from demo.stories.transcript import Transcript, plain
from demo.stories.world import Answer, Message, World

T = TypeVar("T")

CHANNELS = ("deploys", "alerts", "incidents")
_LOOK_EVERY_S = 0.2
# At the end of the card of an incident.
_INCIDENT = re.compile(r"Incident \d+")
_ROLLOUT = re.compile(r"[Rr]ollout\W{1,3}(\d+)")


class Scene:
    """What every verb has at hand. Lives for one playing of one file."""

    def __init__(self, world: World, transcript: Transcript) -> None:
        self.world = world
        self.transcript = transcript
        self.answer: Answer | None = None
        self._rollout: int | None = None
        self._last: dict[str, int] = {}
        self._cursors: Mapping[Lane, int] = {}

    async def open_chapter(self) -> None:
        """Alerts, notices and requests count from here."""
        for channel in CHANNELS:
            messages = await self.world.messages(channel)
            self._last[channel] = max((int(message.id) for message in messages), default=0)
        self._cursors = await self.world.cursors()

    def since(self, lane: Lane) -> int:
        """The cursor of a lane's requests at the beginning of the chapter."""
        if lane not in self._cursors:
            known = ", ".join(map(str, self._cursors))
            raise StoryError(f"{lane} has no users here, only {known}")
        return self._cursors[lane]

    def answered(self, answer: Answer) -> None:
        """`answer` is what "the answer" means from now on, and its rollout is that of "the card"."""
        self.answer = answer
        if found := _ROLLOUT.search(plain(answer.text)):
            self._rollout = int(found[1])

    def saw(self, who: str, what: str) -> None:
        self.transcript.say(who, what)

    # ---- messages ----

    async def message(self, name: str) -> Message:
        """What `name` means now. Raises `StoryError` when there is no such message."""
        found = await self.candidates(name)
        if not found:
            raise StoryError(f"there is no message that is {name}")
        return found[0]

    async def candidates(self, name: str) -> Sequence[Message]:
        """The messages that `name` may mean, newest first: a channel or a person means all of the chapter."""
        if name == "the answer":
            return [self.answer.message] if self.answer and self.answer.message else []
        if name == "the war room":
            return (await self.world.war_room())[::-1]
        if name.startswith("@"):
            began = max(self._last.values(), default=0)
            return [m for m in await self.world.direct_messages(name[1:]) if int(m.id) > began][::-1]
        if name.startswith("#") or name == "the incident":
            channel = name[1:] if name.startswith("#") else "incidents"
            last = self._last.get(channel, 0)
            found = [m for m in await self.world.messages(channel) if int(m.id) > last and not m.rollout]
            cards = [m for m in found if _INCIDENT.fullmatch(m.text.rpartition("\n")[2])]
            return (found if name.startswith("#") else cards)[::-1]
        lane = name.removeprefix("the card").removeprefix(" of ")
        cards = [m for m in await self.world.messages("deploys") if m.rollout is not None]
        if lane:
            service, _, environment = lane.partition(" in ")
            heading = re.compile(rf"{service} \S+ → {environment}\b")
            return [m for m in cards if heading.match(plain(m.text))][::-1]
        return [m for m in cards if self._rollout in (None, m.rollout)][::-1]

    async def saying(self, name: str, words: Sequence[str]) -> Message | None:
        """The newest message of that name with all the words, whatever their case."""
        for message in await self.candidates(name):
            if says(message.text, words):
                return message
        return None

    async def showing(self, name: str, status: str) -> Message | None:
        """The card of that name, when it shows the status under its title."""
        cards = await self.candidates(name)
        return cards[0] if cards and status.lower() in standing(cards[0]).lower() else None

    # ---- time ----

    async def until(
        self, what: str, look: Callable[[], Awaitable[T | None]], within_s: float | None = None
    ) -> T:
        """Look again and again until `look` finds something; `StoryError` when the time is over."""
        patience_s = within_s or self.world.patience_s
        loop = asyncio.get_running_loop()
        ends = loop.time() + patience_s
        while True:
            found = await look()
            if found is not None:
                return found
            if loop.time() > ends:
                last = f"; the last answer was: {plain(self.answer.text)}" if self.answer else ""
                raise StoryError(f"waited {patience_s:.0f} s in vain for {what}{last}")
            await asyncio.sleep(_LOOK_EVERY_S)


def says(text: str, words: Sequence[str]) -> bool:
    shown = plain(text).lower()
    return all(plain(word).lower() in shown for word in words)


def standing(card: Message) -> str:
    """How the rollout stands: the line under the card's title."""
    return next((plain(line) for line in card.text.splitlines()[1:] if plain(line)), "")


def described(message: Message) -> str:
    """A message in a line: of a card its title and how it stands, of others the first line."""
    first = next((plain(line) for line in message.text.splitlines() if plain(line)), "")
    return f"{first}: {standing(message)}" if message.rollout is not None else first
