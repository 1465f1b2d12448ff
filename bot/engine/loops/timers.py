"""Timer loop: steps rollouts by the timers that came due, also while no process ran."""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.domain.errors import IllegalTransition, UserError
from bot.domain.records import Due
from bot.domain.rollout.events import TimerDue
from bot.engine.stepper import Stepper
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import TimerStore

log = structlog.get_logger(__name__)

_BATCH = 100


class TimerLoop:
    """Fires timers. A timer that the machine no longer waits for is deleted."""

    def __init__(self, timers: TimerStore, stepper: Stepper, clock: Clock) -> None:
        self._timers = timers
        self._stepper = stepper
        self._clock = clock
        self._told: set[Due] = set()

    async def once(self) -> bool:
        now = self._clock.now()
        due = await self._timers.due(now, _BATCH)
        fired = sum([await self._fire(timer, now) for timer in due])
        return len(due) == _BATCH and fired > 0

    async def _fire(self, timer: Due, now: datetime) -> bool:
        """Fire one timer; False when it is still due afterwards."""
        event = TimerDue(timer.name, timer.step, now)
        try:
            done = await self._stepper.apply(timer.rollout_id, lambda _: event)
        except (IllegalTransition, UserError):
            log.exception("timer_failed", rollout=timer.rollout_id, timer=timer.name)
            await self._timers.drop(timer)
            return True
        except Unreachable:
            raise
        except Exception:
            # For example a rollout that this version cannot read: the timers of all others must still fire.
            if timer not in self._told:
                self._told.add(timer)
                log.exception("timer_kept", rollout=timer.rollout_id, timer=timer.name)
            return False
        if not done.changed:
            await self._timers.drop(timer)
        return True
