"""The alert service on a database in memory, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Catalog
from bot.domain.records import Answer, RolloutSummary
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane, Rollout
from bot.domain.watch.alerts.alert import Alert, AlertAction
from bot.domain.watch.alerts.escalation import Responder
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.default_rules import default_rules
from bot.domain.watch.lane import LaneWatch
from bot.engine.api import RollbackRequest
from bot.engine.watch.alerts.api import AlertRequest, Reached
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.incidents.service import Incidents
from bot.ports.coordination import Clock
from bot.ports.store import Store
from tests.fakes.meter import WatchCounts
from tests.fakes.store import MemoryStore
from tests.fakes.store.faulty import FaultyDatabase
from tests.support.actors import ONCALL
from tests.support.catalogs import GUILD, PRODUCTION, STRAIGHT, begin_rollout, catalog
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH


def errors(
    *,
    firing: bool = True,
    at: datetime = EPOCH,
    value: str = "52%",
    fingerprint: str = "errors",
    **more: object,
) -> Finding:
    finding = Finding(
        fingerprint,
        "rule",
        "Many requests fail",
        at,
        firing,
        Severity.CRITICAL,
        PRODUCTION,
        value=value,
        limit="20%",
    )
    return replace(finding, **more)  # type: ignore[arg-type]


def alerts_on(store: Store, catalog: Callable[[], Catalog], clock: Clock, **more: Any) -> Alerts:
    """The service where nothing is to be rolled back: a rollback that it starts fails the test."""

    async def no_rollback(request: RollbackRequest) -> Rollout:
        raise AssertionError("nothing is rolled back here")

    return Alerts(store, catalog, clock=clock, waker=EventWaker(), roll_back=no_rollback, **more)


class AlertWorld:
    """One process with alerts. `asked`: the rollbacks that were started; `refuses`: what is said to them instead.

    A rollback is started once for each interaction, and recorded in the database.
    """

    def __init__(self, *, rolls_back: bool = False, store: MemoryStore | None = None) -> None:
        self.clock = FrozenClock(EPOCH)
        self.database = FaultyDatabase(self.clock.now)
        self.store = store or MemoryStore(self.database)
        self.past: list[RolloutSummary] = []
        self.asked: list[RollbackRequest] = []
        self.refuses: Exception | None = None
        self.on_call: Mapping[Responder, Reached] = {}
        known = catalog()
        lanes = {
            lane: replace(config, watch=LaneWatch(default_rules(config.policy.judge), rolls_back=rolls_back))
            for lane, config in known.lanes.items()
        }
        self.catalog: Catalog = replace(known, lanes=lanes)
        self.store.history.history = self._history  # type: ignore[method-assign]
        self.counts = WatchCounts()
        self.alerts = self.process()

    def process(self) -> Alerts:
        """Another process on the same database, with `incidents` of its own."""

        async def on_call(lane: Lane | None, at: datetime) -> Mapping[Responder, Reached]:
            return self.on_call

        current: Callable[[], Catalog] = lambda: self.catalog  # noqa: E731
        self.incidents = Incidents(self.store, current, clock=self.clock, waker=EventWaker(), on_call=on_call)
        return Alerts(
            self.store,
            current,
            clock=self.clock,
            waker=EventWaker(),
            roll_back=self._roll_back,
            on_call=on_call,
            incidents=self.incidents.opened_by,
            meter=self.counts,
        )

    async def _history(
        self, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]:
        found = [each for each in reversed(self.past) if each.lane in lanes]
        return [each for each in found if before is None or each.id < before][:limit]

    async def _roll_back(self, request: RollbackRequest) -> Rollout:
        if self.refuses is not None:
            raise self.refuses
        told = await self.store.rollouts.answers([request.interaction])
        if request.interaction not in told:
            self.asked.append(request)
        number = told[request.interaction].rollout_id if told else 90 + len(self.asked)
        if request.interaction:
            answer = Answer(number, "A rollback was started.")
            self.database.tables.interactions[request.interaction] = (answer, self.clock.now())
        return begin_rollout(
            id=number, lane=PRODUCTION, plan=STRAIGHT, at=self.clock.now(), generation=0
        ).rollout

    def deployed(self, minutes_ago: float, phase: str = "succeeded", **more: object) -> RolloutSummary:
        at = self.clock.now() - timedelta(minutes=minutes_ago)
        summary = RolloutSummary(
            len(self.past) + 1, PRODUCTION, "1.4.0", "1.5.0", phase, "dev", "", "", at, at
        )
        self.past.append(replace(summary, **more))  # type: ignore[arg-type]
        return self.past[-1]

    async def one(self) -> Alert:
        (alert,) = await self.store.alerts.open(GUILD)
        return alert

    async def press(self, alert: Alert, action: AlertAction, actor: object = ONCALL, **more: object) -> Alert:
        request = AlertRequest(alert.id, action, actor, GUILD, **more)  # type: ignore[arg-type]
        return await self.alerts.act(request)

    async def pass_s(self, seconds: float) -> None:
        self.clock.forward(seconds)
        while await self.alerts.once():
            pass

    def calls(self) -> list[CallPeople]:
        """The calls so far that are not the first message's."""
        return [call for call in self._made() if not call.direct_to]

    def written(self) -> list[CallPeople]:
        """The direct messages so far."""
        return [call for call in self._made() if call.direct_to]

    def _made(self) -> list[CallPeople]:
        rows = self.database.tables.effects.values()
        return [row.effect for row in rows if isinstance(row.effect, CallPeople)]

    def lines(self, alert: Alert) -> list[str]:
        return [entry.what for of, entry in self.database.tables.entries if of == alert.id]
