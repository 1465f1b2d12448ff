"""Lane binding: what the catalog says about a lane's adapters, copied into a rollout when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.judge.judge import JudgePolicy


@dataclass(frozen=True, slots=True)
class AdapterBinding:
    """One adapter. `settings` are as written, with `${NAME}` in place of what the environment gave; empty where only
    the name is known. `folder`: what relative paths in them are relative to.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True, slots=True)
class LaneBinding:
    """Target, router, metric sources and checks of a lane, as plain values. Part of the seal.

    `router`: how users reach the lane, as written; None where the lane takes no traffic through Slipway.
    `latency_limit_s`: requests in flight for longer count as slow (seconds); None without a latency objective.
    `checks`: those that the plan asks of the candidate by name.
    """

    target: AdapterBinding
    metrics: tuple[AdapterBinding, ...] = ()
    router: object | None = None
    exclusive: bool = False
    latency_limit_s: float | None = None
    checks: tuple[AdapterBinding, ...] = ()


def latency_limits(policy: JudgePolicy) -> tuple[float, ...]:
    """Every latency limit (seconds) that a policy judges by, in rising order."""
    return tuple(sorted({series.threshold_s for series in policy.series if series.kind == "latency"}))


def latency_limit(policy: JudgePolicy) -> float | None:
    """The largest latency limit (seconds) that a policy judges by; None where there is none."""
    return max((series.threshold_s for series in policy.series if series.kind == "latency"), default=None)
