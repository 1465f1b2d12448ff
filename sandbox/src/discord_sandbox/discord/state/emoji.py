"""Custom emoji of servers and applications, as kept in memory."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class CustomEmoji:
    """A picture that is written as `<:name:id>`. `roles`: who may use it, everyone if there is none."""

    id: str
    name: str
    creator_id: str
    image: bytes
    content_type: str
    animated: bool = False
    roles: list[str] = field(default_factory=list)
