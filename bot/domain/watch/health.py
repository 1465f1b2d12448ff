"""How a lane that serves is doing: what its users saw lately, its budget, and its open alerts."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.judge.policy import JudgePolicy
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.rules import WatchState, budget_left, error_limit, in_day, in_recent, in_week


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """Figures of one lane; None for what is not known.

    errors: share of failed requests in the last five minutes, against `limit`. day, week: share that succeeded.
    budget: what is left of a week's error budget. at: unix seconds of the newest measurement.
    """

    lane: Lane
    alerts: tuple[Alert, ...] = ()
    errors: float | None = None
    limit: float | None = None
    day: float | None = None
    week: float | None = None
    budget: float | None = None
    at: float | None = None

    @property
    def well(self) -> bool:
        """Whether nothing is wrong, as far as it is known. What is silenced is wrong all the same."""
        return not self.alerts and (self.errors is None or self.limit is None or self.errors <= self.limit)


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Lanes of one server, what is wrong first; and all its open alerts, the worst first."""

    lanes: tuple[LaneHealth, ...]
    alerts: tuple[Alert, ...]


def lane_health(
    lane: Lane, policy: JudgePolicy, state: WatchState | None, alerts: tuple[Alert, ...], now: float
) -> LaneHealth:
    """The figures at `now` (unix seconds)."""
    limit = error_limit(policy)
    if state is None or not state.at:
        return LaneHealth(lane, alerts, limit=limit)
    recent = in_recent(state, now).success
    return LaneHealth(
        lane,
        alerts,
        errors=None if recent is None else 1 - recent,
        limit=limit,
        day=in_day(state).success,
        week=in_week(state).success,
        budget=budget_left(state, policy),
        at=state.at,
    )
