"""Invites to servers, as kept in memory."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Invite:
    """A code that lets people into a server. max_age: in seconds, 0: for ever; max_uses 0: any number.

    temporary: Discord removes those who came by it once they leave, unless they have a role; the sandbox does not.
    """

    code: str
    channel_id: str
    inviter_id: str
    created: float
    max_age: int
    max_uses: int
    temporary: bool = False
    uses: int = 0

    @property
    def expires(self) -> float | None:
        """In Unix seconds."""
        return self.created + self.max_age if self.max_age else None

    def is_open(self, now: float) -> bool:
        """Whether it can be used still."""
        return self.expires is None or now < self.expires
