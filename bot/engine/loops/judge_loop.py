"""Judge loop: measures each rollout with traffic when its next tick is due, and saves many in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from bot.domain.judge.evidence.ticks import EvidenceState
from bot.domain.judge.history.replay import judged_tick
from bot.domain.judge.history.served import ServedTick, served_in_rollout
from bot.domain.records import Judged, Loaded
from bot.domain.rollout.events import Crashed, DrawCard, Measured
from bot.domain.rollout.machine import machine
from bot.domain.rollout.machine.verdicts import required_s
from bot.domain.rollout.model import Lane, Rollout
from bot.domain.rollout.step_builder import Stepped
from bot.engine.loops.sampler import Measurement, Sampler, crash
from bot.engine.observation import heard_by
from bot.engine.stepper import Stepper, change_of, stamped
from bot.engine.tasks import Tasks, own_cancellation_only
from bot.engine.tracing import traced
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.meter import Meter
from bot.ports.store import Store

log = structlog.get_logger(__name__)

# Taken in one round; what is left over is taken in the next one, at once.
_BATCH = 250
# Measured at the same time; more than this wait for a free place.
_AT_ONCE = 2000
_GATHER_S = 0.1


class _Tick(NamedTuple):
    """One rollout's tick, judged but not saved."""

    loaded: Loaded
    stepped: Stepped
    look: Measurement
    next_at: datetime

    @property
    def quiet(self) -> bool:
        """Whether only measurements changed: it can be saved with many others."""
        return not self.stepped.transitions and all(isinstance(e, DrawCard) for e in self.stepped.effects)


class JudgeLoop:
    """Measures what is due and steps the machine by it. One process does this for all (`Controller`).

    Every rollout is measured as a task of its own, bounded in time by its sources' limits and saved when it is ready:
    a source that hangs or fails costs its own lane ticks, and no other lane anything. `term` rises when this process
    becomes the controller. served: is told what stable served in a tick.
    """

    def __init__(
        self,
        store: Store,
        sampler: Sampler,
        stepper: Stepper,
        *,
        clock: Clock,
        meter: Meter,
        term: Callable[[], int] = lambda: 0,
        served: Callable[[Lane, ServedTick], None] = lambda lane, tick: None,
    ) -> None:
        self._store = store
        self._served = served
        self._sampler = sampler
        self._stepper = stepper
        self._clock = clock
        self._meter = meter
        self._term = term
        self._seen_term = 0
        self._last = clock.now()
        self._busy = Tasks[int, _Tick | None]()

    async def once(self) -> bool:
        now = self._clock.now()
        await self._mind_the_clock(now)
        most = min(_BATCH, _AT_ONCE - len(self._busy))
        due = await self._due(now, most) if most > 0 else ()
        begun = []
        for loaded, planned in due:
            self._meter.tick(max(0.0, (now - planned).total_seconds()))
            measuring = self._measure(loaded, planned, now)
            begun.append(self._busy.start(loaded.rollout.id, measuring, f"tick:{loaded.rollout.id}"))
        # Most are measured within milliseconds and saved together; what takes longer is saved in a later round.
        if begun:
            await asyncio.wait(begun, timeout=_GATHER_S)
        ticks = [tick for tick in self._busy.finished() if tick is not None]
        saved = await self._save_quiet([tick for tick in ticks if tick.quiet])
        saved += sum(await asyncio.gather(*(self._save_alone(tick) for tick in ticks if not tick.quiet)))
        # What lost a race is still due, and measured again on the newer state.
        return 0 < len(due) == most or saved < len(ticks)

    async def _due(self, now: datetime, most: int) -> Sequence[tuple[Loaded, datetime]]:
        return await self._store.ticks.due_ticks(now, most, self._busy.keys, self._stepper.kept.get)

    async def stop(self) -> None:
        """Stop measuring. What was measured and not saved is still due."""
        await self._busy.stop()

    async def _mind_the_clock(self, now: datetime) -> None:
        """Make due now what a clock that was ahead planned for later than one tick from now."""
        term = self._term()
        if now < self._last or term != self._seen_term:
            if now < self._last:
                log.warning("clock_set_back", seconds=(self._last - now).total_seconds())
            await self._store.ticks.hasten(now)
        self._seen_term, self._last = term, now

    async def _measure(self, loaded: Loaded, planned: datetime, now: datetime) -> _Tick | None:
        rollout = loaded.rollout
        next_at = following(planned, now, rollout.policy.tick_s)
        try:
            with own_cancellation_only():
                look = await self._sampler.look(rollout, loaded.evidence, measured_at(loaded, now))
            stepped = heard(rollout, look, now)
            look = _kept(rollout, look, stepped)
            served = served_in_rollout(loaded.evidence, look.evidence, rollout.policy.judge, look.tick)
            if served is not None:
                self._served(rollout.lane, served)
        except Exception:
            # A rollout that cannot be judged must not affect other lanes.
            with traced(rollout):
                log.exception("tick_failed")
            await self._postponed(rollout, next_at)
            return None
        verdict = stepped.rollout.verdict
        if verdict is not None:
            self._meter.verdict(str(verdict.outcome))
        return _Tick(loaded, stepped, look, next_at)

    async def _postponed(self, rollout: Rollout, next_at: datetime) -> None:
        with contextlib.suppress(Unreachable):  # it is still due, and measured again
            await self._store.ticks.postpone(rollout, next_at)

    async def _save_quiet(self, ticks: Sequence[_Tick]) -> int:
        if not ticks:
            return 0
        judged = [
            Judged(
                rollout=stamped(tick.stepped.rollout),
                before=tick.loaded.rollout,
                evidence=tick.look.evidence,
                tick_at=tick.next_at,
                point=tick.look.point,
            )
            for tick in ticks
        ]
        try:
            saved = await self._store.ticks.save_ticks(judged)
        except Unreachable:
            raise
        except Exception:
            # One that cannot be written must not keep the others from being judged.
            if len(ticks) == 1:
                raise
            log.warning("ticks_saved_one_by_one", ticks=len(ticks))
            return sum([await self._save_alone(tick) for tick in ticks])
        for tick in judged:
            self._keep(tick.rollout, tick.evidence if tick.rollout.id in saved else None)
        return len(saved)

    async def _save_alone(self, tick: _Tick) -> bool:
        """Save one; when that fails, it is measured again at its next tick."""
        try:
            return bool(await self._save_quiet([tick])) if tick.quiet else await self._save(tick)
        except Unreachable:
            raise
        except Exception:
            with traced(tick.loaded.rollout):
                log.exception("tick_not_saved")
            await self._store.ticks.postpone(tick.loaded.rollout, tick.next_at)
            return True

    async def _save(self, tick: _Tick) -> bool:
        change = change_of(tick.loaded, tick.stepped, tick.next_at, tick.look.evidence)
        change = replace(change, at=self._clock.now(), tick_at=tick.next_at, point=tick.look.point)
        saved = await self._store.rollouts.save(change)
        self._keep(change.rollout, change.evidence if saved else None)
        if not saved:
            return False
        await self._stepper.wake(change)
        return True

    def _keep(self, rollout: Rollout, saved: EvidenceState | None) -> None:
        """Keep what this tick saved, so that the next press need not load it."""
        if saved is not None:
            self._stepper.kept.put(Loaded(rollout, saved))
        else:
            self._stepper.kept.drop(rollout.id)


