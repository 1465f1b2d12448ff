"""A forum's settings: its tags, and what its posts begin with."""

from dataclasses import dataclass, field

REQUIRES_TAG, PINNED_POST = 1 << 4, 1 << 1


@dataclass(frozen=True, slots=True)
class Tag:
    """`moderated`: only those who manage threads can apply it."""

    id: str
    name: str
    moderated: bool = False
    emoji_id: str | None = None
    emoji_name: str | None = None


@dataclass(frozen=True, slots=True)
class Forum:
    tags: tuple[Tag, ...] = ()
    requires_tag: bool = False
    reaction: tuple[str | None, str | None] | None = None  # an emoji's id and name
    sort_order: int | None = None
    layout: int = 0
    post_slowmode: int = 0

    def tag(self, tag_id: str) -> Tag | None:
        return next((one for one in self.tags if one.id == tag_id), None)


@dataclass(slots=True, eq=False)
class Post:
    """A thread's part that only posts in forums have."""

    tags: list[str] = field(default_factory=list)
    pinned: bool = False
