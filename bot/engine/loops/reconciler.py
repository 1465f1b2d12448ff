"""Reconciler of lanes: adoption at the first look, drift, aborts, and rollback readiness at gates."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.domain.config import LaneConfig
from bot.domain.drift import Drift
from bot.domain.records import Active, AuditEntry, LaneRow
from bot.domain.rollout.events import CallPeople, Crashed, Event
from bot.domain.rollout.model import SYSTEM, Actor, Desired, HostAbort, Lane, Observed, Phase, Rollout
from bot.engine.effects.notifications import LaneAlerts
from bot.engine.lanes import Lanes
from bot.engine.loops.sampler import crash
from bot.engine.loops.warm import WarmReleases
from bot.engine.observation import heard_by, match, unheard
from bot.engine.stepper import MESSAGES, ORDERS, Stepper
from bot.engine.tasks import Tasks
from bot.ports.coordination import Waker
from bot.ports.errors import Unreachable
from bot.ports.store import Store

log = structlog.get_logger(__name__)

REPAIR_TIMEOUT_S = 60.0
# Drift that ended this recently ends again only when the lane was in its desired state for so long.
FLAPPING_S, SETTLED_S = 600.0, 30.0
# A look costs a millisecond or two, so a thousand at once would slow down every press: lanes are started one after
# the other, so many a second, and a round takes so many. New lanes come first, then those looked at longest ago.
_A_ROUND, _LOOKS_A_SECOND, _UNPACED = 120, 60, 16
_GATHER_S = 1.5  # longer than a look may take
READINESS_AGE = timedelta(seconds=60)
_REPAIRING = " Slipway is restoring the desired state."
_LEFT = (
    " The last rollout was closed after a halt, so nothing is repaired: deploy, or `/rollback` to a version."
)


def due(
    lanes: Sequence[LaneConfig], known: Container[Lane], looked_at: Mapping[Lane, float], most: int = _A_ROUND
) -> list[LaneConfig]:
    """All lanes that are new, and `most` of the others: those looked at longest ago first."""
    new, others = [c for c in lanes if c.lane not in known], [c for c in lanes if c.lane in known]
    return new + sorted(others, key=lambda config: looked_at.get(config.lane, -math.inf))[:most]


class Reconciler:
    """Compares the desired with the observed state, lane by lane. One process does this for all (`Controller`).

    Every lane is looked at in a task of its own, so a target that hangs delays its own lanes only.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        stepper: Stepper,
        waker: Waker,
        alerts: LaneAlerts,
        *,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._stepper = stepper
        self._waker = waker
        self._alerts = alerts
        self._settled_s = settled_s
        self._warm = WarmReleases(store, lanes)
        self._changing: dict[Lane, float] = {}
        self._ended: dict[Lane, float] = {}
        self._busy = Tasks[Lane, None]()
        self._looked_at: dict[Lane, float] = {}

    async def once(self) -> bool:
        # Rollouts first: one that begins in between makes its lane's row newer, and `heard` then saves nothing.
        rows = {row.lane: row for row in await self._store.lanes.lanes()}
        active = {rollout.lane: rollout for rollout in await self._store.rollouts.active()}
        free = [config for config in self._lanes.catalog.lanes.values() if config.lane not in self._busy]
        configs = due(free, rows, self._looked_at)
        for rollout in active.values():
            # The catalog lost its lane: it goes on to its end.
            if rollout.lane not in self._lanes.catalog.lanes and rollout.lane not in self._busy:
                self._begin(rollout.lane, partial(self._owned, rollout))
        for config in configs:
            lane = config.lane
            self._looked_at[lane] = asyncio.get_running_loop().time()
            owner = active.get(lane)
            looking = partial(self._owned, owner) if owner else partial(self._lane, config, rows.get(lane))
            self._begin(lane, looking)
            if len(configs) > _UNPACED and lane in rows:
                await asyncio.sleep(1 / _LOOKS_A_SECOND)
        await self._busy.wait(_GATHER_S)
        self._busy.finished()
        return False

    async def stop(self) -> None:
        await self._busy.stop()

    def _begin(self, lane: Lane, looking: Callable[[], Awaitable[None]]) -> None:
        self._busy.start(lane, self._look(lane, looking), f"reconcile:{lane}")

    async def _look(self, lane: Lane, looking: Callable[[], Awaitable[None]]) -> None:
        try:
            await looking()
        except Unreachable as error:
            log.info("lane_waiting", lane=str(lane), why=str(error))
        except Exception:
            # A rollout that cannot be read, or a target with a bug, must not affect other lanes.
            log.exception("lane_not_reconciled", lane=str(lane))

    async def _owned(self, active: Active) -> None:
        """An active rollout owns its lane, and is looked at on the target that it was started on."""
        if active.judged:
            return
        loaded = await self._store.rollouts.load(active.id, self._stepper.kept.get(active.id))
        if loaded is not None and not loaded.rollout.phase.final:
            observed = await self._lanes.look(active.lane, loaded.rollout)
            await self._rollout(loaded.rollout, observed)

    async def _lane(self, config: LaneConfig, row: LaneRow | None) -> None:
        try:
            observed = await self._lanes.look(config.lane)
        except Unreachable as error:
            log.info("target_away", lane=str(config.lane), why=str(error))
            return
        if row is None:
            if await self._lanes.adopt(config.lane, observed):
                log.info("lane_adopted", lane=str(config.lane))
        else:
            await self._between(config, row, observed)

    async def _rollout(self, rollout: Rollout, observed: Observed) -> None:
        """Pass aborts and crashes to the active rollout that owns the lane, and update its rollback readiness."""
        event: Event | None = heard_by(rollout, observed, self._lanes.now())
        if event is None and rollout.phase in (Phase.GATED, Phase.HELD):
            why = crash(rollout, observed)
            event = Crashed(self._lanes.now(), why) if why else None
        if event is not None:
            told = event
            await self._stepper.apply(rollout.id, lambda _: told)
        elif rollout.phase is Phase.GATED:
            await self._readiness(rollout, observed)

    async def _readiness(self, rollout: Rollout, observed: Observed) -> None:
        now = await self._lanes.readiness(rollout.lane, rollout.policy, rollout.stable, observed)
        was = rollout.readiness
        same = was is not None and replace(was, checked_at=None) == replace(now, checked_at=None)
        aged = was is None or was.checked_at is None or self._lanes.now() - was.checked_at > READINESS_AGE
        if not same or (aged and now.checked_at is not None):
            await self._stepper.amend(rollout.id, now)

    async def _between(self, config: LaneConfig, row: LaneRow, observed: Observed) -> None:
        """Reconcile a lane without a rollout: record aborts, repair or report drift."""
        abort = unheard(row, observed)
        if abort is not None:
            await self._aborted(row, abort)
            return
        if observed.generation > row.generation:
            await self._store.lanes.newest(row.lane, observed.generation)
            return
        now = self._lanes.now()
        drift = row.drift.seen(*self._drift(row, observed), now)
        if self._passing(row, drift):
            return
        mends = bool(drift) and config.drift == "repair"
        left = mends and await self._left_as_it_was(row)
        if drift.kind != row.drift.kind:
            said = drift.text or f"Resolved. Before: {row.drift.text}"
            entry = AuditEntry(row.lane, SYSTEM, now, "drift" if drift else "drift_over", said)
            doing = _LEFT if left else _REPAIRING if mends else ""
            calls = self._calls(row, drift, entry, doing)
            if not await self._store.lanes.heard(row, drift, entry, calls):
                return  # a rollout has begun
            await self._waker.wake(MESSAGES)
        if mends and not left:
            await self._repair(row, drift, now)
        over = None if drift or row.drift else await self._warm.over(config, row)
        if over is not None:
            await self._order(row, replace(row.desired, warm=()), over)

    async def _left_as_it_was(self, row: LaneRow) -> bool:
        """Whether the lane's last rollout was closed after a halt: only the next rollout moves its traffic."""
        loaded = await self._store.rollouts.load(row.rollout_id) if row.rollout_id is not None else None
        return loaded is not None and loaded.rollout.left_as_it_was

    def _passing(self, row: LaneRow, drift: Drift) -> bool:
        """Whether to wait before the change counts.

        A change under way is not drift: it counts when the next look still finds it. And a release that crashes again
        and again is one drift: after its first end, it ends when the lane was in its desired state for a while.
        """
        if bool(drift) == bool(row.drift):
            self._changing.pop(row.lane, None)
            return False
        now = asyncio.get_running_loop().time()
        since = self._changing.setdefault(row.lane, now)
        flaps = now - self._ended.get(row.lane, -math.inf) < FLAPPING_S
        if since == now if drift else flaps and now - since < self._settled_s:
            return True
        del self._changing[row.lane]
        if not drift:
            self._ended[row.lane] = now
        return False

    def _calls(self, row: LaneRow, drift: Drift, entry: AuditEntry, doing: str) -> Sequence[CallPeople]:
        """Alerts when drift begins and when it ends, not for every change in between."""
        if bool(drift) == bool(row.drift):
            return ()
        what = "not in the desired state" if drift else "back in the desired state"
        once = f"drift/{bool(drift)}/{entry.at.isoformat()}"
        return self._alerts.about(row.lane, what, f"{entry.why}.{doing}", once, over=not drift)

    async def _aborted(self, row: LaneRow, abort: HostAbort) -> None:
        """Adopt an abort on the host: stable alone becomes the desired state, under the next generation."""
        why = f"{abort.by} ran `slipway abort`: {abort.why}".rstrip(": ")
        entry = AuditEntry(row.lane, Actor(0, abort.by, via="cli"), abort.at, "host_aborted", why)
        if row.desired.stable is not None and row.desired.stable.spec:
            newest = replace(row, generation=abort.generation)
            await self._order(replace(newest, drift=Drift()), Desired(0, row.desired.stable), entry)
        elif await self._store.lanes.heard(row, row.drift, entry):
            # Too little is known to order it again.
            await self._store.lanes.newest(row.lane, abort.generation + 1)

    def _drift(self, row: LaneRow, observed: Observed) -> tuple[str, str]:
        """What is wrong, as its kind and as a sentence; both empty when the lane is as desired."""
        if row.desired.stable is None and row.desired.candidate is None:
            running = next((r for r in observed.running if r.weight > 0), None)
            if running is None:
                return "", ""
            return f"still {running.digest}", f"{running.version} runs, which Slipway did not start"
        beside = self._lanes.target(row.lane).capabilities.weights
        found = match(row.desired, observed, beside=beside, say=self._lanes.wording_for(row.lane))
        return found.kind, found.why

    async def _repair(self, row: LaneRow, drift: Drift, now: datetime) -> None:
        """Order the desired state again, with growing pauses; after the last of them, call people."""
        if drift.repair_due(now):
            entry = AuditEntry(row.lane, SYSTEM, now, "drift_repaired", drift.text)
            await self._order(replace(row, drift=drift.repaired(now)), row.desired, entry)
        elif drift.hopeless(now):
            tries = f"{drift.repairs} repairs did not help: {drift.text}. Repairs stop until the next deploy."
            entry = AuditEntry(row.lane, SYSTEM, now, "repairs_given_up", tries)
            once = f"repairs/{now.isoformat()}"
            calls = self._alerts.about(row.lane, "manual action required", tries, once)
            if await self._store.lanes.heard(row, drift.repaired(now), entry, calls):
                await self._waker.wake(MESSAGES)

    async def _order(self, row: LaneRow, desired: Desired, entry: AuditEntry) -> None:
        generation = row.generation + 1
        again = replace(row, generation=generation, desired=replace(desired, generation=generation))
        await self._store.effects.order(again, f"lane.{row.lane}.{generation}", REPAIR_TIMEOUT_S, entry)
        await self._waker.wake(ORDERS)
