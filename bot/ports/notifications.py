"""Messages to people: cards, thread lines, notices and alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.records import Active


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message that people must hear. `key` makes posting repeatable (≤ 25 characters)."""

    key: str
    rollout_id: int
    what: str
    text: str
    mention_roles: tuple[str, ...] = ()
    mention_users: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message that belongs to no rollout. `over`: it says that something ended.

    `key` makes posting repeatable (≤ 24 characters). channel: as servers name them in the catalog. icon: before the
    title, if it is neither a warning nor an end. button: id of a button to answer with. room: name of a
    thread to open under it, which begins with `room_text`. direct_to: the person of a direct message, who gets it
    instead of the channel. alert_id: what it is about, 0 for no alert. bars: of its chart; until: as of a `CallPeople`.
    made_at: when it was ordered, if others wait for it.
    """

    key: str
    guild_id: int
    title: str
    text: str
    mention_roles: tuple[str, ...] = ()
    over: bool = False
    channel: str = "alerts"
    mention_users: tuple[int, ...] = ()
    icon: str = ""
    button: str = ""
    room: str = ""
    room_text: str = ""
    direct_to: int = 0
    alert_id: int = 0
    bars: tuple[tuple[str, str, int, int, float | None], ...] = ()
    until: datetime | None = None
    made_at: datetime | None = None


class UnpostedError(Exception):
    """No channel of the server takes the message. why: of each channel, in Discord's words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no channel takes it: {why}")
        self.why = why


class UndeliveredError(Exception):
    """A person cannot be written to. person: their name, as far as it is known; why: in Discord's words."""

    def __init__(self, person: str, why: str) -> None:
        super().__init__(f"{person}: {why}")
        self.person = person
        self.why = why


class Alarm(Protocol):
    """Posts alerts in #alerts."""

    async def alert(self, alert: Announcement) -> None:
        """Post once for each key. Raises `Unreachable` to be retried later, and `UnpostedError`."""
        ...


class Announcer(Alarm, Protocol):
    """Posts to Discord. A call may be repeated with the same key and posts once.

    Each returns when Discord has it. Raises `Unreachable` to be retried later; a channel that is gone or not
    accessible is reported by the announcer elsewhere and is not an error, but for `alert`: a rollout never waits for
    a card.
    """

    async def draw_card(self, rollout_id: int) -> None: ...

    async def refresh(self, active: Sequence[Active]) -> None:
        """Show the new measurements of some of these rollouts, as far as there is room for it. May do nothing."""
        ...

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None: ...

    async def notify(self, notice: Notice) -> None: ...

    async def direct(self, message: Announcement) -> None:
        """Write to the person `direct_to`. Raises `UndeliveredError` if they cannot be written to."""
        ...
