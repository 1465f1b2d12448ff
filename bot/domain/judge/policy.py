"""Policy of the judge: objectives, plain rules and the figures of the test, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

POLICY_VERSION = 1

BURST_S = 5.0  # by default; where failures come in bursts, and without history, blocks are longer
MIN_REQUESTS = 50  # by default; a lane with bursts of failures needs as many bursts
_LATER = ("burst_s", "measured_s", "together", "requests_s", "on_sick_instance")

ObjectiveKind = Literal["errors", "latency", "proportion"]
Metric = Literal["error_rate", "latency", "proportion", "health", "alert", "gateway"]
Operator = Literal[">", ">="]

SIGNAL_METRICS = frozenset({"health", "alert", "gateway"})


class PolicyError(ValueError):
    """An invalid policy; the message is a sentence for its author."""


@dataclass(frozen=True)
class Objective:
    """One promise: at most `limit` of the requests are bad.

    kind: `errors` (failed requests), `latency` (requests slower than `threshold_s` seconds), or `proportion`
        (another proportion that readings carry in `extra` under `series`, by default the objective's name).
    limit: largest tolerated proportion of bad, strictly between 0 and 1; "p99 below 2 s" is 0.01 with 2.0.
    ratio: tolerated ratio of the candidate's bad rate to stable's; None is not compared.
    min_requests: floor for `PASS` in a soak; None takes the policy's.
    """

    name: str
    kind: ObjectiveKind
    limit: float
    threshold_s: float | None = None
    enforce: bool = True
    ratio: float | None = None
    series: str | None = None
    min_requests: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("errors", "latency", "proportion"):
            raise PolicyError(
                f"objective {self.name}: kind must be errors, latency or proportion, not {self.kind!r}"
            )
        if not 0 < self.limit < 1:
            raise PolicyError(f"objective {self.name}: limit must be between 0 and 100%, not {self.limit:g}")
        if (self.kind == "latency") != (self.threshold_s is not None):
            raise PolicyError(
                f"objective {self.name}: latency objectives need a time limit, and no others take one"
            )
        if self.threshold_s is not None and self.threshold_s <= 0:
            raise PolicyError(f"objective {self.name}: the time limit must be above 0 s")
        if self.ratio is not None and self.ratio <= 0:
            raise PolicyError(f"objective {self.name}: the ratio to stable must be above 0")


@dataclass(frozen=True)
class Rule:
    """A plain threshold as teams write it, without the statistical promise of an objective.

    Request metrics (`error_rate`, `latency`, `proportion`): bad when the proportion in the last `over_s`
    seconds is `op` the limit, with at least `min_requests` in them, for `for_s` measured seconds. For
    `latency`, `limit` is in seconds and `quantile` says which ("p99" is 0.99). Signals (`health`, `alert`,
    `gateway`): bad when the signal was bad for `for_s` measured seconds. `subject` is a severity or a
    proportion's name.
    """

    name: str
    metric: Metric
    op: Operator = ">"
    limit: float = 0.0
    over_s: float = 60.0
    for_s: float = 0.0
    min_requests: int = 20
    quantile: float | None = None
    subject: str | None = None
    enforce: bool = True

    @property
    def signal(self) -> str | None:
        """Key of this rule's signal in `Tick.signals`; None for request metrics."""
        if self.metric not in SIGNAL_METRICS:
            return None
        return f"{self.metric}:{self.subject}" if self.subject else self.metric


@dataclass(frozen=True, slots=True)
class Series:
    """One proportion to read from cumulative counters; `name` is an objective's or a rule's."""

    name: str
    kind: ObjectiveKind
    threshold_s: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class JudgePolicy:
    """Everything the judge needs besides measurements. Copied into the rollout when it starts.

    alpha: chance of a false alarm over the whole rollout, shared by the enforced tests.
    phi: requests that may fail together at most (retries, sticky users, bursts); 1 means independent requests. None:
        whatever fails within the same block may hang together.
    burst_s: time within which failures may have one cause, without phi: what happens in it is one observation, a
        block. Causes that last longer break the promise.
    measured_s, together: seconds of stable on which phi and burst_s were measured (0: not measured), and how many
        failures came at a time there.
    requests_s: what the whole lane served a second when the rollout started; None: not known.
    min_bad: bad requests that a test needs before it says `FAIL`.
    min_requests: requests a soak needs before it may `PASS`.
    planned_ticks: measurements, or blocks where those are longer, that the plan expects with candidate traffic;
        spreads the test's weight.
    error_limit_s: how long sources may be unreadable before the verdict is `ERROR`.
    tick_s: planned time between measurements; a gap counts as measured for at most three of them.
    recent_s: seconds that count as "now" when candidate and stable break the same limit.
    settle_s: how long completions are discarded after traffic rose; None is the largest latency limit, or 1
        s.
    on_sick_instance: whether an instance that fails more often than the others keeps a soak from passing.
    """

    objectives: tuple[Objective, ...] = ()
    rules: tuple[Rule, ...] = ()
    alpha: float = 0.01
    phi: float | None = field(default=None, metadata={"first_default": 1.0})
    burst_s: float = BURST_S
    measured_s: float = 0.0
    together: float | None = None
    requests_s: float | None = None
    min_bad: int = 3
    min_requests: int = MIN_REQUESTS
    planned_ticks: int = 120
    on_common_trouble: Literal["hold", "ignore"] = "hold"
    error_limit_s: float = 60.0
    tick_s: float = 5.0
    recent_s: float = 180.0
    settle_s: float | None = None
    on_restart: Literal["fail", "ignore"] = "fail"
    on_sick_instance: Literal["hold", "ignore"] = "hold"
    series: tuple[Series, ...] = field(init=False, repr=False, compare=False)
    latency_limit_s: float | None = field(init=False, repr=False, compare=False)
    tests: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        limits = [o.threshold_s for o in self.objectives if o.threshold_s is not None]
        enforced = [o for o in self.objectives if o.enforce]
        # Derived once, because every tick of every rollout reads them.
        object.__setattr__(self, "series", tuple(_series(self)))
        object.__setattr__(self, "latency_limit_s", max(limits, default=None))
        object.__setattr__(self, "tests", len(enforced) + sum(o.ratio is not None for o in enforced))

    @property
    def settling_s(self) -> float:
        """Seconds for which completions are discarded after traffic started or rose."""
        return self.settle_s if self.settle_s is not None else self.latency_limit_s or 1.0

    @property
    def block_s(self) -> float:
        """Seconds that one observation of the test covers at least."""
        return self.tick_s if self.phi is not None else max(self.tick_s, self.burst_s)

    @property
    def evidence_needed(self) -> float:
        """What M must reach for `FAIL`: the number of enforced tests over alpha."""
        return max(1, self.tests) / self.alpha

    def floor(self, objective: Objective) -> int:
        """Requests that this objective needs in a soak before it may pass."""
        return self.min_requests if objective.min_requests is None else objective.min_requests

    def _check(self) -> None:
        if not 0 < self.alpha < 1:
            raise PolicyError(f"alpha must be between 0 and 1, not {self.alpha:g}")
        if self.phi is not None and self.phi < 1:
            raise PolicyError(f"phi (requests that fail together) must be at least 1, not {self.phi:g}")
        if self.planned_ticks < 1:
            raise PolicyError("planned_ticks must be at least 1")
        if self.burst_s <= 0:
            raise PolicyError("burst_s must be above 0 s")
        if self.tick_s <= 0 or self.recent_s <= 0 or self.error_limit_s < 0 or (self.settle_s or 0) < 0:
            raise PolicyError(
                "tick_s and recent_s must be above 0 s, error_limit_s and settle_s at least 0 s"
            )
        if self.on_common_trouble not in ("hold", "ignore"):
            raise PolicyError(f"on_common_trouble must be hold or ignore, not {self.on_common_trouble!r}")
        if self.on_sick_instance not in ("hold", "ignore"):
            raise PolicyError(f"on_sick_instance must be hold or ignore, not {self.on_sick_instance!r}")
        if self.on_restart not in ("fail", "ignore"):
            raise PolicyError(f"on_restart must be fail or ignore, not {self.on_restart!r}")
        names = [o.name for o in self.objectives] + [r.name for r in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PolicyError(f"two objectives or rules are called {twice[0]!r}")


def _series(policy: JudgePolicy) -> list[Series]:
    found = [Series(o.name, o.kind, o.threshold_s or 0.0, o.series or o.name) for o in policy.objectives]
    for rule in policy.rules:
        if rule.metric == "error_rate":
            found.append(Series(rule.name, "errors"))
        elif rule.metric == "latency":
            found.append(Series(rule.name, "latency", rule.limit))
        elif rule.metric == "proportion":
            found.append(Series(rule.name, "proportion", 0.0, rule.subject or rule.name))
    return found


def policy_to_json(policy: JudgePolicy) -> dict[str, Any]:
    """The policy as JSON values, with a version, stable in order (it is part of the seal)."""
    plain = {f.name: getattr(policy, f.name) for f in fields(JudgePolicy) if f.init}
    for name in _LATER:
        if plain[name] == JudgePolicy.__dataclass_fields__[name].default:
            del plain[name]  # so that seals which were given before there was one stay valid
    plain["objectives"] = [_plain(o) for o in policy.objectives]
    plain["rules"] = [_plain(r) for r in policy.rules]
    return {"version": POLICY_VERSION, **plain}


def policy_from_json(stored: Mapping[str, Any]) -> JudgePolicy:
    """Inverse of `policy_to_json`. Raises PolicyError for an unknown version or key."""
    version = stored.get("version")
    if version != POLICY_VERSION:
        raise PolicyError(f"the stored policy has version {version!r}; this Slipway reads {POLICY_VERSION}")
    plain = {key: value for key, value in stored.items() if key != "version"}
    try:
        plain["objectives"] = tuple(Objective(**o) for o in plain.get("objectives", ()))
        plain["rules"] = tuple(Rule(**r) for r in plain.get("rules", ()))
        return JudgePolicy(**plain)
    except TypeError as problem:
        raise PolicyError(f"the stored policy cannot be read: {problem}") from None


def _plain(value: Objective | Rule) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}
