"""How a lane is watched while it serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.rules import WatchRule


@dataclass(frozen=True, slots=True)
class LaneWatch:
    """A lane's rules, and how its alerts and incidents are followed up.

    rolls_back: whether rules for the time after a deploy roll it back, instead of saying that they would.
    runbook: a link for alerts that have none of their own; empty for none.
    """

    rules: tuple[WatchRule, ...] = ()
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    rolls_back: bool = False
    incidents: IncidentPolicy = field(default_factory=IncidentPolicy)
    runbook: str = ""
