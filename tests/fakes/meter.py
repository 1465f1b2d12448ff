"""Metrics of watching, remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.watch.health import LaneHealth


@dataclass
class WatchCounts:
    """Implements `bot.ports.watch.meter.WatchMeter`: every call in order, `waiting` as it was set last."""

    seen: list[tuple[object, ...]] = field(default_factory=list)
    waiting: Mapping[str, int] = field(default_factory=dict)

    def check(self, kind: str, outcome: str, seconds: float) -> None:
        self.seen.append((kind, outcome, seconds))

    def alert(self, what: str, severity: str, seconds: float) -> None:
        self.seen.append((what, severity, seconds))

    def alerts_open(self, by_severity: Mapping[str, int]) -> None:
        self.seen.append(("open", dict(by_severity)))

    def lanes(self, found: Sequence[LaneHealth]) -> None:
        self.seen.append(("lanes", len(found)))

    def sink(self, name: str, outcome: str) -> None:
        self.seen.append((name, outcome))

    def sinks_waiting(self, by_sink: Mapping[str, int]) -> None:
        self.waiting = dict(by_sink)

    def page(self, outcome: str) -> None:
        self.seen.append(("page", outcome))

    def process(self, late: int, memory: float | None) -> None:
        self.seen.append(("process", late, memory))
