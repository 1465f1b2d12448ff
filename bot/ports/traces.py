"""Where finished spans go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.traces.spans import Span


class SpanSink(Protocol):
    """Takes spans to export them. Returns at once and never raises: what it has no room for is dropped and counted."""

    def take(self, spans: Sequence[Span]) -> None: ...
