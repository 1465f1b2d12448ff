"""Requests about alerts, their results, and what cards are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.actions import SILENCE_S
from bot.domain.watch.alerts.alert import Alert, AlertAction, Entry


@dataclass(frozen=True, slots=True)
class AlertRequest:
    """A press on an alert's card, or the same from elsewhere. seconds: how long to be silent.

    unless_taken: not once someone else has it.
    """

    alert_id: int
    action: AlertAction
    actor: Actor
    guild_id: int
    reason: str = ""
    seconds: float = SILENCE_S
    unless_taken: bool = False


@dataclass(frozen=True, slots=True)
class AlertRollback:
    """A press on Roll back. interaction: as of a `RollbackRequest`. confirmed: also from an irreversible release.

    of_rollout: the deploy that the button took back when it was drawn; 0 for whichever is suspected now.
    """

    alert_id: int
    actor: Actor
    guild_id: int
    reason: str = ""
    interaction: str = ""
    confirmed: bool = False
    of_rollout: int = 0


@dataclass(frozen=True, slots=True)
class AlertView:
    """All that a card shows. watch_only: rules of its lane say what they would roll back, and do not.

    last_deploy: the newest rollout of its lane that changed what runs, or does so now; None where there was none.
    """

    alert: Alert
    timeline: Sequence[Entry]
    watch_only: bool = True
    last_deploy: RolloutSummary | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """Who an escalation reaches in one server: roles by their names in the catalog, and people."""

    roles: tuple[str, ...] = ()
    users: tuple[int, ...] = ()
