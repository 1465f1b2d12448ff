"""Vitals: how one process of Slipway is doing at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Vitals:
    """All that rules about Slipway itself look at.

    at: unix seconds. gateway: whether it is connected to Discord; None where another process has to be. database:
    whether it answers. statements, failed: of the database, since the process started. redis: None without one.
    oldest_effect_s: how long the oldest due effect has waited; None when it is not known. late: loops that have
    finished no round for too long, with seconds. memory: share of the limit; None without one. cpu_s: processor
    seconds since the process started.
    """

    at: float
    gateway: bool | None = None
    database: bool = True
    statements: int = 0
    failed: int = 0
    redis: bool | None = None
    oldest_effect_s: float | None = 0.0
    late: Mapping[str, float] = field(default_factory=dict)
    memory: float | None = None
    cpu_s: float = 0.0
