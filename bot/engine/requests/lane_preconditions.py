"""Alerts and error budgets as preconditions of a rollout: what its lane, and the one before, wants of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.config import LaneConfig
from bot.domain.formatting import percent
from bot.domain.rollout.model import Lane, Phase, Precondition
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.rules import WatchState, budget_left
from bot.ports.store import Store

_ALERTS, _BUDGET = "alerts", "budget"
# Alerts and rollouts of a lane that are looked at.
_MOST = 50


async def lane_preconditions(
    store: Store, config: LaneConfig, succeeded_at: datetime | None
) -> tuple[Precondition, ...]:
    """How it stands with what the lane wants of alerts and budget.

    succeeded_at: when the release last succeeded in the prerequisite's environment; without that it is refused anyway.
    """
    found = []
    if config.promotion.no_alerts and config.prerequisite is not None and succeeded_at is not None:
        first = Lane(config.lane.service, config.prerequisite.environment)
        since = await _began(store, first, succeeded_at)
        found.append(_quiet(first, await store.alerts.of_lane(first, since, _MOST), since))
    if config.promotion.within_budget:
        state = (await store.watched.read()).get(config.lane, WatchState())
        found.append(_budget(config, state))
    return tuple(found)


async def _began(store: Store, lane: Lane, succeeded_at: datetime) -> datetime:
    """When the rollout began that succeeded then: its users met the release before its success."""
    for past in await store.history.history([lane], None, _MOST):
        if past.phase == Phase.SUCCEEDED and past.ended_at == succeeded_at:
            return past.created_at
    return succeeded_at


def _quiet(lane: Lane, alerts: Sequence[Alert], since: datetime) -> Precondition:
    open_ones = [alert.first.finding.title for alert in alerts if not alert.over]
    over = [alert.first.finding.title for alert in alerts if alert.over and alert.opened_at >= since]
    if not open_ones and not over:
        return Precondition(_ALERTS, True, phrasebook.no_alerts_there(str(lane)))
    return Precondition(_ALERTS, False, phrasebook.alerts_there(str(lane), open_ones, over))


def _budget(config: LaneConfig, state: WatchState) -> Precondition:
    left, lane = budget_left(state, config.policy.judge), str(config.lane)
    if left is None:
        return Precondition(_BUDGET, True, phrasebook.budget_unknown(lane))
    if left <= 0:
        return Precondition(_BUDGET, False, phrasebook.budget_spent(lane))
    return Precondition(_BUDGET, True, phrasebook.budget_left(lane, percent(left)))
