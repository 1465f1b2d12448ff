"""Polls of messages, as kept in memory."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PollAnswer:
    id: int
    text: str
    emoji: str | None = None
    emoji_id: str | None = None  # of a custom one


@dataclass(slots=True, eq=False)
class Poll:
    """`votes`: ids of users by answer, in the order in which they voted."""

    question: str
    answers: tuple[PollAnswer, ...]
    hours: int
    multiple: bool
    expires: float = 0.0
    finalized: bool = False
    votes: dict[int, list[str]] = field(default_factory=dict)

    def count(self, answer_id: int) -> int:
        return len(self.votes.get(answer_id, []))
