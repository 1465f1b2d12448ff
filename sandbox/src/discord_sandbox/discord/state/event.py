"""Scheduled events of servers, as kept in memory."""

from dataclasses import dataclass, field
from typing import Any

from discord_sandbox.discord.state.picture import Picture

ON_STAGE, IN_VOICE, EXTERNAL = 1, 2, 3
SCHEDULED, ACTIVE, COMPLETED, CANCELED = 1, 2, 3, 4
NEXT = {SCHEDULED: (ACTIVE, CANCELED), ACTIVE: (COMPLETED,), COMPLETED: (), CANCELED: ()}


@dataclass(slots=True, eq=False)
class ScheduledEvent:
    """What takes place in a channel, or elsewhere: at a `location`, then with an end. Times are in Unix seconds."""

    id: str
    name: str
    creator_id: str
    kind: int
    start: float
    end: float | None = None
    channel_id: str | None = None
    location: str | None = None
    description: str | None = None
    status: int = SCHEDULED
    recurrence: dict[str, Any] | None = None  # as Discord answers it
    users: list[str] = field(default_factory=list)  # ids of those who are interested
    image: Picture | None = None

    @property
    def image_hash(self) -> str | None:
        return self.image.digest if self.image is not None else None

    @property
    def is_over(self) -> bool:
        return not NEXT[self.status]
