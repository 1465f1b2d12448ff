"""Checks that are asked from several locations: what their answers come to, and which location is silent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.checks import CheckResult, Monitor, Seen

# A location is silent after so many periods of its most frequent check without a word, and never sooner than this.
_PERIODS, _SILENT_S = 3, 180.0


@dataclass(frozen=True, slots=True)
class LocationLook:
    """What came of asking a check in one location at `at` (unix seconds). result: None when it could not be asked."""

    at: float
    result: CheckResult | None = None


def combined(
    monitor: Monitor, looks: Mapping[str, LocationLook], since: float
) -> tuple[CheckResult | None, tuple[Seen, ...]]:
    """What the looks of one round come to, those at `since` or later; None when no location could ask.

    It failed if it failed in `fails_in` locations, or in all where fewer were heard: a location that is silent does not
    hide an outage. The time is one that as many locations took, or longer. Beside it what each location saw.
    """
    heard = {
        name: look.result
        for name in monitor.locations
        if (look := looks.get(name)) is not None and look.at >= since and look.result is not None
    }
    seen = tuple(Seen(name, _kept(heard.get(name))) for name in monitor.locations)
    if not heard:
        return None, seen
    needed = min(monitor.fails_in, len(heard))
    at = max(result.at for result in heard.values())
    failed = {name: result for name, result in heard.items() if not result.passed}
    if len(failed) < needed:
        times = sorted((result.seconds for result in heard.values() if result.passed), reverse=True)
        return CheckResult(at, times[min(needed, len(times)) - 1]), seen
    first = next(iter(failed.values()))
    said = phrasebook.failed_from(first.said, list(failed), len(heard), len(monitor.locations))
    return CheckResult(at, max(each.seconds for each in failed.values()), said, _parts(failed.values())), seen


def silent_after_s(every_s: float) -> float:
    """How long a location may say nothing. every_s: the period of its most frequent check."""
    return max(_SILENT_S, _PERIODS * every_s)


def silence(
    location: str,
    since: float,
    at: float,
    *,
    checks: int,
    limit_s: float,
    guilds: tuple[int, ...] = (),
    fires: bool,
) -> Finding:
    """That nothing was heard from a location since then (unix seconds), or that this is over.

    checks: how many it is to ask. guilds: who is to be told; empty for all.
    """
    return Finding(
        fingerprint=f"location:{location}",
        source="monitor",
        title=phrasebook.location_silent(location),
        at=datetime.fromtimestamp(since if fires else at, UTC),
        firing=fires,
        severity=Severity.HIGH,
        guilds=guilds,
        text=phrasebook.location_silent_why(location, checks) if fires else "",
        value=duration(round(at - since)) if fires else "",
        limit=duration(limit_s),
        labels={"location": location},
    )


def _kept(result: CheckResult | None) -> CheckResult | None:
    return replace(result, parts=()) if result is not None else None


def _parts(failed: Collection[CheckResult]) -> tuple[str, ...]:
    """What is not well anywhere; empty for all of it, where an answer does not tell its parts apart."""
    if not all(each.parts for each in failed):
        return ()
    return tuple(sorted({part for each in failed for part in each.parts}))
