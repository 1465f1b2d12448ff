"""Commits between two releases, from the server of their repository."""

from __future__ import annotations

from typing import Protocol

from bot.domain.config import Repository
from bot.domain.rollout.changes import Changes


class ChangeSource(Protocol):
    async def look(self, repository: Repository, known: Changes) -> Changes:
        """`known` with counts, authors and link, or with the problem; within a few seconds. Never raises."""
        ...
