"""What a story needs of the world that it is played in: people, sights, faults and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from demo.stories.language import Lane


@dataclass(frozen=True, slots=True)
class Message:
    """A message as people see it.

    rollout: the number of the rollout that it is the card of. buttons: labels of those that can be pressed.
    choices: labels of its select menu. notified: people who were notified by it.
    """

    id: str
    channel: str
    text: str
    rollout: int | None = None
    buttons: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person got for a command, a press or a form. `form`: a form opened, which waits to be filled in."""

    id: str
    who: str
    message: Message | None
    private: bool
    form: bool = False

    @property
    def text(self) -> str:
        return self.message.text if self.message else ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the users of a lane saw: shares of recent answers by version, and since some point all requests.

    `requests` and `failures` are counts by version; the version of a request that nothing answered is `none`.
    """

    shares: Mapping[str, float]
    requests: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)


class People(Protocol):
    """What people do in Discord. Each call returns when the person has an answer."""

    async def command(self, who: str, name: str, options: Mapping[str, str]) -> Answer: ...
    async def press(self, who: str, message: Message, button: str) -> Answer: ...
    async def choose(self, who: str, message: Message, choice: str) -> Answer: ...
    async def submit(self, who: str, form: Answer, fields: Mapping[str, str]) -> Answer: ...


class Sights(Protocol):
    """What is seen from outside."""

    async def messages(self, channel: str) -> Sequence[Message]:
        """Of a channel, oldest first."""
        ...

    async def direct_messages(self, who: str) -> Sequence[Message]:
        """What Slipway wrote to a person, oldest first."""
        ...

    async def war_room(self) -> Sequence[Message]:
        """Of the newest thread that was opened for an incident, oldest first; empty without one."""
        ...

    async def traffic(self, lane: Lane, since: int = -1) -> Traffic:
        """since: a cursor; -1 leaves out the requests."""
        ...

    async def cursors(self) -> Mapping[Lane, int]:
        """Where the log of each lane's requests stands now."""
        ...

    async def app_commands(self, application: str) -> tuple[list[str], list[str]]:
        """Names of an application's slash commands as Discord has them: everywhere, and in the server alone."""
        ...


class Faults(Protocol):
    """What goes wrong. What a world cannot do raises `StoryError`."""

    async def errors(self, lane: Lane, version: str, share: float) -> None:
        """From now on so many of the version's answers are errors."""

    async def latency(self, lane: Lane, version: str, seconds: float) -> None:
        """From now on most of the version's answers take about so long."""
        ...

    async def sick_instance(self, lane: Lane, version: str, instances: int, share: float) -> None:
        """From now on so many of the answers of one of the version's instances are errors."""
        ...

    async def crash(self, lane: Lane, version: str) -> None:
        """The release's process dies."""
        ...

    async def kill_bot(self, moment: str = "") -> None:
        """`kill -9`; started again. moment: `before` or `after` the next order to a target, instead of now."""
        ...

    async def database_away(self, seconds: float) -> None: ...
    async def discord_away(self, seconds: float) -> None: ...
    async def target_away(self, lane: Lane, seconds: float) -> None: ...

    async def abort(self, lane: Lane, reason: str) -> None:
        """`slipway abort` on the machine."""
        ...

    async def refuse_direct_messages(self, who: str) -> None:
        """Discord lets no bot write to the person."""
        ...

    async def manifest(self, application: str, version: str, file: str) -> None:
        """The manifest that comes with a release is now `file` of the demo's catalog."""
        ...


class World(People, Sights, Faults, Protocol):
    """All of it. `patience_s`: how long to wait for something, unless the line says so."""

    @property
    def patience_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    async def move_clock(self, seconds: float) -> None:
        """For alerts and Discord, so much time passes at once."""
        ...

    async def catch_up(self) -> None:
        """Tell the transcript what was recorded since the last call, in worlds that keep a record."""
        ...
