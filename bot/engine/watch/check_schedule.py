"""Schedule of a monitored check, the same in every process, and asking it once."""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import structlog

from bot.domain.config import CheckConfig
from bot.domain.watch.checks import CheckResult, Monitor, Seen
from bot.ports.coordination import Clock
from bot.ports.errors import TargetRefused, Unreachable
from bot.ports.watch.checks import Checks
from bot.ports.watch.monitors import MonitorKey

log = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """What came of one look at `at`; without a result nothing is known, and `why` says why. seen: of each location."""

    key: MonitorKey
    at: float
    result: CheckResult | None
    why: str = ""
    seen: tuple[Seen, ...] = ()


def round_at(key: MonitorKey, monitor: Monitor, now: float) -> float:
    """The last time up to `now` at which the check is planned: at its own moment of each period, in every process."""
    every_s = monitor.every_s
    phase_s = every_s * (crc32(f"{key.lane}:{key.name}".encode()) % 10_000) / 10_000
    return phase_s + (now - phase_s) // every_s * every_s


def next_at(key: MonitorKey, monitor: Monitor, now: float) -> float:
    """The first planned time after `now`."""
    return round_at(key, monitor, now) + monitor.every_s


async def ask(checks: Checks, key: MonitorKey, check: CheckConfig, clock: Clock) -> Asked:
    """Ask the check. Nothing is raised: a bug of a check is a gap, and in the log."""
    at = clock.now().timestamp()
    try:
        return Asked(key, at, await checks.ask(check, key.lane, at))
    except (Unreachable, TargetRefused) as away:
        return Asked(key, at, None, str(away))
    except Exception as error:
        log.exception("monitor_broken", lane=str(key.lane), check=key.name)
        return Asked(key, at, None, type(error).__name__)
