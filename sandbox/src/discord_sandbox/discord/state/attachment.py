"""Files of messages, as kept in memory."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Attachment:
    id: str
    filename: str
    content: bytes
    content_type: str
    path: str
    description: str | None = None
    width: int | None = None
    height: int | None = None
