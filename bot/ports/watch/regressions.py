"""Issues about releases that were rolled back in production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

REGRESSION = "regression"  # the label


@dataclass(frozen=True, slots=True)
class RegressionDraft:
    """What an issue is to say. Texts are of any content.

    key: the same for each attempt, and no other rollback's. since: when it was rolled back.
    what_next: a sentence of ours.
    """

    key: str
    title: str
    text: str
    what_next: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RegressionIssue:
    """repository: owner/name."""

    repository: str
    number: int
    url: str
    closed: bool = False

    @property
    def name(self) -> str:
        return f"{self.repository}#{self.number}"


class RegressionTracker(Protocol):
    """Methods raise `Unreachable`, `RateLimited`: try again; `SinkRefused`: do not."""

    @property
    def enabled(self) -> bool:
        """Whether issues are opened, instead of said to be."""
        ...

    @property
    def repository(self) -> str: ...

    async def find(self, draft: RegressionDraft) -> RegressionIssue | None: ...

    async def open(self, draft: RegressionDraft) -> RegressionIssue:
        """Open it, or find the one of an earlier attempt."""
        ...
