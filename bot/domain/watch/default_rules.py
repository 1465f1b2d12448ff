"""The rules that every lane has before its own: an outage, burn rates, slowness, and what rolls a deploy back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from bot.domain.formatting import percent
from bot.domain.judge.policy import JudgePolicy, Rule
from bot.domain.judge.rules import parse_rule
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.rules import WatchRule, error_limit

# The proportion of a lane's metrics that says how many of its database's queries fail.
DATABASE = "database_errors"
_COVER = 0.5  # of the windows of burn rates


def default_rules(policy: JudgePolicy, measured: Collection[str] = ()) -> tuple[WatchRule, ...]:
    """An outage, burn rates of the limit on errors, slowness, and what counts after a deploy.

    measured: proportions that the lane's metric sources report.

    The thresholds after a deploy, and for slowness, are those of the teams' own documents. The burn rates are those of
    Google's SRE workbook ("Alerting on SLOs"): 14.4 over 1 h and 5 min, 6 over 6 h and 30 min, and 1 over 3 days and
    6 h for what can wait.
    """
    limit = error_limit(policy)
    return (
        *_outage(),
        *(_burns(limit) if limit is not None else ()),
        *_slow(),
        *_rolling_back(_AFTER_DEPLOY),
        *(_rolling_back(_OF_DATABASE) if DATABASE in measured else ()),
    )


def _outage() -> Iterable[WatchRule]:
    """Enough requests that an unlucky handful is none, in as short a time as the traffic allows."""
    windows = (("10s", 100), ("30s", 80), ("2m", 40))
    said = (f"error_rate > 20% over {window} with at least {least} requests" for window, least in windows)
    yield WatchRule("outage", tuple((parse_rule(each),) for each in said), Severity.CRITICAL)


def _burns(limit: float) -> Iterable[WatchRule]:
    def way(burn: float, *windows: str, failures: int = 20) -> tuple[Rule, ...]:
        """A new lane has seen little of a long window, so each takes as many requests as fail that often."""
        share = min(burn * limit, 1.0)
        least = round(failures / share)
        shares = (parse_rule(f"error_rate > 1% over {window}") for window in windows)
        return tuple(
            replace(
                each, name=f"error_rate > {percent(share)} over {window}", limit=share, min_requests=least
            )
            for each, window in zip(shares, windows, strict=True)
        )

    yield WatchRule("fast burn", (way(14.4, "1h", "5m"),), Severity.CRITICAL, cover=_COVER)
    yield WatchRule("burn", (way(6.0, "6h", "30m"),), Severity.HIGH, cover=_COVER)
    yield WatchRule("slow burn", (way(1.0, "72h", "6h", failures=100),), Severity.LOW, cover=_COVER)


def _slow() -> Iterable[WatchRule]:
    yield WatchRule("slow", ((parse_rule("p95 > 800ms over 1m for 10m"),),), Severity.MEDIUM)


_AFTER_DEPLOY = {
    "errors after a deploy": "error_rate > 5% over 5m",
    "slow after a deploy": "p99 > 5s over 1m for 2m",
    "gateway after a deploy": "gateway disconnected for 2m",
    "alert after a deploy": "any P1 alert firing",
}
_OF_DATABASE = {"database after a deploy": f"{DATABASE} > 1% over 5m"}
# As teams with two environments behind one switch have it: quicker, and with wider limits.
_AFTER_SWITCH = {
    "errors after a switch": "error_rate > 10% over 1m",
    "slow after a switch": "p95 > 2s over 30s for 1m",
    "health after a switch": "health check failing for 30s",
}


def _rolling_back(rules: Mapping[str, str]) -> Iterable[WatchRule]:
    for name, said in rules.items():
        yield WatchRule(name, ((parse_rule(said),),), Severity.CRITICAL, after_deploy_s=1800.0, rollback=True)


# The rules that a lane has before its own, by the name of the profile.
PROFILES: Mapping[str, Callable[[JudgePolicy, Collection[str]], tuple[WatchRule, ...]]] = {
    "standard": default_rules,
    "blue_green": lambda policy, measured: (
        *default_rules(policy, measured),
        *_rolling_back(_AFTER_SWITCH),
    ),
    "none": lambda policy, measured: (),
}
