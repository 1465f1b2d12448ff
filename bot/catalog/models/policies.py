"""Policies for the judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bot.values import Duration, Part, Proportion, Short

_STRING = {"type": "string"}


class Objective(Part):
    """Limit on a proportion: at most `limit` of the requests are bad. `latency` takes a time, others a proportion."""

    limit: Any = Field(description='A proportion ("1%"), for latency a time ("2s").')
    kind: Literal["errors", "latency", "proportion"] | None = Field(
        default=None, description="By default from the name: errors, latency, else proportion."
    )
    quantile: Proportion = Field(
        default=0.99, description='Latency only: the share below the limit, "99%" by default.'
    )
    ratio: float | None = Field(
        default=None, gt=0, description="Tolerated multiple of stable's rate of bad requests."
    )
    series: str | None = Field(default=None, description="The proportion's name in the metric source.")
    enforce: bool = Field(default=True, description="false: judged and shown, without consequences.")
    min_requests: int | None = Field(
        default=None,
        ge=0,
        description="Requests that this objective needs in a soak; by default the policy's.",
    )


class Rule(Part):
    """A plain threshold such as `error_rate > 5% over 5m`, without the statistical promise of an objective."""

    rule: str = Field(description="The condition that fails a release, such as `p99 > 5s for 2m`.")
    enforce: bool = Field(default=True, description="false: judged and shown, without consequences.")


class Policy(Part):
    """Policy for judging releases."""

    objectives: dict[str, Annotated[Objective, Short("limit", {"type": ["string", "number"]})]] = Field(
        default={}, description="Limits on proportions, tested with a bound on false alarms."
    )
    rules: tuple[Annotated[Rule, Short("rule", _STRING)], ...] = Field(
        default=(), description="Plain thresholds."
    )
    alpha: Proportion = Field(default=0.01, description="Chance of a false alarm over a whole rollout.")
    burst: Duration = Field(
        default=5.0,
        gt=0,
        description="Time within which failures may have one cause (retries, a blip of a dependency).",
    )
    phi: float | None = Field(
        default=None,
        ge=1,
        description="Instead of `burst`: requests that may fail together at most, where that is known.",
    )
    min_bad: int = Field(default=3, ge=1, description="Bad requests that a FAIL needs.")
    min_requests: int = Field(default=50, ge=0, description="Requests that a soak needs to pass.")
    on_common_trouble: Literal["hold", "ignore"] = Field(
        default="hold", description="When stable breaks the same limit: ask people, or judge as usual."
    )
    on_restart: Literal["fail", "ignore"] = Field(
        default="fail",
        description="When an instance of the candidate crashed: fail the candidate, or only log it.",
    )
    on_sick_instance: Literal["hold", "ignore"] = Field(
        default="hold",
        description="When one instance fails more often than the others: keep a soak from passing, or only show it.",
    )
    error_limit: Duration = Field(default=60.0, description="How long sources may be unreadable.")
    recent: Duration = Field(
        default=180.0, description="Time over which stable is checked for the same trouble."
    )
    settle: Duration | None = Field(
        default=None, description="How long completions are discarded after a shift."
    )
