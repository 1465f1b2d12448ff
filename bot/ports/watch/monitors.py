"""The database of monitors: what each check answered last, here and in other locations, and its hours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import MonitorState
from bot.domain.watch.locations import LocationLook


class MonitorKey(NamedTuple):
    """A check of a lane, by its name."""

    lane: Lane
    name: str


class Glance(NamedTuple):
    """A monitor without its hours. day, week: seconds in which it passed and failed, of hours that began since then."""

    state: MonitorState
    day: tuple[float, float] = (0.0, 0.0)
    week: tuple[float, float] = (0.0, 0.0)


class SavedLook(NamedTuple):
    """The newest look of a check in one location. saved: when it was saved, by the database's clock (unix seconds)."""

    key: MonitorKey
    location: str
    saved: float
    look: LocationLook


class MonitorStore(Protocol):
    """States of monitors. Raises `Unreachable`."""

    async def read(self) -> Mapping[MonitorKey, MonitorState]:
        """All of them. `MonitorState.untold` is not stored: a process that reads has told nothing yet."""
        ...

    async def glance(self, now: float) -> Mapping[MonitorKey, Glance]:
        """All of them at `now` (unix seconds): instead of their hours, what these add up to. Cheaper than `read`."""
        ...

    async def save(self, states: Mapping[MonitorKey, MonitorState]) -> None:
        """Save these. Hours that are stored and older than those of a state stay."""
        ...

    async def forget(self, keys: Collection[MonitorKey]) -> None:
        """Delete these, with their hours."""
        ...

    async def looks(self, since: float) -> Sequence[SavedLook]:
        """Those that were saved at `since` (unix seconds) or later, oldest first."""
        ...

    async def save_looks(self, location: str, looks: Mapping[MonitorKey, LocationLook]) -> None:
        """Save what was seen in a location, instead of older looks; newer ones stay."""
        ...

    async def forget_looks(self, gone: Collection[tuple[MonitorKey, str]]) -> None:
        """Delete the looks of these checks and locations."""
        ...

    async def tidy(self, before: float) -> bool:
        """Delete some of the hours from before (unix seconds); True when there is more. The last day of it may stay."""
        ...
