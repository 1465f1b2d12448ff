"""Dependencies of the API: known at the start, when nothing else of it is imported yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.config import Catalog
from bot.engine.service import Engine
from bot.engine.watch.incidents.service import Incidents
from bot.ports.coordination import Clock, RateLimiter
from bot.ports.members import Members
from bot.ports.tokens import TokenStore


def _unmeasured(operation: str, outcome: str, seconds: float) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ApiDependencies:
    """ready: whether the database has its schema. observed: as of `Responder`."""

    engine: Engine
    incidents: Incidents
    catalog: Callable[[], Catalog]
    tokens: TokenStore
    limiter: RateLimiter
    clock: Clock
    members: Members
    ready: Callable[[], bool] = lambda: True
    observed: Callable[[str, str, float], None] = _unmeasured