def _kept(before: Rollout, look: Measurement, stepped: Stepped) -> Measurement:
    """The look with the whole tick in its point, if the judge took it: an abort is heard without one."""
    state, after = before.judge_state, stepped.rollout.judge_state
    if state is None or after is state:
        return look
    judged = judged_tick(state, before.policy.judge, look.tick, required_s(before))
    return look._replace(point=replace(look.point, judged=judged))


def measured_at(loaded: Loaded, now: datetime) -> float:
    """Unix time of this look. The judge's time never goes back: after the clock was set back it advances tick by tick
    until the clock has caught up."""
    at, last = now.timestamp(), loaded.evidence.at
    return at if last is None or at >= last else last + loaded.rollout.policy.tick_s


def following(planned: datetime, now: datetime, tick_s: float) -> datetime:
    """Time of the next tick: in step with the planned ones, or one tick from now after a pause."""
    tick = timedelta(seconds=tick_s)
    return max(planned + tick, now + tick / 2)


def heard(rollout: Rollout, look: Measurement, at: datetime) -> Stepped:
    """The machine after this look: first an abort on the host, then the verdict, then a crash."""
    abort = heard_by(rollout, look.observed, at)
    if abort is not None:
        return machine.step(rollout, abort)
    stepped = machine.step(rollout, Measured(at, look.tick))
    why = crash(rollout, look.observed) if look.observed is not None else None
    if why is None or stepped.transitions:
        return stepped
    crashed = machine.step(stepped.rollout, Crashed(at, why))
    # One save, so one version.
    return Stepped(
        replace(crashed.rollout, version=rollout.version + 1),
        (*stepped.effects[:-1], *crashed.effects),
        (*stepped.transitions, *crashed.transitions),
    )
