"""The answer of `/health` about one lane: what serves, its figures, checks one by one, alerts, and who is on call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bot.domain.formatting import counted, duration
from bot.domain.rollout.model import Lane
from bot.domain.watch.health import CheckHealth, LaneHealth
from bot.domain.watch.oncall.schedule import Person, Responders
from bot.domain.watch.rules import DAY_S, WEEK_S
from bot.engine.watch.health import OpenedLane
from bot.engine.watch.smoke import Smoked
from bot.ui import escaping
from bot.ui.alerts.card import headline
from bot.ui.errors import Reply, Upload
from bot.ui.interactions.health import (
    PICTURE,
    availability,
    budget,
    errors,
    long,
    mark,
    place,
    runs,
    slowness,
)
from bot.ui.interactions.health_buttons import HealthButton, Wanted
from bot.ui.interactions.lists import layout

_CHECKS, _ALERTS = 10, 5


def answer(opened: OpenedLane, picture: bytes | None = None) -> Reply:
    """picture: its errors and slow requests of the last hours as a PNG."""
    health = opened.health
    parts = [
        f"## {mark(health)} {place(health)}\n{_serves(health)}",
        "\n".join(_figures(health)),
    ]
    if health.checks:
        parts.append("**Checks**\n" + "\n".join(_checks(health.checks)))
    lines = [headline(alert) for alert in health.alerts[:_ALERTS]]
    more = len(health.alerts) - _ALERTS
    parts.append("\n".join([*lines, *([f"-# and {more} more"] if more > 0 else ())]) or "No alert is open.")
    parts.append(_on_call(opened))
    lane = health.lane
    shows = [("Refresh", Wanted(lane=lane)), ("All lanes", Wanted())]
    if opened.config.checks:
        shows.insert(1, ("Run checks", Wanted(lane=lane, run=True)))
    return layout(
        parts,
        buttons=[HealthButton(label, each) for label, each in shows if each.custom_id],
        picture=Upload(PICTURE, picture) if picture is not None else None,
        alt=f"Failed and slow requests of {lane} over the last hours, with their limits.",
    )


def smoked(lane: Lane, results: Sequence[Smoked], took_s: float) -> Reply:
    """What came of asking every check now."""
    passed = sum(each.result.passed for each in results)
    well = "✅" if passed == len(results) else "❌"
    where = f"{escaping.plain(lane.service, 60)} → {escaping.plain(lane.environment, 40)}"
    said = f"{well} **{passed} of {counted(len(results), 'check')} passed** in {duration(took_s)}."
    lines = []
    for each in sorted(results, key=lambda one: one.result.passed):
        critical = " (critical)" if each.check.critical and not each.result.passed else ""
        came = escaping.sentence(each.result.said, 200) or f"passed in {duration(each.result.seconds)}"
        sign = "✅" if each.result.passed else "❌"
        lines.append(f"{sign} **{escaping.plain(each.check.name, 40)}**{critical} {came}")
    shows = [("Run again", Wanted(lane=lane, run=True)), ("Health", Wanted(lane=lane))]
    return layout(
        [f"## Checks of {where}\n{said}", *lines[:20], *_left_out(len(lines) - 20)],
        buttons=[HealthButton(label, each) for label, each in shows if each.custom_id],
        more="`slipway smoke` lists them all",
    )


def _left_out(lines: int) -> Sequence[str]:
    return [f"-# and {lines} more: `slipway smoke` lists them all"] if lines > 0 else ()


def _serves(health: LaneHealth) -> str:
    """What runs, since when and by whom, with the lock and what differs."""
    serving, lines = health.serving, [runs(health)]
    if serving is not None and serving.since is not None:
        by = f" by {escaping.plain(serving.by, 60)}" if serving.by else ""
        rollout = f" (rollout {serving.rollout_id})" if serving.rollout_id is not None else ""
        lines[0] += f" since {escaping.moment(serving.since)}{by}{rollout}"
    if health.lock is not None:
        until = f" until {escaping.relative(health.lock.expires)}" if health.lock.expires else ""
        reason = escaping.sentence(health.lock.reason, 160)
        lines.append(f"🔒 locked by {escaping.plain(health.lock.owner, 40)}{until}: {reason}")
    if health.drift:
        lines.append(f"⚠️ drift: {escaping.sentence(health.drift, 200)}")
    return "\n".join(lines)


def _figures(health: LaneHealth) -> Iterator[str]:
    now = " · ".join(filter(None, (errors(health), slowness(health.latency))))
    yield f"**Last 5 minutes** {now or 'no requests were counted'}"
    for name, found, span_s in (("24 hours", health.day, DAY_S), ("7 days", health.week, WEEK_S)):
        if found is None:
            yield f"**{name}** not measured"
            continue
        gap_s = span_s - found.measured_s
        gap = f", {long(gap_s)} not measured" if gap_s >= 60 else ""
        share = availability("", found._replace(measured_s=span_s), span_s).strip()
        by = "passed, by the worst check" if health.by_checks else "of the requests succeeded"
        yield f"**{name}** {share} {by}{gap}"
    if budget(health):
        yield f"**Error budget of a week** {budget(health).removeprefix('budget ')}" + (
            " left" if health.budget else ""
        )


def _checks(checks: Sequence[CheckHealth]) -> Iterator[str]:
    for check in sorted(checks, key=lambda each: each.well)[:_CHECKS]:
        yield f"{'✅' if check.well and check.last else '➖' if check.well else '❌'} {_check(check)}"
    if len(checks) > _CHECKS:
        yield f"-# and {len(checks) - _CHECKS} more"


def _check(check: CheckHealth) -> str:
    name = f"**{escaping.plain(check.name, 40)}**{' (critical)' if check.critical else ''}"
    if check.last is None:
        where = f"\n-# {escaping.sentence(check.places, 300)}" if check.places else ""
        return f"{name} was not asked lately{where}"
    at = escaping.relative(datetime.fromtimestamp(check.last.at, UTC))
    came = escaping.sentence(check.last.said, 160) or f"passed in {duration(check.last.seconds)}"
    limit = f" (limit {duration(check.limit_s)})" if check.limit_s is not None else ""
    slow = f"p95 {duration(check.p95_s)}{limit}" if check.p95_s is not None else ""
    figures = (
        escaping.sentence(check.places, 300),
        slow,
        availability("24 h", check.day, DAY_S),
        availability("7 d", check.week, WEEK_S),
    )
    return f"{name} {came} {at}\n-# {' · '.join(filter(None, figures)) or 'asked for the first time'}"


def _on_call(opened: OpenedLane) -> str:
    if opened.config.on_call is None:
        return "📟 No schedule says who is on call here."
    called = opened.called
    if called.primary is None:
        return f"🚨 **No one is on call** by the schedule {escaping.code(opened.config.on_call, 40)}."
    return f"📟 On call: {_people(called)}"


def _people(called: Responders) -> str:
    def named(role: str, person: Person | None) -> str:
        return f"{role} {escaping.plain(person.name, 60)}" if person is not None else ""

    first = f"**{escaping.plain(called.primary.name, 60)}**" if called.primary else ""
    return " · ".join(filter(None, (first, named("second", called.second), named("lead", called.lead))))
