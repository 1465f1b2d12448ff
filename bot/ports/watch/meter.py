"""Metrics of watching that operators see, and the no-op meter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.domain.watch.health import LaneHealth


class WatchMeter(Protocol):
    """Numbers of checks, alerts, sinks and lanes. Every method returns at once and never raises."""

    def check(self, kind: str, outcome: str, seconds: float) -> None:
        """outcome: `passed`, `failed`, or `gap` when it could not be asked."""
        ...

    def alert(self, what: str, severity: str, seconds: float) -> None:
        """what: an entry of the alert's timeline. seconds: since the alert was opened."""
        ...

    def alerts_open(self, by_severity: Mapping[str, int]) -> None: ...

    def lanes(self, found: Sequence[LaneHealth]) -> None:
        """All lanes that this process watches; empty when another one does."""
        ...

    def sink(self, name: str, outcome: str) -> None: ...

    def sinks_waiting(self, by_sink: Mapping[str, int]) -> None: ...

    def page(self, outcome: str) -> None: ...

    def process(self, late: int, memory: float | None) -> None:
        """late: loops without a round. memory: share of the limit; None without one."""
        ...


class NoWatchMeter:
    """Implements `WatchMeter`; records nothing."""

    def check(self, kind: str, outcome: str, seconds: float) -> None: ...

    def alert(self, what: str, severity: str, seconds: float) -> None: ...

    def alerts_open(self, by_severity: Mapping[str, int]) -> None: ...

    def lanes(self, found: Sequence[LaneHealth]) -> None: ...

    def sink(self, name: str, outcome: str) -> None: ...

    def sinks_waiting(self, by_sink: Mapping[str, int]) -> None: ...

    def page(self, outcome: str) -> None: ...

    def process(self, late: int, memory: float | None) -> None: ...
